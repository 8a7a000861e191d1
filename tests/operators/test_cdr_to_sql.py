from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoError,
    VoisoResponseError,
    VoisoServerError,
    VoisoShrunkError,
    VoisoTransportError,
)
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.secret_search import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a database that is the connection ``warehouse``."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)})
    )
    return path


def export(context: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    arguments = {"sql_conn_id": "warehouse", "table": "calls", **options}
    return VoisoCdrToSqlOperator(task_id="export", **arguments).execute(context)


def table(database: Path, name: str = "calls") -> set[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        names = ", ".join(column.name for column in COLUMNS)
        return set(connection.execute(f"SELECT {names} FROM {name}"))


def expected(*parts: Mapping[str, bytes]) -> set[tuple[Any, ...]]:
    """Return the rows that the table holds for records, as SQLite gives them back."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(timespec="microseconds")
        return float(value) if value.__class__.__name__ == "Decimal" else value

    return {tuple(map(plain, row)) for part in parts for row in rows(list(part.values()))}


def test_a_day_becomes_rows(database: Path, simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    manifest = export(context)
    truth = sim.truth(START, START + DAY)
    assert table(database) == expected(truth)
    assert manifest["table"] == "calls"
    assert manifest["records"] == len(truth)
    assert manifest["requests"] == len(sim.requests)
    assert manifest["bytes"] == sum(len(record) + 1 for record in truth.values())
    assert json.loads(json.dumps(manifest)) == manifest


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_twice_is_the_same_as_once(
    mode: str, database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    export(context, mode=mode)
    export(context, mode=mode)
    assert table(database) == expected(sim.truth(START, START + DAY))


def test_windows_stand_side_by_side(database: Path, simulate: Simulate) -> None:
    sim = simulate(readings=Readings(bounds="inclusive", resolution="second"))
    edges = [START + timedelta(hours=hours) for hours in (0, 5, 6, 12, 24)]
    for first, last in reversed(list(itertools.pairwise(edges))):
        export({"data_interval_start": first, "data_interval_end": last})
    assert table(database) == expected(sim.truth(START, START + DAY))


def test_vanished_records_leave_the_window(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate(drift=Drift(move=0.2, move_seconds=86_400))
    export(context)
    sim.drift_now()
    before, after = (sim.truth(START, START + DAY, state=state) for state in ("before", "after"))
    assert before.keys() - after.keys()
    export(context)
    assert table(database) == expected(after)


def test_upsert_takes_changes_deletes_nothing(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate(drift=Drift(appear=0.1, change=0.2, move=0.1, move_seconds=-86_400))
    export(context, mode="upsert")
    sim.drift_now()
    export(context, mode="upsert")
    before, after = (sim.truth(START, START + DAY, state=state) for state in ("before", "after"))
    gone = {uuid: record for uuid, record in before.items() if uuid not in after}
    assert gone
    assert table(database) == expected(after, gone)


def test_a_lookback_finds_what_changed_since(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate(drift=Drift(change=0.3))
    export(context, mode="upsert")
    assert table(database) == expected(sim.truth(START, START + DAY, state="before"))
    sim.drift_now()
    tomorrow = {"data_interval_start": START + DAY, "data_interval_end": START + 2 * DAY}
    manifest = export(tomorrow, mode="upsert", lookback=timedelta(hours=12))
    half = START + timedelta(hours=12)
    assert table(database) == expected(
        sim.truth(START, half, state="before"), sim.truth(half, START + 2 * DAY, state="after")
    )
    assert manifest["window_start"] == (START + DAY).isoformat()
    assert manifest["records"] == len(sim.truth(half, START + 2 * DAY))


@pytest.mark.parametrize(
    ("lookback", "since"),
    [
        (None, datetime(2024, 3, 31, tzinfo=timezone.utc)),
        (relativedelta(hours=12), datetime(2024, 3, 30, 12, tzinfo=timezone.utc)),
        # On the calendar: the month before has no 31st day.
        (relativedelta(months=1), datetime(2024, 2, 29, tzinfo=timezone.utc)),
    ],
)
def test_lookback_of_either_kind(
    lookback: Any, since: datetime, database: Path, simulate: Simulate
) -> None:
    sim = simulate(records_per_day=20)
    end = datetime(2024, 4, 1, tzinfo=timezone.utc)
    context = {
        "data_interval_start": datetime(2024, 3, 31, tzinfo=timezone.utc),
        "data_interval_end": end,
    }

    export(context, mode="upsert", lookback=lookback)

    assert table(database) == expected(sim.truth(since, end))


def test_no_lookback_fits_every_mode(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()

    export(context, mode="replace_window", lookback=None)

    assert table(database) == expected(sim.truth(START, START + DAY))


def test_empty_window_deletes_its_rows(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    simulate()
    export(context)
    simulate(records_per_day=0)
    assert export(context)["records"] == 0
    assert table(database) == set()


def test_filters_narrow_the_rows(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    export(context, filters={"type": "inbound"}, table="inbound")
    assert table(database, "inbound") == expected(
        sim.truth(START, START + DAY, {"type": "inbound"})
    )


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("status", VoisoServerError),
        ("truncated", VoisoTransportError),
        ("no_timestamp", VoisoResponseError),
        ("error_body", VoisoResponseError),
        ("invalid_json", VoisoResponseError),
    ],
)
def test_unreadable_window_keeps_the_table(
    kind: Any, error: type[VoisoError], database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate(readings=Readings(cap=100), extra={"per_page": 50}, drift=Drift(change=1))
    export(context)
    before = table(database)
    sim.drift_now()
    sim.faults.add(kind, position="last", times=None)
    with pytest.raises(error, match=r"window \[2024-11-10T00:00:00"):
        export(context)
    assert table(database) == before


def test_missing_table_without_create_fails(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    simulate()
    with pytest.raises(VoisoConfigurationError, match="create_table=True"):
        export(context, create_table=False)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_missing_columns_are_added_if_allowed(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE calls (uuid TEXT PRIMARY KEY, ended_at TEXT)")
    with pytest.raises(VoisoConfigurationError, match="add_columns=True"):
        export(context)
    export(context, add_columns=True)
    assert table(database) == expected(sim.truth(START, START + DAY))


def test_missing_columns_are_told(
    database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    export(context)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ALTER TABLE calls DROP COLUMN sid")
        connection.execute("ALTER TABLE calls DROP COLUMN agent")

    manifest = export(context)

    assert manifest["columns_missing"] == ["agent", "sid"]
    assert json.loads(json.dumps(manifest)) == manifest
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(
            "SELECT uuid, json_extract(extra, '$.agent') FROM calls"
        ).fetchall()
    truth = sim.truth(START, START + DAY)
    assert dict(found) == {uuid: json.loads(record).get("agent") for uuid, record in truth.items()}


def test_misfit_asks_nothing(database: Path, simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "CREATE TABLE calls (uuid TEXT PRIMARY KEY, ended_at TEXT, agent_id TEXT, extra TEXT)"
        )

    with pytest.raises(VoisoConfigurationError, match="agent_id is TEXT"):
        export(context)

    assert not sim.requests


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "connection 'warehouse' does not exist"),
        ('{"conn_type": "nonsense", "password": "Tr0ub4dor"}', "Unknown hook type"),
        ("postgres://me:Tr0ub4dor/@host:x/db", "'warehouse'"),
        ('{"conn_type": "http"}', "not a SQL database"),
    ],
    ids=["missing", "unknown type", "wrong URI", "other type"],
)
def test_unusable_connection_asks_nothing(
    value: str | None,
    says: str,
    simulate: Simulate,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sim = simulate()
    if value is not None:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", value)

    with pytest.raises(VoisoError, match=says) as raised:
        export(context)

    assert isinstance(raised.value, VoisoConfigurationError)
    assert "Tr0ub" not in text_of(raised.value)
    assert not sim.requests


def test_arguments_are_templates(database: Path, simulate: Simulate) -> None:
    sim = simulate()
    operator = VoisoCdrToSqlOperator(
        task_id="export",
        sql_conn_id="{{ db }}",
        table="calls_{{ kind }}",
        filters={"type": "{{ kind }}"},
        window_start="{{ start }}",
        window_end="{{ end }}",
    )
    context = {
        "db": "warehouse",
        "kind": "inbound",
        "start": START.isoformat(),
        "end": (START + DAY).isoformat(),
    }
    operator.render_template_fields(context)  # type: ignore[arg-type]
    assert operator.execute(context)["table"] == "calls_inbound"
    assert table(database, "calls_inbound") == expected(
        sim.truth(START, START + DAY, {"type": "inbound"})
    )


def test_manifest_tells_changes(
    context: Mapping[str, Any], simulate: Simulate, database: Path
) -> None:
    simulate(records_per_day=30)
    records = export(context)["records"]
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE calls SET agent = 'old' WHERE rowid <= 2")
        connection.execute("DELETE FROM calls WHERE rowid = 3")
        connection.commit()

    second, third = export(context), export(context)

    names = ("records_before", "inserted", "updated", "deleted", "changed")
    assert [second[name] for name in names] == [records - 1, 1, 2, 0, True]
    assert [third[name] for name in names] == [records, 0, 0, 0, False]


def test_shrunk_window_stays(
    context: Mapping[str, Any], simulate: Simulate, database: Path
) -> None:
    simulate(records_per_day=30)
    export(context)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO calls (uuid, ended_at) SELECT 'more ' || uuid, ended_at FROM calls"
        )
        connection.commit()
    before = table(database)

    with pytest.raises(VoisoShrunkError, match="The table calls holds"):
        export(context, fail_if_fewer_than=0.9)

    assert table(database) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fail_if_fewer_than": 90}, "above 0 and at most 1"),
        ({"fail_if_fewer_than": 0.9, "mode": "upsert"}, "needs mode='replace_window'"),
    ],
)
def test_gate_is_checked_early(options: dict[str, Any], message: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=message):
        VoisoCdrToSqlOperator(task_id="export", sql_conn_id="warehouse", table="calls", **options)
