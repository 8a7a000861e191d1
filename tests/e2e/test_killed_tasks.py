"""A task that is killed halfway leaves the old state, and its retry the new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.destinations.sql.sqlite import SqliteDialect
from tests.e2e.world import DAY, on_airflow_3, rows, seed_table
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.world import Row, World

pytestmark = on_airflow_3

BARRIER = 4711


def loaded(world: World, old: dict[str, Row]) -> dict[str, Row]:
    """Return what a table holds after a load: the row of the day before, and what Voiso has of
    the day."""
    return {"old-0": old["old-0"], **rows(world.voiso.truth(*DAY))}


def tables_like(world: World, name: str) -> set[str]:
    """Return the names of PostgreSQL's tables that have this in their name, temporary ones
    included."""
    found = world.postgres(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", f"%{name}%"
    )
    return {relname for (relname,) in found}


def put(world: World, key: str, body: bytes) -> None:
    world.s3.client().put_object(Bucket=world.s3.bucket, Key=key, Body=body)


@pytest.fixture
def barrier(world: World) -> Iterator[psycopg2.extensions.connection]:
    """Hold a lock on which the load of ``killed_in_postgres`` waits when half of its rows are
    inserted."""
    middle = sorted(world.voiso.truth(*DAY))[1_000]
    world.postgres(
        "CREATE FUNCTION wait_in_the_middle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.uuid = '{middle}' THEN PERFORM pg_advisory_xact_lock({BARRIER}); END IF; RETURN "
        "NEW; END $$"
    )
    with closing(psycopg2.connect(world.warehouse.uri)) as connection:
        connection.cursor().execute(f"SELECT pg_advisory_lock({BARRIER})")
        yield connection


def test_killed_while_reading(
    world: World,
) -> None:
    dag_id, tasks = "killed_while_reading", ("to_s3", "to_postgres")
    key = f"{dag_id}/2026-03-10.ndjson.gz"
    put(world, key, b"old")
    old = seed_table(world.postgres, dag_id, PostgresDialect().definitions())
    # The first piece of an answer to each task comes at once, the next one in ten minutes.
    before = len(world.halting.requests)
    for number in (3, 4):
        world.halting.faults.add("drip", request=before + number, delay=600)
    run_id = world.airflow.api.trigger(dag_id)
    wait_for("both tasks to be halfway", lambda: not world.halting.faults.waiting, timeout=300)
    for task_id in tasks:
        world.kill(dag_id, run_id, task_id)
    assert world.objects(dag_id) == {key: b"old"}
    assert world.table("postgres", dag_id) == old

    world.succeed(dag_id, run_id)
    assert {task["try_number"] for task in world.airflow.api.task_instances(dag_id, run_id)} == {2}
    assert world.lines(key) == list(world.voiso.truth(*DAY).values())
    assert world.table("postgres", dag_id) == loaded(world, old)
    assert set(world.objects(dag_id)) == {key}
    assert world.unfinished_uploads() == []
    assert tables_like(world, dag_id) == {dag_id}


def test_killed_while_uploading(
    world: World,
) -> None:
    key = "killed_in_s3/2026-03-10.ndjson"
    put(world, key, b"old")
    world.s3_behind.halt_after(200_000)
    run_id = world.airflow.api.trigger("killed_in_s3")
    wait_for("the upload to be halfway", world.s3_behind.halted.is_set, timeout=300)
    world.kill("killed_in_s3", run_id, "upload")
    world.s3_behind.go_on()
    assert world.objects("killed_in_s3") == {key: b"old"}

    world.succeed("killed_in_s3", run_id)
    assert world.task("killed_in_s3", run_id, "upload")["try_number"] == 2
    truth = world.voiso.truth(*DAY)
    assert world.objects("killed_in_s3") == {
        key: b"".join(record + b"\n" for record in truth.values())
    }
    assert world.unfinished_uploads() == []


def test_killed_between_inserts(world: World, barrier: psycopg2.extensions.connection) -> None:
    name = "killed_in_postgres"
    old = seed_table(world.postgres, name, PostgresDialect().definitions())
    world.postgres(
        f"CREATE TRIGGER halfway BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION "
        "wait_in_the_middle()"
    )
    waiting = (
        "SELECT pid FROM pg_locks "
        f"WHERE locktype = 'advisory' AND objid = {BARRIER} AND NOT granted"
    )
    run_id = world.airflow.api.trigger(name)
    [(backend,)] = wait_for("the load to be halfway", lambda: world.postgres(waiting), timeout=300)
    world.kill(name, run_id, "load")
    assert world.table("postgres", name) == old
    barrier.close()
    gone = "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    wait_for("the server to notice the death", lambda: world.postgres(gone, backend), timeout=120)

    world.succeed(name, run_id)
    assert world.task(name, run_id, "load")["try_number"] == 2
    assert world.table("postgres", name) == loaded(world, old)
    assert tables_like(world, name) == {name}


def test_killed_in_the_commit(
    world: World,
) -> None:
    name = "killed_in_sqlite"
    old = seed_table(world.sqlite, name, SqliteDialect().definitions())
    journal = Path(f"{world.sqlite_file}-journal")
    with closing(sqlite3.connect(world.sqlite_file, isolation_level=None)) as reader:
        # A commit waits for readers, and all that it is about to change is in the journal by then.
        reader.execute("BEGIN")
        reader.execute(f"SELECT count(*) FROM {name}")
        run_id = world.airflow.api.trigger(name)
        wait_for(
            "the commit to begin", lambda: journal.exists() and journal.stat().st_size, timeout=300
        )
        world.kill(name, run_id, "load")
        reader.execute("ROLLBACK")
        assert world.table("sqlite", name) == old

    world.succeed(name, run_id)
    assert world.task(name, run_id, "load")["try_number"] == 2
    assert world.table("sqlite", name) == loaded(world, old)
    assert not journal.exists()
    found = world.sqlite(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ?", f"%{name}%"
    )
    assert found == [(name,)]
