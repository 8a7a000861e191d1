from __future__ import annotations

import copy
import json
import pickle
import socket
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pendulum
import pytest

from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoError,
    VoisoResponseError,
    VoisoServerError,
)
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.simulator import Readings, Simulator
from tests.secret_search import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Connect = Callable[..., VoisoHook]

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)
LISTS = ["agents", "campaigns", "deleted_agents", "queues", "teams", "wrapup_codes"]
KEY = "k+/=&%ü-secret-a387"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that makes a hook of a host, with a connection that does not try twice."""
    hooks: list[VoisoHook] = []

    def make(host: str, password: str = KEY, **extra: Any) -> VoisoHook:
        connection = {
            "conn_type": "voiso",
            "host": host,
            "password": password,
            "extra": {"max_retries": 0, "timeout": 120, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_TEST", json.dumps(connection))
        hooks.append(VoisoHook("voiso_test"))
        return hooks[-1]

    yield make
    for hook in hooks:
        hook.client.close()


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator(seed=4, records_per_day=500, key=KEY) as running:
        yield running


def asked(sim: Simulator) -> int:
    return len(sim.requests)


def test_iter_cdrs_returns_each_once(sim: Simulator, connect: Connect) -> None:
    records = list(connect(sim.url).iter_cdrs(START, START + DAY))
    truth = sim.truth(START, START + DAY)
    assert {record["uuid"]: record for record in records} == {
        uuid: json.loads(raw) for uuid, raw in truth.items()
    }
    assert len(records) == len(truth)
    ended = [datetime.fromisoformat(record["timestamp"]) for record in records]
    assert ended == sorted(ended)


def test_iter_cdrs_takes_pendulum_datetimes(sim: Simulator, connect: Connect) -> None:
    start = pendulum.datetime(2026, 11, 10, 1, tz="Europe/Berlin")
    records = list(connect(sim.url).iter_cdrs(start, start.add(days=1)))
    assert {record["uuid"] for record in records} == sim.truth(START, START + DAY).keys()


def test_pages_hold_original_bytes(sim: Simulator, connect: Connect) -> None:
    pages = list(
        connect(sim.url, per_page=50).iter_cdr_pages(START, START + DAY, {"type": "inbound"})
    )
    truth = sim.truth(START, START + DAY, {"type": "inbound"})
    assert sorted(record for page in pages for record in page) == sorted(truth.values())
    assert all(pages)


def test_filter_lists_become_comma_lists(sim: Simulator, connect: Connect) -> None:
    filters = {"type": "inbound", "wrapup_codes": ["0001", "1002"]}
    found = {record["uuid"] for record in connect(sim.url).iter_cdrs(START, START + DAY, filters)}
    assert found == sim.truth(START, START + DAY, filters).keys()
    assert found


def test_windows_cut_within_a_second(sim: Simulator, connect: Connect) -> None:
    hook = connect(sim.url)
    truth = sim.truth(START, START + DAY)
    middle = datetime.fromisoformat(json.loads(list(truth.values())[250])["timestamp"])
    before = {record["uuid"] for record in hook.iter_cdrs(START, middle)}
    after = {record["uuid"] for record in hook.iter_cdrs(middle, START + DAY)}
    assert before | after == truth.keys()
    assert not before & after
    assert list(truth)[250] in after


@pytest.mark.parametrize("method", ["iter_cdrs", "iter_cdr_pages"])
@pytest.mark.parametrize(
    ("start", "end", "filters", "complaint"),
    [
        (START, START + DAY, {"agent": 1}, "Unknown filter 'agent'"),
        (START, START + DAY, {"per_page": 1}, "set by the package itself"),
        (START, START + DAY, {"type": None}, "is a NoneType"),
        (
            START.replace(tzinfo=None),
            START + DAY,
            None,
            "start 2026-11-10T00:00:00 has no time zone",
        ),
        (
            START,
            (START + DAY).replace(tzinfo=None),
            None,
            "end 2026-11-11T00:00:00 has no time zone",
        ),
        (START + DAY, START, None, "empty or reversed"),
        (START, START, None, "empty or reversed"),
        ("2026-11-10", START, None, "must be a datetime, not str"),
        (START, START + DAY, "type=inbound", "are a text, not a dict"),
        (START, START + DAY, ["inbound"], "must be a dict or None, not list"),
        (START, START + DAY, {"type": "['inbound']"}, "'type' looks like a list"),
    ],
)
def test_wrong_arguments_fail_at_once(
    method: str,
    start: Any,
    end: Any,
    filters: Any,
    complaint: str,
    sim: Simulator,
    connect: Connect,
) -> None:
    hook = connect(sim.url)
    before = asked(sim)
    with pytest.raises(VoisoConfigurationError, match=complaint):
        getattr(hook, method)(start, end, filters)
    assert asked(sim) == before


def test_unknown_policy_is_refused(sim: Simulator, connect: Connect) -> None:
    policy: Any = "ignore"

    with pytest.raises(VoisoConfigurationError, match="Unknown out_of_window 'ignore'"):
        connect(sim.url).iter_cdr_pages(START, START + DAY, out_of_window=policy)


@pytest.mark.parametrize("at_least", ["1", None, -1])
def test_odd_count_is_refused(at_least: Any, sim: Simulator, connect: Connect) -> None:
    with pytest.raises(VoisoConfigurationError, match="at_least must "):
        connect(sim.url).count_cdrs(START, START + DAY, at_least=at_least)


def test_missing_connection_is_named() -> None:
    words = words_of(VoisoHook("no_such_connection"))

    assert words == (
        False,
        (
            "The connection 'no_such_connection' does not exist. Add it under Admin, Connections, "
            "or name another one."
        ),
    )


def test_iteration_sends_first_request(sim: Simulator, connect: Connect) -> None:
    before = asked(sim)
    records = connect(sim.url).iter_cdrs(START, START + DAY)
    assert asked(sim) == before
    next(records)
    assert asked(sim) > before


def test_unreadable_window_returns_no_record(connect: Connect) -> None:
    with Simulator(seed=4, records_per_day=500, key=KEY, readings=Readings(cap=100)) as sim:
        sim.faults.add("status", status=500, request=5, times=None)
        records = connect(sim.url, per_page=50).iter_cdrs(START, START + DAY)
        with pytest.raises(VoisoServerError):
            next(records)


@pytest.mark.parametrize("at_least", [1, 10, 500, 10_000])
def test_count_stops_when_satisfied(at_least: int, sim: Simulator, connect: Connect) -> None:
    there = len(sim.truth(START, START + DAY))
    counted = connect(sim.url, per_page=50).count_cdrs(START, START + DAY, at_least=at_least)
    assert min(at_least, there) <= counted <= there


def test_count_requests_no_extra_page(sim: Simulator, connect: Connect) -> None:
    hook = connect(sim.url, per_page=50)
    hook.count_cdrs(START, START + DAY, at_least=1)
    before = asked(sim)
    hook.count_cdrs(START, START + DAY, at_least=40)
    assert asked(sim) == before + 1


def test_count_uses_filters(sim: Simulator, connect: Connect) -> None:
    hook = connect(sim.url)
    filters = {"type": "viber"}
    assert hook.count_cdrs(START, START + DAY, filters, at_least=10_000) == len(
        sim.truth(START, START + DAY, filters)
    )
    assert hook.count_cdrs(START, START + DAY, {"uuid": "no-such-uuid"}, at_least=1) == 0


@pytest.mark.parametrize("shape", ["bare", "wrapped"])
@pytest.mark.parametrize("name", LISTS)
def test_reference_lists_in_either_shape(name: str, shape: Any, connect: Connect) -> None:
    with Simulator(key=KEY, readings=Readings(references=shape)) as sim:
        items = connect(sim.url).list_reference(name)
        [request] = sim.requests
    assert request.path == f"/api/v2/cdr/{name}"
    fields = {"code", "description"} if name == "wrapup_codes" else {"id", "name"}
    assert items
    assert all(item.keys() == fields for item in items)


def test_unknown_reference_list_is_refused(sim: Simulator, connect: Connect) -> None:
    hook = connect(sim.url)
    before = asked(sim)
    with pytest.raises(
        VoisoConfigurationError,
        match="agents, campaigns, deleted_agents, queues, teams, wrapup_codes",
    ):
        hook.list_reference("../cdr")
    assert asked(sim) == before


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html", VoisoResponseError),
        ("error_body", VoisoResponseError),
        ("invalid_json", VoisoResponseError),
        ("cut", VoisoResponseError),
    ],
)
def test_wrong_reference_answer_is_typed(
    kind: Any, error: type[VoisoError], connect: Connect
) -> None:
    with Simulator(key=KEY) as sim:
        sim.faults.add(kind, path="agents", times=None)
        with pytest.raises(error):
            connect(sim.url).list_reference("agents")


def words_of(hook: VoisoHook) -> tuple[bool, str]:
    status, words = hook.test_connection()
    Secret(KEY).assert_absent(words)
    return status, words


def test_the_connection_works(sim: Simulator, connect: Connect) -> None:
    assert words_of(connect(sim.url)) == (True, "The API answered and accepts the key.")


@pytest.mark.parametrize("status", [401, 200])
def test_wrong_key_is_always_named(status: Any, connect: Connect) -> None:
    with Simulator(key="another", readings=Readings(invalid_key_status=status)) as sim:
        works, words = words_of(connect(sim.url))
    assert not works
    assert "key" in words
    assert "password" in words


def test_a_key_without_rights(connect: Connect) -> None:
    with Simulator(forbidden_keys=[KEY]) as sim:
        works, words = words_of(connect(sim.url))
    assert not works
    assert "may not read" in words
    assert "status 403" in words


def test_an_unknown_host(connect: Connect) -> None:
    works, words = words_of(connect("https://no-such-host.invalid"))
    assert not works
    assert "the host name is unknown" in words


def test_a_port_where_nothing_listens(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    works, words = words_of(connect(f"http://127.0.0.1:{port}"))
    assert not works
    assert "connection refused" in words


def test_a_certificate_of_nobody(certificate: Path, connect: Connect) -> None:
    with Simulator(key=KEY, certificate=str(certificate)) as sim:
        works, words = words_of(connect(sim.url))
        assert not works
        assert "certificate" in words
        assert "verify" in words
        assert words_of(connect(sim.url, verify=str(certificate)))[0]


def test_https_to_plain_http_host(sim: Simulator, connect: Connect) -> None:
    works, words = words_of(connect(sim.url.replace("http://", "https://")))
    assert not works
    assert "https" in words
    assert "host" in words


def test_plain_http_to_https_host(certificate: Path, connect: Connect) -> None:
    with Simulator(key=KEY, certificate=str(certificate)) as sim:
        works, words = words_of(connect(sim.url.replace("https://", "http://")))
    assert not works
    assert "host" in words


class SignIn(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = b"<!DOCTYPE html><html>Please sign in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def test_a_sign_in_page(connect: Connect) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SignIn) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        works, words = words_of(connect(f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()
    assert not works
    assert "web page" in words


def test_unusable_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_VOISO_TEST", json.dumps({"conn_type": "voiso", "host": "cc-ams03"})
    )
    works, words = VoisoHook("voiso_test").test_connection()
    assert not works
    assert "The password of the connection 'voiso_test' is empty" in words


def test_copied_hook_holds_no_key(sim: Simulator, connect: Connect) -> None:
    hook = connect(sim.url)
    assert hook.test_connection()[0]
    pickled = pickle.dumps(hook)
    Secret(KEY).assert_absent(
        repr(hook), repr(vars(hook)), pickled.decode(errors="replace"), repr(hook.client)
    )
    for again in (pickle.loads(pickled), copy.deepcopy(hook)):  # noqa: S301 - it was pickled here
        assert again.client is not hook.client
        assert again.test_connection()[0]
        again.client.close()


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_settings_are_not_written_anywhere(take: Callable[[Any], Any]) -> None:
    settings = Settings("https://voiso.example", KEY)
    Secret(KEY).assert_absent(repr(settings))
    with pytest.raises(TypeError, match="not pickled") as caught:
        take(settings)
    Secret(KEY).assert_absent_from(caught.value)
