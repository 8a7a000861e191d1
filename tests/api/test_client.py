from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import (
    VoisoAuthenticationError,
    VoisoBadRequestError,
    VoisoConfigurationError,
    VoisoError,
    VoisoPermissionError,
    VoisoResponseError,
    VoisoServerError,
    VoisoTransportError,
)
from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.secret_search import Secret, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeClient = Callable[..., CdrClient]

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
DAY = Window(START, START + timedelta(days=1))
SECRET = Secret('k+/=&%"<ü>-secret-a387')


@pytest.fixture
def client_of() -> Iterator[MakeClient]:
    made: list[CdrClient] = []

    def make(sim: Simulator, *, batch: int = 10_000, **options: Any) -> CdrClient:
        settings = {"key": sim.key, "max_retries": 0, "timeout": 120.0, **options}
        made.append(CdrClient(Settings(base_url=sim.url, **settings), batch=batch))
        return made[-1]

    yield make
    for client in made:
        client.close()


def read(client: CdrClient, window: Window = DAY, filters: Any = None) -> dict[str, bytes]:
    with client.read(window, filters) as spool:
        records = [record for page in spool for record in page]
    found = {json.loads(record)["uuid"]: record for record in records}
    assert len(found) == len(records)
    return found


@pytest.mark.parametrize("connections", [1, 2, 5, 64])
def test_connections_do_not_change_window(connections: int, client_of: MakeClient) -> None:
    with Simulator(records_per_day=900, readings=Readings(cap=100)) as sim:
        client = client_of(sim, batch=100, per_page=50, max_connections=connections)
        assert read(client) == sim.truth(DAY.start, DAY.end)
        assert client.requests == len(sim.requests)


def test_one_failed_connection_fails_window(
    client_of: MakeClient,
) -> None:
    with Simulator(records_per_day=900) as sim:
        sim.faults.add("status", status=500, request=5)
        with pytest.raises(VoisoServerError, match=r"The window \[2026-11-10T00:00:00\+00:00"):
            client_of(sim, per_page=10, max_connections=4).read(DAY)


def test_filters_reach_every_request(client_of: MakeClient) -> None:
    with Simulator(records_per_day=3_000, readings=Readings(cap=100)) as sim:
        filters = {"type": ["outbound"], "duration_from": 1}
        found = read(client_of(sim, batch=100, per_page=50), DAY, filters)
        assert found == sim.truth(DAY.start, DAY.end, filters)
        walked = [request.params for request in sim.requests if request.params["per_page"] == "50"]
        assert len(walked) > 5
        assert all(
            params["type"] == "outbound" and params["duration_from"] == "1" for params in walked
        )


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("status", {"status": 401}, VoisoAuthenticationError),
        ("status", {"status": 403}, VoisoPermissionError),
        ("status", {"status": 422}, VoisoBadRequestError),
        ("status", {"status": 503}, VoisoServerError),
        ("reset_before", {}, VoisoTransportError),
        ("truncated", {}, VoisoTransportError),
        ("cut", {}, VoisoResponseError),
        ("html", {}, VoisoResponseError),
        ("missing_records", {}, VoisoResponseError),
        ("scalar_records", {}, VoisoResponseError),
        ("no_uuid", {}, VoisoResponseError),
        ("bad_timestamp", {}, VoisoResponseError),
    ],
)
@pytest.mark.parametrize("request_number", [1, 4])
def test_unreadable_window_names_no_records(
    kind: Any,
    options: dict[str, Any],
    error: type[VoisoError],
    request_number: int,
    client_of: MakeClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with Simulator(key=SECRET.text, records_per_day=900, readings=Readings(cap=100)) as sim:
        for number in range(request_number, request_number + 50):
            sim.faults.add(kind, request=number, **options)
        with pytest.raises(
            error, match=r"The window \[2026-11-10T00:00:00\+00:00, 2026-11-11T00:00:00\+00:00\)"
        ) as caught:
            read(client_of(sim, batch=100, per_page=50))
        assert type(caught.value) is error
        records = sim.truth(DAY.start, DAY.end)
    said = text_of(caught.value) + caplog.text
    SECRET.assert_absent_from(caught.value)
    SECRET.assert_absent(caplog.text)
    assert not any(uuid in said for uuid in records)
    assert not any(
        json.loads(record)["from"] in said
        for record in records.values()
        if json.loads(record)["from"]
    )


def test_passing_fault_leaves_window_exact(
    client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_voiso.api.transport.time.sleep", lambda _: None)
    with Simulator(records_per_day=900, readings=Readings(cap=100)) as sim:
        client = client_of(sim, batch=100, per_page=50, max_retries=3)
        for request, kind in enumerate(
            ["reset_within", "cut", "invalid_json", "status", "truncated", "no_uuid"]
        ):
            sim.faults.add(kind, request=2 + 3 * request)  # type: ignore[arg-type]
        assert read(client) == sim.truth(DAY.start, DAY.end)
        assert sim.faults.waiting == ()


def test_client_reads_windows_in_sequence(client_of: MakeClient) -> None:
    with Simulator(records_per_day=900, drift=Drift(change=0.5)) as sim:
        client = client_of(sim)
        before = read(client)
        sim.drift_now()
        assert read(client) == sim.truth(DAY.start, DAY.end, state="after") != before


def test_settings_hide_the_key() -> None:
    SECRET.assert_absent(repr(Settings(base_url="https://voiso.example", key=SECRET.text)))


def test_count_by_start_is_complete(client_of: MakeClient) -> None:
    with Simulator(records_per_day=500, readings=Readings(acts_on="start")) as sim:
        counted = client_of(sim, longest_interaction=200).count(DAY, None, at_least=10_000)

        assert counted == len(sim.truth(DAY.start, DAY.end))


def test_count_by_start_refuses_longer_interactions(client_of: MakeClient) -> None:
    with (
        Simulator(records_per_day=500, readings=Readings(acts_on="start")) as sim,
        pytest.raises(VoisoConfigurationError, match="longest_interaction"),
    ):
        client_of(sim, longest_interaction=0.01).count(DAY, None, at_least=10_000)


def test_failed_count_names_the_window(client_of: MakeClient) -> None:
    with Simulator(records_per_day=500) as sim:
        sim.faults.add("status", status=500, times=None)
        with pytest.raises(
            VoisoServerError, match=r"The window \[2026-11-10T00:00:00\+00:00, .* be counted"
        ):
            client_of(sim).count(DAY, None, at_least=1)
