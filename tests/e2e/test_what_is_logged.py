"""Nothing that Airflow keeps, at DEBUG and after failures of every kind, holds a key or what a
record says."""

from __future__ import annotations

import gzip
import json
import re
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg2
import pytest

from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.report.progress import STATE_KEY
from tests.e2e.world import COLUMNS, DAY, KEY, WRONG_KEY, needs_state, on_airflow_3, seed_table
from tests.secret_search import AWKWARD_KEYS, Secret
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3

NUMBER = re.compile(r"(?<![\w.])\d{9,13}(?!\w|\.\d)")
UUID = re.compile(r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])")


def metadata(world: World) -> dict[str, str]:
    """Return the text of every table in which Airflow has kept something."""
    names = (
        "SELECT quote_ident(table_name) FROM information_schema.tables "
        "WHERE table_schema = 'public'"
    )
    with (
        closing(psycopg2.connect(world.airflow.postgres.uri)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(names)
        tables = {}
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT string_agg(t::text, E'\\n') FROM {name} t")
            [(tables[name],)] = cursor.fetchall()
    return {name: text for name, text in tables.items() if text}


@pytest.fixture(scope="module")
def failed_run(world: World) -> str:
    """Let an export fail for a wrong key, for malformed records, and in a database that quotes
    them."""
    seed_table(world.postgres, "failing", PostgresDialect().definitions())
    world.postgres(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'refused % from % to %', NEW.uuid, NEW.from_party, NEW.to_party; END $$"
    )
    world.postgres(
        "CREATE TRIGGER refuse BEFORE INSERT ON failing FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    run_id = world.airflow.api.trigger("failing")
    assert world.airflow.api.wait_for_run("failing", run_id) == "failed"
    return run_id


@pytest.fixture(scope="module")
def run_of_every_fault(world: World) -> str:
    """Meet every fault with keys that are hard to hide, with all that can be logged being
    logged."""
    run_id = world.airflow.api.trigger("secrets")
    world.succeed("secrets", run_id)
    return run_id


@pytest.fixture(scope="module")
def kept(world: World, failed_run: str, run_of_every_fault: str) -> dict[str, str]:  # noqa: ARG001 - they must be over
    """Return the text of everything that Airflow has written so far."""
    world.succeed("exports", world.scheduled_run("exports")["dag_run_id"])
    files = [path for path in world.airflow.home.rglob("*") if path.is_file()]
    texts = {
        str(path.relative_to(world.airflow.home)): path.read_text(errors="replace")
        for path in files
    }
    return {**texts, **metadata(world)}


@pytest.fixture(scope="module")
def exported(world: World, run_of_every_fault: str) -> dict[str, str]:  # noqa: ARG001 - it must be over
    """Return the text of all objects, of what describes them, and of all tables of the
    destinations."""
    client, bucket = world.s3.client(), world.s3.bucket
    texts = {}
    for key, body in world.objects("").items():
        text = (gzip.decompress(body) if key.endswith(".gz") else body).decode(errors="replace")
        texts[key] = text + repr(client.head_object(Bucket=bucket, Key=key))
    tables = world.postgres(
        "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = "
        "'public'"
    )
    for (name,) in tables:
        texts[name] = repr(world.postgres(f"SELECT * FROM {name}"))
    texts["statements"] = repr(world.postgres("SELECT query FROM pg_stat_activity"))
    texts["sqlite"] = world.sqlite_file.read_text(errors="replace")
    return texts


def test_failures_are_told_in_words(world: World, failed_run: str) -> None:
    for task_id, error in {
        "wrong_key": "VoisoAuthenticationError: ",
        "malformed": "VoisoResponseError: ",
        "refused": "VoisoDestinationError: ",
    }.items():
        log = world.airflow.api.task_log("failing", failed_run, task_id)
        assert error in log
        assert "XCom not found" not in log


def test_everything_is_searched(kept: dict[str, str]) -> None:
    task_logs = [text for name, text in kept.items() if name.startswith("logs/dag_id=exports/")]
    assert len(task_logs) >= 3
    # With the query string cut off, urllib3's own message tells that DEBUG was on.
    assert all("GET /api/v2/cdr?…" in text for text in task_logs)
    assert "stack-logs/scheduler.log" in kept
    # From Airflow 3.4 on the tables are rtif_v2 and xcom_v2.
    rendered = [text for name, text in kept.items() if name.startswith(("rendered_task", "rtif_"))]
    assert any("voiso-cdr" in text for text in rendered)
    xcoms = [text for name, text in kept.items() if name.startswith("xcom")]
    assert any("window_start" in text for text in xcoms)


def test_every_key_met_every_fault(
    world: World, run_of_every_fault: str, kept: dict[str, str]
) -> None:
    log = world.airflow.api.task_log("secrets", run_of_every_fault, "every_fault")
    for number in range(len(AWKWARD_KEYS)):
        assert f"secrets/voiso_key_{number}" in log
    for error in (
        "Authentication",
        "Permission",
        "RateLimit",
        "Server",
        "Transport",
        "Response",
        "BadRequest",
    ):
        assert log.count(f"Voiso{error}Error: ") >= len(AWKWARD_KEYS), error
    assert "botocore" in log
    # http.client prints what others send.
    assert "send: b'PUT /voiso-cdr/secrets/" in log
    assert "/api/v2/cdr?…" in log
    assert '"eventType":' in kept["lineage.jsonl"]
    assert "secrets.every_fault" in kept["lineage.jsonl"]


def test_export_log_is_for_people(world: World, undated_run: str) -> None:
    log = world.airflow.api.task_log("exports", undated_run, "to_s3")

    assert "Exporting the window 2" in log
    assert " UTC from 127.0.0.1 to s3://" in log
    assert re.search(r"Exported [\d,]+ records? \([\d.]+ \w+\) to s3://\S+ in [\d.]+ s with ", log)
    assert "Manifest(" not in log
    assert "The progress is not shown any more" not in log
    assert "credentials retrieved" not in log


@needs_state
def test_progress_is_shown_while_exporting(world: World) -> None:
    run_id = world.airflow.api.trigger("slow")
    path = f"/dags/slow/dagRuns/{quote(run_id)}/taskInstances/to_s3/state-store"

    def state() -> dict[str, Any]:
        entries = world.airflow.api.get(path)["task_state_store"]
        return {entry["key"]: entry["value"] for entry in entries}

    wait_for("the progress to be shown", state, timeout=300, interval=0.5)
    shown = state()
    world.succeed("slow", run_id)
    log = world.airflow.api.task_log("slow", run_id, "to_s3")

    assert shown[STATE_KEY]["requests"] > 0
    assert shown[STATE_KEY]["percent_of_window"] < 100
    assert state() == {}
    assert re.search(r"records? read so far with \d+ requests?, .* of the window is read", log)


def test_mapped_tasks_show_their_windows(world: World) -> None:
    run_id = world.airflow.api.trigger("overwriting")
    assert world.airflow.api.wait_for_run("overwriting", run_id) == "failed"

    tasks = world.airflow.api.task_instances("overwriting", run_id)

    assert {task["rendered_map_index"] for task in tasks} == {
        "2026-03-10 00:00 to 2026-03-10 12:00 UTC",
        "2026-03-10 12:00 to 2026-03-11 00:00 UTC",
    }


def test_link_leads_to_the_object(world: World, undated_run: str) -> None:
    uri = world.airflow.api.xcom("exports", undated_run, "to_s3")["uri"]

    links = world.airflow.api.get(
        f"/dags/exports/dagRuns/{quote(undated_run)}/taskInstances/to_s3/links"
    )

    host, port = world.s3.address
    place = quote(uri.removeprefix("s3://"))
    assert links["extra_links"]["Exported object"] == f"http://{host}:{port}/{place}"


def test_lineage_names_source_and_outputs(
    world: World,
    undated_run: str,  # noqa: ARG001 - it must be over
) -> None:
    def complete() -> dict[str, dict[str, Any]]:
        lines = (world.airflow.home / "lineage.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        return {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}

    names = {"exports.to_s3", "exports.to_postgres"}
    wait_for("the lineage of both exports", lambda: names <= complete().keys(), timeout=300)
    to_s3, to_postgres = (complete()[f"exports.to_{kind}"] for kind in ("s3", "postgres"))

    [source], [output], [table] = to_s3["inputs"], to_s3["outputs"], to_postgres["outputs"]
    assert (source["namespace"], source["name"]) == ("voiso://127.0.0.1", "cdr")
    assert output["namespace"] == f"s3://{world.s3.bucket}"
    assert output["outputFacets"]["outputStatistics"]["rowCount"] > 0
    assert table["namespace"].startswith("postgres://")
    assert len(table["facets"]["schema"]["fields"]) == len(COLUMNS)


@pytest.mark.parametrize("key", [KEY, WRONG_KEY, *AWKWARD_KEYS])
def test_no_key_is_kept(key: str, kept: dict[str, str], exported: dict[str, str]) -> None:
    spellings = Secret(key).spellings()
    texts = {**kept, **exported}
    found = {
        (name, spelling)
        for name, text in texts.items()
        for spelling in spellings
        if spelling in text
    }
    assert found == set()


def test_no_content_is_kept(world: World, kept: dict[str, str]) -> None:
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    truth = {
        **world.voiso.truth(DAY[0] - timedelta(days=9), DAY[1]),
        **world.voiso.truth(today - timedelta(days=4), today + timedelta(days=1)),
        **world.late.truth(*DAY),
    }
    numbers = {number for record in truth.values() for number in NUMBER.findall(record.decode())}
    assert len(numbers) > 10_000
    for name, text in kept.items():
        assert not numbers.intersection(NUMBER.findall(text)), name
        assert not truth.keys() & set(UUID.findall(text)), name
