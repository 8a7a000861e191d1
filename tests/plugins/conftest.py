"""One Airflow with events of every kind, and a second api-server of it with other users."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_voiso.simulator import Simulator
from tests.plugins.feed import DAY, TODAY, Feed, manifest
from tests.plugins.marks import HAS_PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from playwright.sync_api import Browser, ConsoleMessage, Page

    from tests.servers.airflow import AirflowApiServer

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).with_name("dags")
USERS = ("admin", "viewer", "no_assets", "no_dags")
HOUR = timedelta(hours=1)
THOUSANDS = 3000
BERLIN = ZoneInfo("Europe/Berlin")
MARKUP = "</dd><script>document.title=1</script><img src=x onerror='document.title=1'>"


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator(seed=3, records_per_day=300) as running:
        yield running


@pytest.fixture(scope="session")
def airflow(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowApiServer]:
    """Return an Airflow in which everybody is admin, with events and runs of every kind."""
    from tests.servers.airflow import AirflowApiServer  # noqa: PLC0415 - not on Airflow 2
    from tests.servers.process import PartError  # noqa: PLC0415

    home = tmp_path_factory.mktemp("coverage")
    voiso = {"conn_type": "voiso", "host": simulator.url, "password": simulator.key}
    warehouse = {"conn_type": "sqlite", "host": str(home / "warehouse.db")}
    env = {
        "AIRFLOW_CONN_VOISO_DEFAULT": json.dumps(voiso),
        "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    with AirflowApiServer(home / "airflow", DAGS, env) as server:
        server.airflow("dags", "reserialize")
        # One export is real; its window is the day before.
        server.airflow("dags", "test", "daily", (TODAY - 20 * DAY).date().isoformat(), timeout=600)
        # The DAG has three mapped tasks; the second one fails.
        with pytest.raises(PartError):
            server.airflow("dags", "test", "parts", timeout=600)
        feed = Feed(server)
        feed_days(feed)
        feed_parts(feed)
        feed_odd_ones(feed)
        feed_by_hand(feed)
        if HAS_PARTITIONS:
            feed_partitions(feed)
        yield server


def feed_days(feed: Feed) -> None:
    """Feed days of every state, which are counted back from today as their runs are."""
    runs = feed.runs("daily", TODAY - 12 * DAY, TODAY - 2 * DAY)
    events = []
    for ago in range(12, 1, -1):
        tick = TODAY - ago * DAY
        run, at = runs[tick], tick + HOUR
        if ago == 3:  # it stays queued
            continue
        feed.end_run("daily", run, "failed" if ago == 5 else "success")
        if ago in (5, 8):
            continue
        records = 0 if ago == 7 else 100 * ago
        events.append((manifest(tick - DAY, tick, records, changed=True), at, run))
        if ago == 10:
            more = manifest(tick - DAY, tick, records + 3, changed=True, records_before=records)
            events.append((more, at + 2 * DAY, run))
        if ago == 9:
            same = manifest(tick - DAY, tick, records, changed=False, records_before=records)
            events.append((same, at + 2 * DAY, run))
    feed.events("x-cdr://daily", events)


def feed_parts(feed: Feed) -> None:
    """Feed hours with holes, days of a zone whose clocks change, and thousands of windows."""
    start = TODAY - 4 * DAY
    hours = [start + number * HOUR for number in range(96) if number not in (30, 31, 50)]
    feed.events(
        "x-cdr://hourly",
        [
            (manifest(hour, hour + HOUR, number), hour + HOUR, f"manual__{number}")
            for number, hour in enumerate(hours)
        ],
    )
    feed.events("x-cdr://berlin", list(berlin_days()))
    first = TODAY - THOUSANDS * 2 * HOUR
    feed.events(
        "x-cdr://thousands",
        [
            (manifest(at, at + 2 * HOUR, number % 500), at + 2 * HOUR, f"manual__{number}")
            for number in range(THOUSANDS)
            for at in [first + number * 2 * HOUR]
        ],
    )


def berlin_days() -> Iterator[tuple[dict[str, Any], datetime, str]]:
    import pendulum  # noqa: PLC0415

    day = pendulum.datetime(2026, 3, 27, tz="Europe/Berlin")
    while day.day != 1:
        yield manifest(day, day.add(days=1)), day.add(days=1, hours=1), f"manual__{day.day}"
        day = day.add(days=1)


def feed_odd_ones(feed: Feed) -> None:
    """Feed manifests that nobody's export has written, and events of others."""
    good = manifest(TODAY - 4 * DAY, TODAY - 3 * DAY, clock="<b>clock</b>")
    odd: list[Any] = [
        None,
        [],
        "text",
        {"window_start": 3},
        {**good["voiso"], "records": "many"},
        {**good["voiso"], "records": -1},
        {**good["voiso"], "window_start": "yesterday"},
        {**good["voiso"], "window_start": "0001-01-01T00:00:00+00:00"},
        {**good["voiso"], "window_end": "9999-01-01T00:00:00+00:00"},
        {**good["voiso"], "window_end": good["voiso"]["window_start"]},
    ]
    nobody = None
    events = [({"voiso": value}, TODAY - DAY, nobody) for value in odd]
    events += [({}, TODAY - DAY, nobody), (good, TODAY - DAY, nobody)]
    feed.events("x-cdr://hostile", events)
    feed.events("x-cdr://foreign", [({"rows": 3}, TODAY - DAY, "manual__1")])


