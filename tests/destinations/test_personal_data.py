"""What a record says stays unsaid: in errors, in all that hangs on them, in logs and in output."""

from __future__ import annotations

import json
import logging
import re
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from airflow_provider_voiso.destinations.sql.duckdb import DuckdbDialect
from airflow_provider_voiso.destinations.sql.mysql import MysqlDialect
from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.destinations.sql.sqlite import SqliteDialect
from airflow_provider_voiso.exceptions import VoisoDestinationError, VoisoError
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from tests.destinations.conftest import MYSQL_KINDS
from tests.secret_search import text_of
from tests.servers.raw_http import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.destinations.conftest import Destination, MakeRecord

PERSON: dict[str, Any] = {
    "agent": "Marker Agent",
    "queue": "marker-queue",
    "from": "15557571011",
    "to": "+4915557571012",
    "disposition": "marker-disposition",
    "wrapup_code": "90817263",
    "sid": "marker-sid",
    "text": "marker text, meet me at noon",
    "related_call": "marker-related",
    "template": "marker-template",
    "destination_name": "Marker Land",
    "new": {"marker-name": ["marker-value", 918273645]},
}
UUID = "5eed0000-feed-4bad-8bad-f00dcafe0001"
SAID = re.compile(r"marker|1555757101[12]|90817263|918273645|5eed0000|meet me", re.IGNORECASE)


@pytest.fixture(autouse=True)
def nothing_is_said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    for name in (
        None,
        "airflow",
        "psycopg",
        "urllib3",
        "botocore",
        "boto3",
        "s3transfer",
        "airflow_provider_voiso",
    ):
        caplog.set_level(logging.DEBUG, name)
    yield
    formatter = logging.Formatter("%(message)s %(args)s")
    said = [
        formatter.format(record) + repr(record.__dict__) for record in caplog.get_records("call")
    ]
    for text in (*said, *capfd.readouterr()):
        assert not SAID.search(text)


def assert_unsaid(error: BaseException) -> None:
    assert not SAID.search(text_of(error))


@contextmanager
def silent_errors() -> Iterator[None]:
    try:
        yield
    except VoisoError as error:
        assert_unsaid(error)


@pytest.fixture(params=["psycopg3", "psycopg2"])
def postgres_driver(
    request: pytest.FixtureRequest, postgres: Destination, monkeypatch: pytest.MonkeyPatch
) -> Destination:
    """Return PostgreSQL by way of each driver that a hook may use."""
    if request.param == "psycopg2":
        where = postgres.connection
        address = {"host": where["host"], "user": where["login"], "dbname": where["schema"]}
        monkeypatch.setattr(postgres.hook, "get_conn", lambda: psycopg2.connect(**address))
    else:
        with closing(postgres.hook.get_conn()) as connection:
            if not hasattr(connection, "row_factory"):
                pytest.skip("the hook of this Airflow uses psycopg2")
    return postgres


EVERYTHING = "new.uuid || new.agent || new.from_party || new.to_party || new.text || new.extra"
TRIGGER = (
    "CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN new; END $$",
    "CREATE TRIGGER speaking BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION speak()",
)
POSTGRES_SAYS = {
    "check": ["ALTER TABLE calls ADD CHECK (from_party <> '15557571011')"],
    "length": ["CREATE INDEX ON calls (repeat(agent, 1000000))"],
    "unique": [
        "CREATE UNIQUE INDEX once ON calls (from_party)",
        "INSERT INTO calls (uuid, from_party) VALUES ('x', '15557571011')",
    ],
    "not null": [
        "ALTER TABLE calls ADD note INTEGER DEFAULT 1 NOT NULL",
        TRIGGER[0].format("new.note := NULL;"),
        TRIGGER[1],
    ],
    "foreign key": [
        "CREATE TABLE IF NOT EXISTS agents (name text PRIMARY KEY)",
        "ALTER TABLE calls ADD FOREIGN KEY (agent) REFERENCES agents",
    ],
    "cast": [TRIGGER[0].format("PERFORM new.to_party::inet;"), TRIGGER[1]],
    "exception": [
        TRIGGER[0].format(
            f"RAISE EXCEPTION '%%', {EVERYTHING} USING DETAIL = {EVERYTHING}, HINT = new.text;"
        ),
        TRIGGER[1],
    ],
    "statement": [TRIGGER[0].format("EXECUTE 'SELECT ' || quote_ident(new.text);"), TRIGGER[1]],
    "json": ["CREATE INDEX ON calls ((extra::text::integer))"],
    "commit": [
        (
            "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
            "'%%', "
            "new; END $$"
        ),
        (
            "CREATE CONSTRAINT TRIGGER l AFTER INSERT ON calls INITIALLY DEFERRED FOR EACH ROW "
            "EXECUTE "
            "FUNCTION late()"
        ),
    ],
}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_postgres_quotes_records_in_vain(
    postgres_driver: Destination, record: MakeRecord, mode: str
) -> None:
    for statements in POSTGRES_SAYS.values():
        postgres_driver.execute(
            f"CREATE TABLE calls ({PostgresDialect().definitions()}, PRIMARY KEY (uuid))"
        )
        for statement in statements:
            postgres_driver.execute(statement)
        before = postgres_driver.execute("SELECT uuid FROM calls")
        with pytest.raises(VoisoDestinationError, match="in the database") as raised:
            postgres_driver.load([[record(UUID, **PERSON, nul="\0")]], mode=mode)
        assert_unsaid(raised.value)
        assert postgres_driver.execute("SELECT uuid FROM calls") == before
        postgres_driver.execute("DROP TABLE calls")
        postgres_driver.execute("DROP FUNCTION IF EXISTS speak, late")


