"""Loads that meet each other, other writers, readers, and sudden death."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from airflow_provider_voiso.destinations.sql import duckdb as duckdb_dialect
from airflow_provider_voiso.destinations.sql.dialect import Dialect
from airflow_provider_voiso.destinations.sql.load import Load
from airflow_provider_voiso.exceptions import VoisoDestinationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.destinations.conftest import Destination, MakeRecord

PATIENCE = 60


class Pages:
    """Pages, with a wait at their end.

    :param pages: the pages
    :param met: what to wait for, each time that all were read
    """

    def __init__(self, pages: list[list[bytes]], met: threading.Barrier) -> None:
        self._pages = pages
        self._met = met

    def __iter__(self) -> Iterator[list[bytes]]:
        yield from self._pages
        self._met.wait(PATIENCE)


@pytest.fixture
def staging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no load go straight into its table."""
    monkeypatch.setattr(Dialect, "strategies", ("staged",))


def load_at_once(destination: Destination, record: MakeRecord, mode: str) -> None:
    """Load the window from two threads, each of which has staged its records before the other
    goes on."""
    staged = threading.Barrier(
        1 if destination.family == "duckdb" else 2
    )  # the one opens the file after the other

    def pages(agent: str) -> Pages:
        some = [record(str(number), agent=agent) for number in range(50)]
        return Pages([some, [record(f"of {agent}", agent=agent)]], staged)

    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(destination.load, pages(agent), mode=mode) for agent in ("A", "B")]
        assert [load.result(PATIENCE) for load in loads] == [51, 51]


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("exists", [True, False], ids=["table", "no table"])
def test_one_of_two_loads_stands(
    destination: Destination, record: MakeRecord, exists: bool
) -> None:
    if exists:
        destination.load([[record("old", agent="old")]])
    load_at_once(destination, record, "replace_window")
    (agent,) = set(destination.column("agent").values())
    assert destination.uuids() == {*map(str, range(50)), f"of {agent}"}


def test_one_of_two_direct_loads_stands(destination: Destination, record: MakeRecord) -> None:
    begin = threading.Barrier(2)

    def load(agent: str) -> int:
        pages = [
            [record(str(number), agent=agent) for number in range(500)],
            [record(f"of {agent}", agent=agent)],
        ]
        begin.wait(PATIENCE)
        return destination.load(pages)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(load, "AB")) == [501, 501]
    (agent,) = set(destination.column("agent").values())
    assert destination.uuids() == {*map(str, range(500)), f"of {agent}"}


def test_withheld_lock_tells_its_code(mysql: Destination, record: MakeRecord) -> None:
    mysql.load([[record("old")]])
    mysql.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
    try:
        with closing(mysql.hook.get_conn()) as other:
            cursor = other.cursor()
            cursor.execute("BEGIN")
            cursor.execute("UPDATE calls SET agent = 'held'")
            with pytest.raises(VoisoDestinationError, match="1205"):
                mysql.load([[record("new")]])
    finally:
        mysql.execute("SET GLOBAL innodb_lock_wait_timeout = 50")
    assert mysql.column("agent") == {"old": None}


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("exists", [True, False], ids=["table", "no table"])
def test_last_of_two_upserts_stands(
    destination: Destination, record: MakeRecord, exists: bool
) -> None:
    if exists:
        destination.load([[record("0", agent="old")]])
    load_at_once(destination, record, "upsert")
    agents = destination.column("agent")
    assert agents.pop("of A") == "A"
    assert agents.pop("of B") == "B"
    assert agents.keys() == {*map(str, range(50))}
    assert len(set(agents.values())) == 1


def test_columns_are_added_once(destination: Destination, record: MakeRecord) -> None:
    instant = "DATETIME(6)" if destination.family == "mysql" else "TIMESTAMP WITH TIME ZONE"
    destination.execute(f"CREATE TABLE calls (uuid VARCHAR(36) PRIMARY KEY, ended_at {instant})")
    staged = threading.Barrier(
        1 if destination.family == "duckdb" else 2
    )  # the one opens the file after the other

    def pages(uuid: str) -> Pages:
        return Pages([[record(uuid, sid=uuid)]], staged)

    with ThreadPoolExecutor(2) as pool:
        loads = [
            pool.submit(destination.load, pages(uuid), mode="upsert", add_columns=True)
            for uuid in "ab"
        ]
        assert [load.result(PATIENCE) for load in loads] == [1, 1]
    assert destination.column("sid") == {"a": "a", "b": "b"}


