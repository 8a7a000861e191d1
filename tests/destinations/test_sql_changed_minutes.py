"""Reloads that compare digests of each minute and stage the records of changed minutes alone."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.destinations.columns import rows
from airflow_provider_voiso.destinations.sql import changed_minutes
from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.exceptions import VoisoShrunkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block
    from tests.destinations.conftest import Destination, MakeRecord

MIDNIGHT = datetime(2026, 11, 22, tzinfo=timezone.utc)
TEXTS = [
    None,
    "",
    "a",
    "A",
    "null",
    "Zoë ",
    "日本 🙂",
    '"',
    "\\",
    '\\"',
    "x\ny\t",
    ",",
    "]\n[",
    "'",
]
VALUES: dict[str, list[Any]] = {
    "agent": [*TEXTS, "\u2028", "\x7f"],
    "agent_id": [None, 0, 7, 2**63 - 1, -(2**63), "7"],
    "from": TEXTS,
    "to": TEXTS,
    "disposition": TEXTS,
    "cpc": [None, 0, 0.1, 1.5, 12345678.9012, 0.00001, "0.1"],
    "duration": [None, "00:00:00", "99:59:59", "00:01"],
    "new": [None, {"a": 1, "b": [2]}, {"b": [2], "a": 1}, 1.10, "\x00"],
    "sla": [None, {"time_to_reply": "00:00:01"}, {"time_to_reply": 1}],
}


@pytest.fixture(params=["psycopg3", "psycopg2"])
def client(
    request: pytest.FixtureRequest, postgres: Destination, monkeypatch: pytest.MonkeyPatch
) -> Destination:
    """PostgreSQL by each of its clients."""
    if request.param == "psycopg2":
        server = postgres.connection
        address = {"host": server["host"], "user": server["login"], "dbname": server["schema"]}
        monkeypatch.setattr(postgres.hook, "get_conn", lambda: psycopg2.connect(**address))
    return postgres


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the uuids that loads stage from now on."""
    uuids: list[str] = []
    fill = PostgresDialect.fill

    def recorded(
        self: PostgresDialect,
        cursor: Any,
        target: str,
        columns: Sequence[Column],
        blocks: Iterable[Block],
    ) -> None:
        kept = list(blocks)
        if "_calls" in target:
            uuids.extend(uuid for block in kept for uuid in block[0])
        fill(self, cursor, target, columns, kept)

    monkeypatch.setattr(PostgresDialect, "fill", recorded)
    return uuids


def in_order(records: Iterable[bytes]) -> list[bytes]:
    """Return records in the order in which a window is read."""
    return sorted(records, key=lambda each: rows([each])[0][2::-2])


def at(minute: int, second: float = 0) -> str:
    return (MIDNIGHT + timedelta(minutes=minute, seconds=second)).isoformat()


def drawn(chance: random.Random, uuid: str) -> dict[str, Any]:
    fields = {name: chance.choice(values) for name, values in VALUES.items()}
    second = chance.choice([0, 0, 1.5, 59.999999])
    return {"uuid": uuid, "timestamp": at(chance.randrange(-1, 8) * 200, second), **fields}