def test_postgres_notices_are_not_repeated(
    postgres_driver: Destination, record: MakeRecord
) -> None:
    postgres_driver.load([])
    levels = "".join(
        f"RAISE {level} '%%', {EVERYTHING};"
        for level in ("DEBUG", "LOG", "INFO", "NOTICE", "WARNING")
    )
    for statement in (TRIGGER[0].format(levels), TRIGGER[1]):
        postgres_driver.execute(statement)
    assert postgres_driver.load([[record(UUID, **PERSON)]]) == 1


SQLITE_TABLE = f"CREATE TABLE calls ({SqliteDialect().definitions()}, PRIMARY KEY (uuid)"
SQLITE_TRIGGER = "CREATE TRIGGER speaking BEFORE INSERT ON calls BEGIN SELECT {}; END"
SQLITE_SAYS = {
    "check": [f"{SQLITE_TABLE}, CHECK (from_party <> '15557571011'))"],
    "unique": [
        f"{SQLITE_TABLE}, UNIQUE (from_party))",
        "INSERT INTO calls (uuid, from_party) VALUES ('x', '15557571011')",
    ],
    "exception": [f"{SQLITE_TABLE})", SQLITE_TRIGGER.format("RAISE(ABORT, 'no')")],
    "json path": [f"{SQLITE_TABLE})", SQLITE_TRIGGER.format("json_extract(new.extra, new.text)")],
}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("why", SQLITE_SAYS)
def test_sqlite_quotes_records_in_vain(
    sqlite: Destination, record: MakeRecord, why: str, mode: str
) -> None:
    for statement in SQLITE_SAYS[why]:
        sqlite.execute(statement)
    with pytest.raises(VoisoDestinationError) as raised:
        sqlite.load([[record(UUID, **PERSON)]], mode=mode)
    assert_unsaid(raised.value)
    assert UUID not in sqlite.uuids()


MYSQL_TABLE = f"CREATE TABLE calls ({MysqlDialect().definitions()}, PRIMARY KEY (uuid)"
MYSQL_TRIGGER = "CREATE TRIGGER speaking BEFORE INSERT ON calls FOR EACH ROW {}"
MYSQL_SAYS = {
    "check": [f"{MYSQL_TABLE}, CONSTRAINT few CHECK (from_party <> '15557571011'))"],
    "unique": [
        f"{MYSQL_TABLE}, UNIQUE (from_party(100)))",
        "INSERT INTO calls (uuid, from_party) VALUES ('x', '15557571011')",
    ],
    "length": [f"{MYSQL_TABLE})", "ALTER TABLE calls ADD short VARCHAR(3) AS (agent) PERSISTENT"],
    "not null": [f"{MYSQL_TABLE})", "ALTER TABLE calls ADD CHECK (cpc IS NOT NULL)"],
    "cast": [f"{MYSQL_TABLE})", MYSQL_TRIGGER.format("SET NEW.duration_seconds = NEW.text")],
    "exception": [
        f"{MYSQL_TABLE})",
        MYSQL_TRIGGER.format(
            "BEGIN DECLARE said TEXT DEFAULT CONCAT(NEW.uuid, NEW.agent, NEW.from_party); "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said; END"
        ),
    ],
}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("why", MYSQL_SAYS)
@pytest.mark.parametrize("mysql", MYSQL_KINDS, indirect=True)
def test_mysql_quotes_records_in_vain(
    mysql: Destination, record: MakeRecord, why: str, mode: str
) -> None:
    for statement in MYSQL_SAYS[why]:
        mysql.execute(statement)
    with pytest.raises(VoisoError) as raised:
        mysql.load([[record(UUID, **PERSON)]], mode=mode)
    assert_unsaid(raised.value)
    assert UUID not in mysql.uuids()