@pytest.mark.usefixtures("staging")
def test_a_write_ahead_log_changes_nothing(sqlite: Destination, record: MakeRecord) -> None:
    sqlite.execute("PRAGMA journal_mode = WAL")
    test_one_of_two_loads_stands(sqlite, record, exists=True)


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_default_isolation_does_not_matter(
    postgres: Destination, record: MakeRecord, level: str
) -> None:
    database = postgres.connection["schema"]
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = '{level}'")
    test_one_of_two_loads_stands(postgres, record, exists=True)


def test_loads_wait_for_writers_readers_not(postgres: Destination, record: MakeRecord) -> None:
    postgres.execute(f"ALTER DATABASE {postgres.connection['schema']} SET lock_timeout = '30s'")
    postgres.load([[record("old")]])
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'calls'::regclass"
    with closing(postgres.hook.get_conn()) as other, ThreadPoolExecutor(1) as pool:
        other.cursor().execute(
            "INSERT INTO calls (uuid, ended_at) VALUES ('late', '2026-11-22T01:00:00Z')"
        )
        load = pool.submit(postgres.load, [[record("new")]])
        while not (postgres.execute(waiting)[0][0] or load.done()):
            pass
        assert not load.done()
        assert postgres.uuids() == {"old"}
        other.commit()
        assert load.result(PATIENCE) == 1
    assert postgres.uuids() == {"new"}


def test_readers_see_committed_state_alone(
    destination: Destination, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.load([[record("old")]])
    seen = []
    reconcile = Load.reconcile

    def look(load: Load, expected: int) -> None:
        seen.append(destination.uuids())
        reconcile(load, expected)

    monkeypatch.setattr(Load, "reconcile", look)
    destination.load([[record("new")]])
    assert seen == [{"old"}]
    assert destination.uuids() == {"new"}


HOLDING = (
    "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
)


def test_load_waits_for_the_file(
    duckdb: Destination, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb.load([[record("old")]])
    command = [sys.executable, "-c", HOLDING, duckdb.connection["host"]]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder,
        ThreadPoolExecutor(1) as pool,
    ):
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()
        with monkeypatch.context() as patch:
            patch.setattr(duckdb_dialect, "LOCK_PATIENCE_SECONDS", 0.5)
            with pytest.raises(VoisoDestinationError, match="stayed open elsewhere"):
                duckdb.load([[record("new")]])
        load = pool.submit(duckdb.load, [[record("new")]])
        holder.stdin.close()
        assert load.result(PATIENCE) == 1
    assert duckdb.uuids() == {"new"}


DYING = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from airflow_provider_voiso.destinations.sql.dialect import Dialect
from airflow_provider_voiso.destinations.sql.job import Job
from airflow_provider_voiso.destinations.sql.load import Load
from airflow_provider_voiso.destinations.sql.table import load_window
from airflow_provider_voiso.destinations.sql.table_name import TableName
from tests.destinations.conftest import WINDOW
from {module} import {hook}

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Pages:
    def __iter__(self):
        yield [b'{{"uuid":"new","timestamp":"2026-11-22T12:00:00Z"}}']
        if {moment!r} == "staging":
            die()

Dialect.strategies = ("staged",)
Load.reconcile = die
job = Job(
    table=TableName(None, "calls"), window=WINDOW, mode="replace_window", create_table=True,
    add_columns=False,
)
load_window({hook}({conn_id!r}), job, Pages())
"""


@pytest.mark.parametrize("moment", ["staging", "before the commit"])
def test_killed_load_leaves_old_state(
    destination: Destination, record: MakeRecord, moment: str
) -> None:
    destination.load([[record("old")]])

    destination.is_killed_by(DYING, moment=moment)

    assert destination.uuids() == {"old"}
    assert destination.load([[record("next")]]) == 1
    assert destination.uuids() == {"next"}
