"""Loads of a window that stands in the table already: only the rows that differ are touched."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.exceptions import VoisoReconciliationError, VoisoShrunkError
from tests.destinations.conftest import MYSQL_KINDS

if TYPE_CHECKING:
    from tests.destinations.conftest import Destination, MakeRecord

YESTERDAY = "2026-11-21T12:00:00Z"
FIELDS: dict[str, Any] = {
    "agent": "Zoë ",
    "agent_id": 7,
    "cpc": 0.1,
    "duration": "00:00:10",
    "text": "",
    "wrapup_code": None,
    "new": [1.10],
}
CHANGES: dict[str, dict[str, Any]] = {
    "text": {"agent": "Zoë"},
    "case": {"agent": "zoë "},
    "accent": {"agent": "Zoe "},
    "integer": {"agent_id": 8},
    "decimal": {"cpc": 0.1001},
    "instant": {"timestamp": "2026-11-22T12:00:00.000001Z"},
    "json": {"new": [1.1, 2]},
    "spelling in json": {"new": [1.0]},
    "to null": {"text": None},
    "from null": {"wrapup_code": "01"},
}
EVERY_DATABASE = pytest.mark.parametrize(
    "client", ["sqlite", "postgres", "duckdb", MYSQL_KINDS[1], MYSQL_KINDS[2]], indirect=True
)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Destination:
    from tests.destinations.conftest import by_name  # noqa: PLC0415 - only here

    return by_name(request, request.param)


def touched(destination: Destination) -> tuple[int, ...]:
    """Return how many rows PostgreSQL inserted, updated and deleted in the table so far."""
    return destination.statistics("n_tup_ins", "n_tup_upd", "n_tup_del")


def changes_of(
    destination: Destination, page: list[bytes], **options: Any
) -> tuple[int, int | None, int | None, int | None]:
    """Load, and return the rows before, inserted, updated and deleted.

    In PostgreSQL, exactly these rows were touched.
    """
    is_postgres = destination.kind == "postgres"
    before = touched(destination) if is_postgres else (0, 0, 0)

    changes = destination.loaded([page], **options).changes

    counts = (changes.inserted, changes.updated, changes.deleted)
    if is_postgres:
        difference = zip(touched(destination), before, strict=True)
        assert tuple(now - then for now, then in difference) == counts
    assert changes.changed == any(counts)
    return (changes.before, *counts)


@EVERY_DATABASE
@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_each_type_is_compared(client: Destination, record: MakeRecord, mode: str) -> None:
    base = [record(name, **FIELDS) for name in CHANGES]
    client.load([base], mode=mode)

    for name, change in CHANGES.items():
        page = [record(each, **{**FIELDS, **(change if each == name else {})}) for each in CHANGES]

        assert changes_of(client, page, mode=mode) == (10, 0, 1, 0), name
        fresh = client.rows()
        client.execute("DELETE FROM calls")
        client.load([page], mode=mode)
        assert client.rows() == fresh, name
        client.load([base], mode=mode)


@EVERY_DATABASE
@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_same_records_touch_nothing(client: Destination, record: MakeRecord, mode: str) -> None:
    page = [record(str(number), **FIELDS) for number in range(9)] + [record("no fields")]
    client.load([page], mode=mode)

    assert changes_of(client, page[::-1], mode=mode) == (10, 0, 0, 0)
    other_spelling = [
        json.dumps({**json.loads(each), "timestamp": "2026-11-22T13:00:00+01:00"}).encode()
        for each in page
    ]
    assert changes_of(client, other_spelling, mode=mode) == (10, 0, 0, 0)


@EVERY_DATABASE
def test_all_changes_at_once(client: Destination, record: MakeRecord) -> None:
    client.take_records_without_end()
    first = [record(name, agent="A") for name in ("same", "changed", "gone")]
    others = [record("moved in", YESTERDAY, agent="A"), record("stays out", YESTERDAY)]
    client.load([[*first, *others]], mode="upsert")
    second = [
        record("new", agent="A"),
        record("moved in", "2026-11-22T00:00:00Z", agent="A"),
        record("changed", agent="B"),
        record("same", agent="A"),
    ]

    assert changes_of(client, second) == (3, 1, 2, 1)

    assert client.column("agent") == {
        "same": "A",
        "changed": "B",
        "moved in": "A",
        "new": "A",
        "stays out": None,
    }
    assert changes_of(client, second) == (4, 0, 0, 0)


@EVERY_DATABASE
def test_upsert_deletes_nothing(client: Destination, record: MakeRecord) -> None:
    client.load([[record("kept"), record("changed"), record("moved out")]])
    page = [record("changed", agent="B"), record("moved out", YESTERDAY), record("new")]

    assert changes_of(client, page, mode="upsert") == (3, 1, 2, 0)

    assert client.column("agent") == {"kept": None, "changed": "B", "moved out": None, "new": None}


@EVERY_DATABASE
def test_record_that_moved_out_is_deleted(client: Destination, record: MakeRecord) -> None:
    client.load([[record("stays"), record("moved out")]])

    assert changes_of(client, [record("stays")]) == (2, 0, 0, 1)

    assert client.uuids() == {"stays"}


@EVERY_DATABASE
def test_empty_window_is_filled(client: Destination, record: MakeRecord) -> None:
    first = client.loaded([[record("1"), record("2")]]).changes
    assert first == Changes(rows=2, before=0, inserted=2, updated=0, deleted=0)

    client.execute("DELETE FROM calls")
    assert changes_of(client, [record("1")]) == (0, 1, 0, 0)
    client.execute("DELETE FROM calls")
    assert changes_of(client, []) == (0, 0, 0, 0)


@EVERY_DATABASE
def test_columns_of_others_survive(client: Destination, record: MakeRecord) -> None:
    client.load([[record("changed"), record("same")]])
    client.execute('ALTER TABLE calls ADD COLUMN "note" VARCHAR(20)')
    client.execute("UPDATE calls SET note = 'by hand'")

    client.load([[record("changed", agent="B"), record("same")]])

    assert client.column("note") == {"changed": "by hand", "same": "by hand"}


@EVERY_DATABASE
def test_doubled_rows_become_one(client: Destination, record: MakeRecord) -> None:
    client.create(key="")
    client.load([[record("twice"), record("once")]])
    client.execute("INSERT INTO calls SELECT * FROM calls WHERE uuid = 'twice'")

    changes = client.loaded([[record("twice"), record("once")]]).changes

    assert changes == Changes(rows=2, before=3, inserted=1, updated=0, deleted=2)
    assert sorted(client.execute("SELECT uuid FROM calls")) == [("once",), ("twice",)]


def test_other_types_hold_the_same(postgres: Destination, record: MakeRecord) -> None:
    postgres.create(cpc="NUMERIC(20,9)", extra="TEXT", agent='VARCHAR COLLATE "POSIX"')
    postgres.load([[record("1", **FIELDS)]])

    assert changes_of(postgres, [record("1", **FIELDS)]) == (1, 0, 0, 0)
    assert changes_of(postgres, [record("1", **{**FIELDS, "agent": "ZOË "})]) == (1, 0, 1, 0)
    assert postgres.column("cpc") == {"1": Decimal("0.1")}


def test_case_counts_in_sqlite(sqlite: Destination, record: MakeRecord) -> None:
    sqlite.create(agent="TEXT COLLATE NOCASE", cpc="REAL")
    sqlite.load([[record("1", agent="a", cpc=3)]])

    assert changes_of(sqlite, [record("1", agent="a", cpc=3)]) == (1, 0, 0, 0)
    assert changes_of(sqlite, [record("1", agent="A", cpc=3)]) == (1, 0, 1, 0)


def test_refused_update_is_noticed(postgres: Destination, record: MakeRecord) -> None:
    postgres.load([[record("1")]])
    postgres.execute(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    postgres.execute(
        "CREATE TRIGGER keeping BEFORE UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION nothing()"
    )

    with pytest.raises(VoisoReconciliationError, match="0 of 1 changed records after the update"):
        postgres.load([[record("1", agent="B")]])


@EVERY_DATABASE
def test_far_fewer_records_are_refused(client: Destination, record: MakeRecord) -> None:
    client.load([[record(str(number)) for number in range(10)]])
    rows = client.rows()
    eight = [record(str(number), agent="new") for number in range(8)]

    with pytest.raises(VoisoShrunkError, match=r"calls holds 10 records of .* would hold 8"):
        client.load([eight], fail_if_fewer_than=0.9)
    assert client.rows() == rows

    assert client.load([eight], fail_if_fewer_than=0.8) == 8


def test_unknown_database_counts_and_refuses(portable: Destination, record: MakeRecord) -> None:
    portable.load([[record("1"), record("2")]])

    with pytest.raises(VoisoShrunkError, match="2 records"):
        portable.load([[record("1")]], fail_if_fewer_than=1)
    assert portable.uuids() == {"1", "2"}

    changes = portable.loaded([[record("1")]]).changes
    assert changes == Changes(rows=1, before=2)
    assert changes.changed


def test_fewer_records_are_warned_of(
    sqlite: Destination, record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite.load([[record("1"), record("2")]])

    with caplog.at_level(logging.WARNING):
        sqlite.load([[record("1")]])

    assert "The table calls held 2 records" in caplog.text