def feed_by_hand(feed: Feed) -> None:
    """Feed events by Airflow's API, as anybody with the right to create some can do."""
    foreign: list[dict[str, Any]] = [
        {},
        {"rows": 3, "window_start": "2026-03-01T00:00:00Z", "window_end": "2026-03-02T00:00:00Z"},
        {"voiso": MARKUP},
        {"voiso": {"__proto__": {"records": 1}, "window_start": {}, "window_end": []}},
    ]
    window = (TODAY - 6 * DAY, TODAY - 5 * DAY)
    script = "javascript:document.title=1"
    hostile = manifest(*window, 41, clock=MARKUP, probes=MARKUP, uri=script, table=script)
    for uri, extras in (
        ("x-cdr://foreign", foreign),
        ("x-cdr://posted", [*foreign, hostile]),
    ):
        for extra in extras:
            body = {"asset_id": feed.asset_id(uri), "extra": extra}
            feed.airflow.api.request("POST", "/assets/events", json=body)


def feed_partitions(feed: Feed) -> None:
    """Feed days of Berlin, each the partition of a run; one of them failed."""
    days = [(TODAY - ago * DAY).replace(tzinfo=BERLIN) for ago in range(9, 3, -1)]
    feed.airflow.api.backfill("partitioned", days[0].isoformat(), days[-2].isoformat())
    runs = {run["partition_key"]: run["dag_run_id"] for run in feed.airflow.api.runs("partitioned")}
    events = []
    for start, end in pairwise(days):
        run = runs[f"{start:%Y-%m-%d}"]
        is_failed = start == days[2]
        feed.end_run("partitioned", run, "failed" if is_failed else "success")
        if not is_failed:
            events.append((manifest(start, end), end + HOUR, run))
    feed.events("x-cdr://partitioned", events)


@pytest.fixture(scope="session")
def deep_airflow(
    airflow: AirflowApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowApiServer]:
    """Return the same Airflow below a path, with users who sign in."""
    from tests.servers.airflow import AirflowApiServer  # noqa: PLC0415 - not on Airflow 2

    home = tmp_path_factory.mktemp("users")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({user: user for user in USERS}))
    users = ",".join(f"{user}:{'viewer' if user == 'viewer' else 'admin'}" for user in USERS)
    server = AirflowApiServer(
        home / "airflow",
        DAGS,
        {
            **{name: value for name, value in airflow.env.items() if "SQL_ALCHEMY" in name},
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.plugins.auth_manager.AuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
            "PYTHONPATH": airflow.env["PYTHONPATH"],
        },
        base_path="/deep/airflow",
    )
    server.home.mkdir()
    # It has the metadata database of the other one, so that only the api-server is started.
    with server.servers["api-server"]:
        yield server


@pytest.fixture
def page(browser: Browser, airflow: AirflowApiServer) -> Iterator[Page]:
    """Return a page whose scripts never fail, at noon of today, where everybody is admin."""
    context = browser.new_context(base_url=airflow.url, timezone_id="Europe/Berlin", locale="en-US")
    # Airflow 3.1 signs everybody in as admin, too, but then leads to its first page.
    assert context.request.get("/auth/token/login").ok
    page = context.new_page()
    page.clock.set_fixed_time(TODAY + 12 * HOUR)
    failures: list[str] = []

    # Airflow's own pages do not always load without errors.
    def note(text: str, source: str) -> None:
        if "/voiso/" in source or "/voiso/" in page.url:
            failures.append(text)

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            note(message.text, message.location["url"])

    page.on("console", on_console)
    page.on("pageerror", lambda error: note(str(error), error.stack or ""))
    yield page
    context.close()
    assert failures == []
