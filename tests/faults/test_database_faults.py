"""Whatever a database does while a window is loaded."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.exceptions import VoisoDestinationError
from tests.faults.destinations import END, START, Sql
from tests.faults.promise import WINDOW
from tests.servers.process import wait_for
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from tests.faults.promise import Promise

    Run = Callable[[str, str], None]


@pytest.fixture
def database(promise: Promise) -> Sql:
    assert isinstance(promise.destination, Sql)
    promise.lead_to(promise.new)
    return promise.destination


@pytest.fixture
def until_the_end(database: Sql) -> Iterator[Run]:
    """Return a function that executes one statement now, and another one when the test is over."""
    undo: list[str] = []

    def run(statement: str, afterwards: str) -> None:
        database.execute(statement)
        undo.insert(0, afterwards)

    yield run
    while undo:
        database.execute(undo.pop(0))


@pytest.fixture
def proxy(database: Sql, monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpProxy]:
    """Let the exports go to the database through a proxy."""
    with TcpProxy(database.address()) as running:
        monkeypatch.setenv("AIRFLOW_CONN_CALLS", json.dumps(database.through(running.port)))
        yield running


def some_uuid(promise: Promise) -> bytes:
    """Return a uuid whose row changes, after others that change and before others."""
    old, new = promise.old.truth(START, END), promise.new.truth(START, END)
    changed = sorted(uuid for uuid in new if old.get(uuid, new[uuid]) != new[uuid])
    assert len(changed) > 20
    return changed[len(changed) // 2].encode()


@pytest.mark.parametrize(
    "moment", ["the first statement", "the lock", "the records", "the deletion", "the commit"]
)
@pytest.mark.parametrize("destination", ["postgres", "mariadb"], indirect=True)
def test_a_connection_that_is_lost(
    moment: str, promise: Promise, database: Sql, proxy: TcpProxy
) -> None:
    proxy.break_at = {
        "the first statement": database.first,
        "the lock": b"pg_advisory_xact_lock" if database.name == "postgres" else b"GET_LOCK",
        "the records": some_uuid(promise),
        "the deletion": b"DELETE FROM",
        "the commit": database.commit,
    }[moment]
    says = (
        "read or loaded" if moment == "the first statement" else "all of this load or nothing of it"
    )
    promise.assert_fails(VoisoDestinationError, f"Error.*{says}")
    assert proxy.broken == 1
    proxy.break_at = None
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["postgres", "mariadb"], indirect=True)
def test_lost_commit_answer_fails(promise: Promise, database: Sql, proxy: TcpProxy) -> None:
    """The new state is there, which the error must not deny."""
    proxy.break_at, proxy.when = database.commit, "after"
    with pytest.raises(VoisoDestinationError, match="all of this load or nothing of it") as caught:
        promise.destination.export()
    assert proxy.broken == 1
    promise.assert_untold(caught.value)
    promise.assert_new()
    proxy.break_at = None
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["postgres", "mariadb"], indirect=True)
def test_absent_server_fails(
    promise: Promise, database: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AIRFLOW_CONN_CALLS", json.dumps(database.through(port)))
    promise.assert_fails(VoisoDestinationError, "cannot be reached.*Nothing of.*host, port, login")
    database.connect(monkeypatch)
    promise.assert_succeeds()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("PERFORM pg_terminate_backend(pg_backend_pid())", "57P01|OperationalError"),
        ("RAISE EXCEPTION 'no space for %', NEW USING ERRCODE = '53100'", "DiskFull.*53100"),
        ("RAISE EXCEPTION 'deadlock at %', NEW USING ERRCODE = '40P01'", "DeadlockDetected.*40P01"),
        (
            "RAISE EXCEPTION 'cannot take %', NEW USING DETAIL = NEW.from_party, HINT = NEW.uuid",
            "P0001",
        ),
        ("NEW.from_party := repeat('9', 2000000000)", r"\((54000|53200|XX000)\)"),
        ("PERFORM pg_sleep(0.05)", "QueryCanceled.*57014"),
    ],
    ids=["terminated", "disk full", "deadlock", "raise", "memory", "statement timeout"],
)
@pytest.mark.parametrize("destination", ["postgres"], indirect=True)
def test_postgres_statement_fails(
    statement: str, says: str, promise: Promise, until_the_end: Run
) -> None:
    """Halfway through the rows, with an error that quotes one."""
    middle = some_uuid(promise).decode()
    until_the_end(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.uuid = "
        f"'{middle}' OR {says.startswith('Query')} THEN {statement}; END IF; RETURN NEW; END$$",
        "DROP FUNCTION IF EXISTS fail CASCADE",
    )
    until_the_end(
        "CREATE TRIGGER failing BEFORE UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION fail()",
        "SELECT 1",
    )
    until_the_end(
        "ALTER DATABASE postgres SET statement_timeout = '1s'",
        "ALTER DATABASE postgres RESET statement_timeout",
    )
    promise.assert_fails(VoisoDestinationError, says)
    promise.destination.execute("DROP FUNCTION fail CASCADE")  # type: ignore[attr-defined]
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["postgres"], indirect=True)
def test_a_lock_that_others_keep(promise: Promise, database: Sql, until_the_end: Run) -> None:
    until_the_end(
        "ALTER DATABASE postgres SET lock_timeout = '100ms'",
        "ALTER DATABASE postgres RESET lock_timeout",
    )
    with closing(database.hook.get_conn()) as other:
        other.cursor().execute("LOCK TABLE calls IN ROW EXCLUSIVE MODE")
        promise.assert_fails(VoisoDestinationError, "LockNotAvailable.*55P03")
        other.rollback()
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["postgres"], indirect=True)
def test_deadlock_with_another_session(promise: Promise, database: Sql, until_the_end: Run) -> None:
    """Another session holds the table and waits for a lock of the load."""
    # PostgreSQL looks for a circle once, so long after the wait began: by then the other session
    # must wait too.
    until_the_end(
        "ALTER DATABASE postgres SET deadlock_timeout = '3s'",
        "ALTER DATABASE postgres RESET deadlock_timeout",
    )
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'calls'::regclass"
    with closing(database.hook.get_conn()) as other:
        cursor = other.cursor()
        cursor.execute("SET deadlock_timeout = '60s'")
        cursor.execute("LOCK TABLE calls IN ROW EXCLUSIVE MODE")

        def meet() -> None:
            try:
                wait_for(
                    "the load to wait",
                    lambda: database.execute(waits)[0][0],
                    timeout=60,
                    interval=0.02,
                )
                held = "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND granted"
                ((high, low),) = database.execute(held)
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", ((int(high) << 32) + int(low),))
            finally:
                other.rollback()

        meeting = threading.Thread(target=meet)
        meeting.start()
        promise.assert_fails(VoisoDestinationError, "DeadlockDetected.*40P01")
        meeting.join()
    promise.assert_succeeds()


def appearing(promise: Promise) -> dict[str, Any]:
    """Return a record of the new state alone."""
    old = promise.old.truth(START, END)
    records = [
        json.loads(record)
        for uuid, record in promise.new.truth(START, END).items()
        if uuid not in old
    ]
    return next(record for record in records if record["from"] and record["to"])


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("destination", ["postgres", "sqlite"], indirect=True)
def test_uuid_of_another_day_moves(
    mode: str, promise: Promise, database: Sql, until_the_end: Run
) -> None:
    if mode == "upsert":
        until_the_end("DELETE FROM calls WHERE uuid <> 'neighbour'", "SELECT 1")
    uuid = appearing(promise)["uuid"]
    database.execute(
        f"INSERT INTO calls (uuid, ended_at) VALUES ('{uuid}', '2024-12-24T00:00:00.000000+00:00')"
    )
    promise.assert_succeeds(mode=mode)


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("destination", ["postgres", "sqlite"], indirect=True)
def test_conflicting_row_of_another_day(
    mode: str, promise: Promise, database: Sql, until_the_end: Run
) -> None:
    record = appearing(promise)
    before = database.content()
    until_the_end("SELECT 1", "DELETE FROM calls WHERE uuid = 'foreign'")
    database.execute(
        "INSERT INTO calls (uuid, ended_at) VALUES ('foreign', '2024-12-24T00:00:00.000000+00:00')"
    )
    database.execute(
        f"UPDATE calls SET from_party = {database.mark} WHERE uuid = 'foreign'", record["from"]
    )
    until_the_end(
        "CREATE UNIQUE INDEX one_call ON calls (from_party) WHERE uuid = 'foreign' OR uuid = "
        f"'{record['uuid']}'",
        "DROP INDEX IF EXISTS one_call",
    )
    with pytest.raises(VoisoDestinationError, match=r"UniqueViolation|IntegrityError") as caught:
        database.export(mode=mode)
    assert WINDOW in str(caught.value)
    promise.assert_untold(caught.value)
    database.execute("DROP INDEX one_call")
    database.execute("DELETE FROM calls WHERE uuid = 'foreign'")
    assert database.content() == before
    promise.assert_succeeds()


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1021, "1021"),
        (1213, "1213"),
        (1205, "1205"),
        (1062, "1062"),
        (1969, "1969"),
        (1644, "1644"),
    ],
    ids=["disk full", "deadlock", "lock timeout", "duplicate", "statement timeout", "signal"],
)
@pytest.mark.parametrize("destination", ["mariadb"], indirect=True)
def test_mariadb_statement_fails(
    number: int, says: str, promise: Promise, until_the_end: Run
) -> None:
    """Halfway through the rows, with an error that quotes one."""
    until_the_end(
        "CREATE TRIGGER failing BEFORE UPDATE ON calls FOR EACH ROW IF NEW.uuid = "
        f"'{some_uuid(promise).decode()}' THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}, "
        "MESSAGE_TEXT = NEW.uuid; END IF",
        "DROP TRIGGER IF EXISTS failing",
    )
    promise.assert_fails(VoisoDestinationError, says)
    promise.destination.execute("DROP TRIGGER failing")  # type: ignore[attr-defined]
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["mariadb"], indirect=True)
def test_locked_row_fails(promise: Promise, database: Sql, until_the_end: Run) -> None:
    until_the_end(
        "SET GLOBAL innodb_lock_wait_timeout = 1", "SET GLOBAL innodb_lock_wait_timeout = 50"
    )
    with closing(database.hook.get_conn()) as other:
        other.cursor().execute("UPDATE calls SET sid = 'locked' WHERE uuid <> 'neighbour'")
        promise.assert_fails(VoisoDestinationError, "1205")
        other.rollback()
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["mariadb"], indirect=True)
def test_stopped_task_rolls_back(promise: Promise, database: Sql, until_the_end: Run) -> None:
    """It asks the server for nothing more, which would not answer or be misunderstood."""

    def sleeping() -> list[tuple[Any, ...]]:
        return database.execute(
            "SELECT id FROM information_schema.processlist WHERE state = 'User sleep'"
        )

    def stop() -> None:
        wait_for("the load to be in the server", lambda: bool(sleeping()), timeout=60)
        os.kill(os.getpid(), signal.SIGTERM)

    def stopped(*_: object) -> None:
        raise SystemExit

    until_the_end(
        "CREATE TRIGGER failing BEFORE UPDATE ON calls FOR EACH ROW DO SLEEP(30)",
        "DROP TRIGGER IF EXISTS failing",
    )
    before = signal.signal(signal.SIGTERM, stopped)
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(SystemExit):
            promise.destination.export()
    finally:
        stopper.join()
        signal.signal(signal.SIGTERM, before)
    for (session,) in sleeping():
        database.execute(f"KILL {session}")
        break
    else:
        pytest.fail("It waited for the server.")
    promise.destination.execute("DROP TRIGGER failing")  # type: ignore[attr-defined]
    promise.assert_old()
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["sqlite"], indirect=True)
def test_full_file_fails(promise: Promise, database: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: SQLite itself refuses the next page."""
    hook_class = type(database.hook)
    get_conn = hook_class.get_conn
    database.execute("VACUUM")
    needed = database.execute("PRAGMA page_count")[0][0]

    def get_full_conn(hook: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = get_conn(hook)
        connection.execute(f"PRAGMA max_page_count = {needed}")
        return connection

    monkeypatch.setattr(hook_class, "get_conn", get_full_conn)
    full = "SQLITE_FULL" if sys.version_info >= (3, 11) else "OperationalError"
    with pytest.raises(VoisoDestinationError, match=full) as caught:
        database.export(table="calls_3")
    assert WINDOW in str(caught.value)
    monkeypatch.setattr(hook_class, "get_conn", get_conn)
    promise.assert_untold(caught.value)
    promise.assert_old()
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["sqlite"], indirect=True)
def test_locked_file_fails(
    promise: Promise, database: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_voiso.destinations.sql.sqlite.LOCK_PATIENCE_SECONDS", 0)
    with closing(database.hook.get_conn()) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        promise.assert_fails(VoisoDestinationError, "OperationalError")
        other.execute("ROLLBACK")
    promise.assert_succeeds()


@pytest.mark.parametrize("destination", ["sqlite"], indirect=True)
def test_sqlite_statement_fails(promise: Promise, until_the_end: Run) -> None:
    middle = some_uuid(promise).decode()
    until_the_end(
        f"CREATE TRIGGER failing BEFORE UPDATE ON calls WHEN NEW.uuid = '{middle}' BEGIN SELECT "
        "RAISE(ABORT, 'no'); END",
        "DROP TRIGGER IF EXISTS failing",
    )
    promise.assert_fails(VoisoDestinationError, "IntegrityError")
    promise.destination.execute("DROP TRIGGER failing")  # type: ignore[attr-defined]
    promise.assert_succeeds()