DUCKDB_TABLE = f"CREATE TABLE calls ({DuckdbDialect().definitions()}, PRIMARY KEY (uuid)"
DUCKDB_SAYS = {
    "check": [f"{DUCKDB_TABLE}, CHECK (from_party <> '15557571011'))"],
    "cast": [f"{DUCKDB_TABLE}, CHECK (CAST(text AS INTEGER) > 0))"],
    "unique": [
        f"{DUCKDB_TABLE}, UNIQUE (from_party))",
        "INSERT INTO calls (uuid, from_party) VALUES ('x', '15557571011')",
    ],
}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("why", DUCKDB_SAYS)
def test_duckdb_quotes_records_in_vain(
    duckdb: Destination, record: MakeRecord, why: str, mode: str
) -> None:
    for statement in DUCKDB_SAYS[why]:
        duckdb.execute(statement)
    with pytest.raises(VoisoDestinationError) as raised:
        duckdb.load([[record(UUID, **PERSON)]], mode=mode)
    assert_unsaid(raised.value)
    assert UUID not in duckdb.uuids()


def answers() -> dict[str, bytes]:
    good = json.dumps({"uuid": UUID, "timestamp": "2026-11-22T12:00:00Z", **PERSON}).encode()
    whole = b'{"records":[' + good + b'],"search_token":null}'
    return {
        "open": whole[:-1],
        "comma": whole[:-1] + b",}",
        "bytes": whole.replace(b"noon", b"noo\xff"),
        "control": whole.replace(b"noon", b"noo\0"),
        "escape": whole.replace(b"noon", b"noo\\x"),
        "no uuid": whole.replace(b'"uuid"', b'"id"'),
        "number for uuid": whole.replace(f'"{UUID}"'.encode(), b"918273645"),
        "no timestamp": whole.replace(b'"timestamp"', b'"marker"'),
        "odd timestamp": whole.replace(b"2026-11-22T12:00:00Z", b"marker"),
        "other time": whole.replace(b"2026-11-22", b"2020-11-22"),
        "no object": whole.replace(b'"records":[', b'"records":["marker",'),
        "no list": whole.replace(b"[" + good + b"]", good),
        "nested": whole.replace(b"918273645", b"[" * 5_000 + b"]" * 5_000),
        "error": json.dumps({"error": json.loads(good)}).encode(),
        "twice": whole + whole,
        "same again": whole.replace(b"null", b'"marker"'),
    }


@pytest.mark.parametrize("why", answers())
@pytest.mark.parametrize("status", ["200 OK", "422 Unprocessable", "500 Error"])
def test_no_answer_is_repeated(why: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime(2026, 11, 22, tzinfo=timezone.utc)
    with RawServer(lambda _: [http(answers()[why], status=status)]) as server:
        connection = {
            "conn_type": "voiso",
            "host": server.url,
            "password": "some-key",
            "extra": {"max_retries": 1},
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        monkeypatch.setattr("airflow_provider_voiso.api.transport.time.sleep", lambda _: None)
        hook = VoisoHook()
        with silent_errors():
            list(hook.iter_cdrs(start, start + timedelta(days=1)))
        with silent_errors():
            hook.count_cdrs(start, start + timedelta(days=1), at_least=1)
        with silent_errors():
            hook.list_reference("agents")
        assert not SAID.search(hook.test_connection()[1])
        hook.client.close()


def test_echoes_of_s3_are_not_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (
        "botocore",
        "s3transfer",
    ):  # which log whole answers, and errors as the server words them
        caplog.set_level(logging.INFO, name)
    start = datetime(2026, 11, 22, tzinfo=timezone.utc)
    message = f"<Message>{PERSON}{UUID}</Message><Resource>{UUID}</Resource>"
    said = f"<Error><Code>Refused</Code>{message}</Error>".encode()
    whole = json.dumps({"records": [], "search_token": None}).encode()
    with (
        RawServer(lambda _: [http(whole)]) as voiso,
        RawServer(lambda _: [http(said, status="403 Forbidden"), None]) as s3,
    ):
        monkeypatch.setenv(
            "AIRFLOW_CONN_VOISO_DEFAULT",
            json.dumps({"conn_type": "voiso", "host": voiso.url, "password": "some-key"}),
        )
        extra = {
            "endpoint_url": s3.url,
            "region_name": "us-east-1",
            "config_kwargs": {"retries": {"total_max_attempts": 1}},
        }
        aws = {"conn_type": "aws", "login": "devkey", "password": "devsecret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
        operator = VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr", s3_key="calls")
        with pytest.raises(VoisoDestinationError, match="s3://voiso-cdr/calls") as raised:
            operator.execute(
                {"data_interval_start": start, "data_interval_end": start + timedelta(days=1)}
            )
    assert_unsaid(raised.value)
