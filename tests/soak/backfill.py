"""Many days exported in sequence by one process, to S3 and to a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.simulator import Simulator
from tests.e2e.world import COLUMNS, comparable, rows
from tests.servers.voiso import SimulatorProcess
from tests.soak.exports import S3_KEY, Export, days, order, run, s3_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.servers.s3 import SeaweedS3

TABLE = "soak"


@dataclass(frozen=True)
class Backfill:
    """What came of the exports, in the order of the days, S3 before SQL.

    :param equal_in_s3: how many days are in S3 as Voiso has them, line by line
    :param equal_in_sql: how many are in the table, value by value
    """

    exports: Sequence[Export]
    equal_in_s3: int
    equal_in_sql: int


def backfill(
    home: Path,
    s3: SeaweedS3,
    sql: str,
    execute: Callable[[str], Sequence[Sequence[Any]]],
    *,
    count: int,
    records_per_day: int,
) -> Backfill:
    """Export that many days.

    :param sql: the connection of the database
    :param execute: executes a query there
    """
    windows = days(count)
    options = ["--exact", "--records-per-day", str(records_per_day), "--duplicates", "0"]
    with SimulatorProcess(home / "voiso", options) as voiso:
        connections = {
            "aws_default": s3.connection(),
            "voiso_default": voiso.connection(),
            "warehouse": sql,
        }
        orders = [
            one
            for window in windows
            for one in (
                order("s3", window, s3_bucket=s3.bucket, s3_key=S3_KEY),
                order("sql", window, sql_conn_id="warehouse", table=TABLE),
            )
        ]
        done = run(home, connections, orders, together=False)
    truth = Simulator(exact=True, records_per_day=records_per_day)
    client = s3.client()
    found = {
        row[0]: comparable(row) for row in execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE}")
    }
    [[count_in_sql]] = execute(f"SELECT count(*) FROM {TABLE}")
    equal_in_s3 = equal_in_sql = expected = 0
    for window in windows:
        records = truth.truth(*window)
        expected += len(records)
        equal_in_s3 += s3_lines(client, s3.bucket, window) == list(records.values())
        equal_in_sql += all(found.get(uuid) == row for uuid, row in rows(records).items())
    # No more than what was compared, each once.
    assert count_in_sql == len(found) == expected
    return Backfill(done, equal_in_s3, equal_in_sql)
