"""The content of the destinations, read without this package and without Airflow."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg2
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from rich.console import Console

    from tests.servers.s3 import SeaweedS3
    from tests.servers.voiso import SimulatorProcess

PREFIX = "voiso/cdr"


class Day(NamedTuple):
    """The uuids of one UTC day in the three places; lists, so that a record held twice shows."""

    date: date
    simulator: set[str]
    s3: list[str]
    sql: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether both destinations hold each record of the day once and nothing else."""
        expected = sorted(self.simulator)
        return bool(expected) and sorted(self.s3) == expected and sorted(self.sql) == expected


class Coverage(NamedTuple):
    """The days that stand out on the coverage page.

    :param holes: days without a window between two with one
    :param changed: days that were exported again with changes
    """

    holes: set[date]
    changed: set[date]


def uuids_in_s3(client: Any, bucket: str, day: date) -> list[str]:
    """Return the uuid of every line of every gzipped object in the day's folder.

    :param client: a boto3 client
    """
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{PREFIX}/dt={day}/"
    )
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    found = []
    for key in keys:
        lines = gzip.decompress(
            client.get_object(Bucket=bucket, Key=key)["Body"].read()
        ).splitlines()
        found += [json.loads(line)["uuid"] for line in lines]
    return found


def uuids_in_sqlite(database: Path, table: str, day: date) -> list[str]:
    """Return the uuid of every row whose ``ended_at``, stored in UTC, is on the day."""
    query = f"SELECT uuid FROM {table} WHERE substr(ended_at, 1, 10) = ?"  # noqa: S608  # our own constant
    with closing(sqlite3.connect(database)) as connection:
        return [uuid for (uuid,) in connection.execute(query, [day.isoformat()])]


def uuids_in_postgres(uri: str, table: str, day: date) -> list[str]:
    """Return the uuid of every row whose ``ended_at`` is on the day in UTC."""
    query = f"SELECT uuid FROM {table} WHERE (ended_at AT TIME ZONE 'UTC')::date = %s"  # noqa: S608  # our own constant
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(query, [day])
        return [uuid for (uuid,) in cursor.fetchall()]


def compare(
    simulator: SimulatorProcess,
    s3: SeaweedS3,
    uuids_in_sql: Callable[[date], list[str]],
    days: list[date],
) -> list[Day]:
    """Collect the uuids of each day from the simulator, the objects and the table."""
    client = s3.client()
    found = []
    for day in days:
        start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        truth = simulator.truth(start, start + timedelta(days=1))
        found.append(Day(day, truth, uuids_in_s3(client, s3.bucket, day), uuids_in_sql(day)))
    return found


def covered(manifests: Iterable[Mapping[str, Any]]) -> Coverage:
    """Return what the coverage page has to show of one asset with a window a day.

    :param manifests: those of its events, in the order of time
    """
    changes: dict[date, list[bool]] = {}
    for manifest in manifests:
        day = datetime.fromisoformat(manifest["window_start"]).date()
        changes.setdefault(day, []).append(manifest["changed"])
    length = (max(changes) - min(changes)).days
    every = {min(changes) + timedelta(days=number) for number in range(length)}
    return Coverage(
        holes=every - changes.keys(),
        changed={day for day, changed in changes.items() if any(changed[1:])},
    )


def show(found: list[Day], console: Console) -> None:
    """Print one line for each day."""
    table = Table(
        "day (UTC)", *(f"[right]{name}" for name in ("simulator", "S3", "SQL", "same uuids"))
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for day in found:
        counts = (f"{len(uuids):,}" for uuids in (day.simulator, day.s3, day.sql))
        table.add_row(str(day.date), *counts, "yes" if day.is_equal else "NO")
    console.print(table)