def changed_state(chance: random.Random, state: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a state in which one record in eight is gone, another, moved within its minute,
    or has one other field."""
    found = []
    for record in state:
        lot = chance.randrange(30)
        if lot == 0:
            continue
        changed = dict(record)
        if lot == 1:
            changed = drawn(chance, record["uuid"])
        elif lot == 2:
            name = chance.choice(list(VALUES))
            changed[name] = chance.choice(VALUES[name])
        elif lot == 3:
            changed["timestamp"] = f"{record['timestamp'][:17]}{chance.choice(['07', '07.25'])}Z"
        found.append(changed)
    new = [drawn(chance, f"new {chance.random()}") for _ in range(chance.randrange(3))]
    return found + new


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("seed", range(4))
def test_drawn_changes_are_written(
    client: Destination, staged: list[str], mode: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    state = [drawn(chance, str(number)) for number in range(100)]
    held: dict[str, tuple[Any, ...]] = {}
    for _ in range(4):
        page = in_order(json.dumps(record).encode() for record in state)
        now = {row[0]: row for row in rows(page)}
        in_window = {uuid for uuid, row in held.items() if client.window.start <= row[2]}
        gone = in_window - now.keys() if mode == "replace_window" else set()

        changes = client.loaded([page[:33], page[33:]], mode=mode).changes

        assert changes == Changes(
            rows=len(now),
            before=len(in_window),
            inserted=len(now.keys() - held.keys()),
            updated=sum(uuid in held and held[uuid] != row for uuid, row in now.items()),
            deleted=len(gone),
        )
        held = {uuid: row for uuid, row in held.items() if uuid not in gone} | now
        assert client.rows() == set(held.values())
        staged.clear()
        client.load([page], mode=mode)
        outside = {uuid for uuid, row in now.items() if row[2] < client.window.start}
        kept_by_upsert = held.keys() - now.keys()
        assert kept_by_upsert or set(staged) == outside
        state = changed_state(chance, state)


def test_reload_leaves_no_dead_rows(
    client: Destination, record: MakeRecord, staged: list[str]
) -> None:
    page = [record(f"{number:03}", at(number), agent='Zoë "Z"') for number in range(600)]
    client.load([page])

    changes = client.loaded([page]).changes

    assert changes == Changes(rows=600, before=600, inserted=0, updated=0, deleted=0)
    assert staged == []
    assert client.statistics("n_dead_tup") == (0,)


def test_changed_minutes_alone_are_staged(
    client: Destination, record: MakeRecord, staged: list[str]
) -> None:
    first = [record(name, at(minute)) for minute, name in enumerate("abcdefgh")]
    client.load([first])
    second = [
        record("a", at(0)),
        record("b", at(1), agent="new"),
        record("d", at(3)),
        record("d2", at(3, 1)),
        record("e", at(5)),
        record("f", at(5, 1)),
        record("g", at(6)),
        record("h", at(7)),
    ]

    changes = client.loaded([second]).changes

    assert changes == Changes(rows=8, before=8, inserted=1, updated=3, deleted=1)
    assert staged == ["b", "d", "d2", "e", "f"]
    assert client.rows() == set(rows(second))


def test_window_within_a_minute(client: Destination, record: MakeRecord, staged: list[str]) -> None:
    client.window = Window(MIDNIGHT + timedelta(seconds=10), MIDNIGHT + timedelta(seconds=50))
    client.load([[record("before", at(0, 5)), record("behind", at(0, 55))]], mode="upsert")
    client.load([[record("1", at(0, 10)), record("2", at(0, 49.5))]], mode="upsert")

    assert client.load([[record("1", at(0, 10)), record("2", at(0, 49.5))]]) == 2
    assert staged[-2:] == ["1", "2"]
    staged.clear()
    assert client.load([[record("1", at(0, 10)), record("2", at(0, 49.5))]]) == 2
    assert staged == []
    assert client.load([[record("2", at(0, 49.5))]]) == 1
    assert client.uuids() == {"before", "behind", "2"}


def test_quotes_in_the_table_are_told(client: Destination, record: MakeRecord) -> None:
    page = [record("1", **{"from": "p", "to": ",null,", "disposition": "w"})]
    client.load([page])
    forged = ("p\x01,", None, ",\x01w")
    client.execute("UPDATE calls SET from_party = %s, to_party = %s, disposition = %s", *forged)

    assert client.loaded([page]).changes.updated == 1

    assert client.rows() == set(rows(page))


def test_control_characters_are_staged(
    client: Destination, record: MakeRecord, staged: list[str]
) -> None:
    page = [record("1", agent="\x01"), record("2", agent="\x02")]
    client.load([page])

    assert not client.loaded([page]).changes.changed

    assert staged == ["1", "2"]


@pytest.mark.parametrize(
    "types",
    [
        {"cpc": "NUMERIC(20,9)", "agent_id": "NUMERIC(21,1)"},
        {"cpc": "NUMERIC", "agent": 'VARCHAR COLLATE "POSIX"', "extra": "TEXT"},
    ],
    ids=["other scale", "other types"],
)
def test_other_types_are_compared(
    client: Destination, record: MakeRecord, types: dict[str, str]
) -> None:
    client.create(**types)
    page = [record("1", agent="a", agent_id=1, cpc=0.5, new=1)]
    client.load([page])

    assert not client.loaded([page]).changes.changed
    other = [record("1", agent="A", agent_id=1, cpc=0.5, new=1)]
    assert client.loaded([other]).changes.updated == 1

    assert client.column("agent") == {"1": "A"}


def test_negative_zero_is_unchanged(client: Destination, record: MakeRecord) -> None:
    client.load([[record("1", cpc=0)]])

    assert not client.loaded([[record("1", cpc=-0.0)]]).changes.changed
    assert client.loaded([[record("1", cpc=-0.0001)]]).changes.updated == 1


def test_order_of_records_does_not_matter(client: Destination, record: MakeRecord) -> None:
    page = [record("b", at(5)), record("a", at(5)), record("c", at(1))]
    client.load([page])

    assert not client.loaded([page]).changes.changed
    assert not client.loaded([page[::-1]]).changes.changed
    assert client.loaded([page[:2]]).changes.deleted == 1


def test_session_settings_do_not_matter(
    client: Destination, record: MakeRecord, staged: list[str]
) -> None:
    database = client.connection["schema"]
    client.execute(f"ALTER DATABASE {database} SET timezone = 'Asia/Kathmandu'")
    client.execute(f"ALTER DATABASE {database} SET datestyle = 'German'")
    page = [record("1", at(1, 0.5)), record("2", at(90))]
    client.load([page])

    assert not client.loaded([page]).changes.changed
    assert staged == []
    assert client.loaded([page[:1]]).changes.deleted == 1


def test_missing_columns_are_compared(
    client: Destination, record: MakeRecord, staged: list[str]
) -> None:
    client.create(agent=None)
    page = [record("1", agent="a"), record("2", agent="b")]
    client.load([page])

    assert not client.loaded([page]).changes.changed
    assert staged == []
    assert client.loaded([[page[0], record("2", agent="c")]]).changes.updated == 1

    assert not client.loaded([page], mode="upsert", add_columns=True).changes.inserted
    assert client.column("agent") == {"1": "a", "2": "b"}


def test_far_fewer_records_are_refused(client: Destination, record: MakeRecord) -> None:
    page = [record(str(number), at(number)) for number in range(10)]
    client.load([page])

    with pytest.raises(VoisoShrunkError, match="would hold 8"):
        client.load([page[:8]], fail_if_fewer_than=0.9)
    assert client.load([page[:9]], fail_if_fewer_than=0.9) == 9


def test_full_minute_is_staged(
    client: Destination, record: MakeRecord, staged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_minutes, "_MOST_ROWS", 2)
    page = [record(name, at(1)) for name in "abc"]
    client.load([page])

    assert not client.loaded([page]).changes.changed

    assert staged == ["a", "b", "c"]


def test_missing_function_means_staging(
    client: Destination, record: MakeRecord, staged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = "SELECT unknown_function({minute}, {quoted}, {cells}, '{between}', %s, %s)"
    monkeypatch.setattr("airflow_provider_voiso.destinations.sql.postgres._DIGESTS", statement)
    page = [record("1")]
    client.load([page])

    assert not client.loaded([page]).changes.changed

    assert staged == ["1"]


def test_table_without_key_is_staged(client: Destination, record: MakeRecord) -> None:
    client.create(key="")
    page = [record("1", at(1)), record("2", at(2))]
    client.load([page])
    client.execute(
        "INSERT INTO calls (uuid, ended_at) VALUES ('1', %s)", MIDNIGHT - timedelta(days=9)
    )

    assert client.loaded([page]).changes.changed

    assert client.rows() == set(rows(page))


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_last_of_two_reloads_stands(client: Destination, record: MakeRecord, mode: str) -> None:
    client.load([[record(f"{number:03}", agent="old") for number in range(500)]])
    begin = threading.Barrier(2)

    def load(agent: str) -> int:
        begin.wait(60)
        page = [record(f"{number:03}", agent=agent) for number in range(500)]
        return client.load([[*page, record(f"new {agent}", agent=agent)]], mode=mode)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(load, "AB")) == [501, 501]
    agents = client.column("agent")
    assert len({agent for uuid, agent in agents.items() if not uuid.startswith("new")}) == 1
    assert mode == "upsert" or len(agents) == 501
