"""The benchmark's server follows the vendor's page, and its records look like the samples."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_voiso.hooks.voiso import VoisoHook
from benchmarks.data import END, START, Day
from benchmarks.server import BenchServer

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = 25_000


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return Day(tmp_path_factory.mktemp("records"), RECORDS)


@pytest.fixture(scope="module")
def url(day: Day) -> Iterator[str]:
    with BenchServer(0, day, latency=0) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def records(day: Day) -> list[dict[str, Any]]:
    return list(json.loads(b"[" + bytes(day.body(0, RECORDS)) + b"]"))


def get(url: str, **params: Any) -> dict[str, Any]:
    return dict(
        requests.get(f"{url}/api/v2/cdr", params={"key": "some-key", **params}, timeout=120).json()
    )


def ended(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["timestamp"])


def test_a_day_of_records(day: Day, records: list[dict[str, Any]]) -> None:
    assert len(records) == len(day) == RECORDS
    assert {record["uuid"] for record in records} == day.uuids()
    assert all(START <= ended(record) < END for record in records)
    assert [ended(record) for record in records] == sorted(map(ended, records), reverse=True)
    assert 300 < day.path.stat().st_size / RECORDS < 330
    assert {"inbound", "outbound", "outbound SMS", "chat"} < {record["type"] for record in records}


@pytest.mark.parametrize(("start", "hours"), [(0, 24), (7.5, 1 / 3600), (3, 11)])
@pytest.mark.parametrize("per_page", [1_000, 10_000])
def test_the_package_reads_its_windows(
    per_page: int,
    start: float,
    hours: float,
    url: str,
    records: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = {
        "conn_type": "voiso",
        "host": url,
        "password": "some-key",
        "extra": {"per_page": per_page},
    }
    monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
    first, after = START + timedelta(hours=start), START + timedelta(hours=start + hours)
    found = list(VoisoHook().iter_cdrs(first, after))
    expected = [record for record in records if first <= ended(record) < after]
    assert sorted(found, key=lambda record: record["uuid"]) == sorted(
        expected, key=lambda record: record["uuid"]
    )


def test_bounds_are_inclusive_seconds(url: str, records: list[dict[str, Any]]) -> None:
    second = ended(records[RECORDS // 2]).astimezone(START.tzinfo).replace(microsecond=0)
    text = second.strftime("%Y-%m-%dT%H:%M:%S")
    answer = get(url, start_datetime=text, end_datetime=text)
    assert answer["records"] == [
        record for record in records if ended(record).replace(microsecond=0) == second
    ]
    assert answer["total"] == len(answer["records"]) > 0
    assert answer["search_token"] is None


def test_pages_and_tokens_reach_end(url: str, records: list[dict[str, Any]]) -> None:
    assert get(url, page=3, per_page=500)["records"] == records[1000:1500]
    found, token = [], None
    while answer := get(url, per_page=5_000, **({"search_token": token} if token else {})):
        found += answer["records"]
        token = answer["search_token"]
        if token is None:
            break
    assert found == records
    assert answer == {"records": [], "total": RECORDS, "page": 1, "search_token": None}


def test_undocumented_requests_are_refused(url: str) -> None:
    assert get(url, key="")["error"] == "Invalid User API Key"
    assert "error" in get(url, page=2, per_page=10_000)
