from __future__ import annotations

import json
import logging
import signal
import socket
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
import requests

from airflow_provider_voiso.api.retry import LONGEST_WAIT
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.transport import Transport
from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.api.v2.authorization import key_in_query
from airflow_provider_voiso.exceptions import (
    VoisoAuthenticationError,
    VoisoBadRequestError,
    VoisoError,
    VoisoPermissionError,
    VoisoRateLimitError,
    VoisoResponseError,
    VoisoServerError,
    VoisoTlsError,
    VoisoTransportError,
)
from airflow_provider_voiso.simulator import Simulator
from tests.secret_search import Secret, text_of
from tests.servers.raw_http import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Get = Callable[..., Any]

DAY = datetime(2026, 11, 10, tzinfo=timezone.utc)
AGENTS = "/api/v2/cdr/agents"
BODY = json.dumps([{"id": n, "name": "ü" * n} for n in range(100)]).encode()


def parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise VoisoResponseError("The answer is not JSON.") from None


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no pause take time; return their lengths."""
    taken: list[float] = []
    monkeypatch.setattr("airflow_provider_voiso.api.transport.time.sleep", taken.append)
    return taken


@pytest.fixture
def get() -> Iterator[Get]:
    """Return a function that asks a server through a transport which lives as long as the test."""
    open_ones: dict[tuple[Any, ...], Transport] = {}

    def ask(url: str, path: str = AGENTS, **options: Any) -> Any:
        settings: dict[str, Any] = {"key": "some-key", "timeout": 120.0, **options}
        identity = (url, *settings.items())
        if identity not in open_ones:
            open_ones[identity] = Transport(
                Settings(base_url=url, **settings), key_in_query(settings["key"])
            )
        return open_ones[identity].get(path, {}, parse)

    yield ask
    for transport in open_ones.values():
        transport.close()


def test_one_connection_serves_many_requests(get: Get) -> None:
    with RawServer(lambda _: [http(BODY)]) as server:
        for _ in range(5):
            assert get(server.url) == json.loads(BODY)
        assert len(server.requests) == 5
        assert server.connections == 1


def test_closed_connection_is_opened_again(get: Get, pauses: list[float]) -> None:
    with RawServer(lambda number: [None] if number == 1 else [http(BODY)]) as server:
        for _ in range(3):
            assert get(server.url) == json.loads(BODY)
        assert server.connections == 2
    assert len(pauses) == 1


def test_request_carries_only_the_key(
    get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password of-another-service\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(lambda _: [http(BODY)]) as server:
        assert requests.utils.get_netrc_auth(server.url) == ("me", "of-another-service")
        get(server.url, key="k+/=&% ü")
        [request] = server.requests
    assert request.startswith(b"GET /api/v2/cdr/agents?key=k%2B%2F%3D%26%25+%C3%BC HTTP/1.1\r\n")
    assert b"authorization" not in request.lower()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 429}),
        ("status", {"status": 500}),
        ("status", {"status": 502}),
        ("status", {"status": 503}),
        ("status", {"status": 504}),
        ("status", {"status": 408}),
        ("reset_before", {}),
        ("reset_within", {}),
        ("truncated", {}),
        ("cut", {}),
        ("invalid_json", {}),
        ("html", {}),
        ("lying_gzip", {}),
    ],
)
def test_passing_faults_are_retried(
    kind: Any, options: dict[str, Any], get: Get, pauses: list[float]
) -> None:
    with Simulator() as sim:
        right = get(sim.url, key=sim.key)
        sim.faults.add(kind, path="agents", times=3, **options)
        assert get(sim.url, key=sim.key) == right
        assert len(sim.requests) == 5
    assert len(pauses) == 3
    assert all(1 <= pause * 2 / 2**attempt <= 2 for attempt, pause in enumerate(pauses))


@pytest.mark.parametrize(
    "answer",
    [
        http(BODY, length=len(BODY) + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n[1,2]\r\n0\r\n\r\n",
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Encoding: "
            b"gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        ),
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 abc\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=[
        "short",
        "no last chunk",
        "within a chunk",
        "no chunk",
        "no gzip",
        "within headers",
        "no status",
        "ssh",
        "end",
    ],
)
def test_broken_answer_never_counts(answer: bytes, get: Get, pauses: list[float]) -> None:
    with RawServer(lambda number: [answer, None] if number < 2 else [http(BODY)]) as server:
        assert get(server.url) == json.loads(BODY)
        assert len(server.requests) == 3
    assert len(pauses) == 2


def test_empty_body_reaches_parser(get: Get, pauses: list[float]) -> None:
    with RawServer(lambda _: [http(b"")]) as server:
        with pytest.raises(VoisoResponseError, match="not JSON"):
            get(server.url, max_retries=1)
        assert len(server.requests) == 2
    assert len(pauses) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_timeout_covers_whole_answer(chunked: bool, get: Get) -> None:
    """Each piece comes well within the timeout; all of them would take a minute."""
    pieces = 600
    if chunked:
        headers, piece = b"Transfer-Encoding: chunked", b"1\r\n \r\n"
    else:
        headers, piece = b"Content-Length: %d" % (pieces + 2), b" "
    drip = [
        b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n",
        *[part for _ in range(pieces) for part in (piece, 0.1)],
        b"[]",
    ]
    with RawServer(lambda _: drip) as server:
        with pytest.raises(VoisoTransportError, match="longer than the timeout"):
            get(server.url, timeout=1, max_retries=0)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "drip",
    [
        [*[part for _ in range(600) for part in (b"H", 0.1)]],
        [b"HTTP/1.1 200 OK\r\nX-Drip: ", *[part for _ in range(600) for part in (b"x", 0.1)]],
        [*[part for _ in range(600) for part in (b"HTTP/1.1 100 Continue\r\n\r\n", 0.1)]],
    ],
    ids=["status", "header", "continue"],
)
def test_the_deadline_holds_for_headers(drip: list[bytes | float], get: Get) -> None:
    with RawServer(lambda _: drip) as server:
        with pytest.raises(VoisoTransportError, match="longer than the timeout"):
            get(server.url, timeout=1, max_retries=0)
        assert len(server.requests) == 1


def test_the_deadline_holds_with_tls(get: Get, certificate: Path) -> None:
    with Simulator(certificate=str(certificate)) as sim:
        sim.faults.add("drip_headers", path="agents", delay=0.1)
        options = {"key": sim.key, "verify": str(certificate), "timeout": 0.4, "max_retries": 0}
        with pytest.raises(VoisoTransportError, match="longer than the timeout"):
            get(sim.url, **options)
        assert get(sim.url, **{**options, "timeout": 120})


def test_each_answer_gets_whole_timeout(get: Get) -> None:
    late: list[bytes | float] = [0.8, http(BODY)]
    with RawServer(lambda _: late) as server:
        for _ in range(4):
            assert get(server.url, timeout=3, max_retries=0) == json.loads(BODY)
        assert server.connections == 1


@pytest.mark.parametrize("kind", ["endless", "gzip_bomb"])
def test_an_answer_has_an_end(kind: Any, get: Get, pauses: list[float]) -> None:
    with Simulator() as sim:
        sim.faults.add(kind, path="agents")
        with pytest.raises(VoisoResponseError, match=r"more than 128 MiB.*'per_page'"):
            get(sim.url, key=sim.key, max_retries=0)
        assert get(sim.url, key=sim.key)
    assert pauses == []


def test_an_answer_may_be_large(get: Get) -> None:
    with Simulator() as sim:
        right = get(sim.url, key=sim.key)
        sim.faults.add("large", path="agents")
        assert get(sim.url, key=sim.key, max_retries=0) == right


@pytest.mark.parametrize("packed", ["br", "zstd", "gzip, gzip", "compress"])
def test_answer_encoding_is_checked(packed: str, get: Get) -> None:
    with RawServer(lambda _: [http(BODY, f"Content-Encoding: {packed}")]) as server:
        with pytest.raises(VoisoResponseError, match="not asked for"):
            get(server.url, max_retries=0)
        assert b"accept-encoding: gzip\r\n" in server.requests[0].lower()


def test_silence_meets_the_deadline(get: Get, pauses: list[float]) -> None:
    with RawServer(lambda number: [60.0] if number < 2 else [http(BODY)]) as server:
        assert get(server.url, timeout=1) == json.loads(BODY)
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("7", 7),
        ("0", 0),
        ("1.5", 1.5),
        ("-5", 0),
        ("86400", LONGEST_WAIT),
        ("1e300", LONGEST_WAIT),
        ("inf", LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_retry_after_seconds_are_obeyed(
    retry_after: str, expected: float, get: Get, pauses: list[float]
) -> None:
    with Simulator() as sim:
        sim.faults.add("status", status=429, path="agents", retry_after=retry_after)
        sim.faults.add("status", status=503, path="agents", retry_after=retry_after)
        get(sim.url, key=sim.key)
    # A share of it is by chance, so that those who were told the same do not come back together.
    assert expected <= pauses[0] <= expected + 1
    assert expected <= pauses[1] <= expected + 2


def test_waiting_tasks_spread_their_retries(get: Get, pauses: list[float]) -> None:
    with Simulator() as sim:
        sim.faults.add("status", status=429, path="agents", retry_after="7", times=None)
        for _ in range(20):
            with pytest.raises(VoisoRateLimitError):
                get(sim.url, key=sim.key, max_retries=2)
    first, last = pauses[::8], pauses[7::8]
    assert len(set(first)) == len(set(last)) == 20
    assert all(7 <= pause <= 8 for pause in first)
    assert 8 < max(last) <= 7 + 16


def test_retry_after_date_is_obeyed(get: Get, pauses: list[float]) -> None:
    until = datetime.now(timezone.utc) + timedelta(seconds=60)
    with Simulator() as sim:
        sim.faults.add(
            "status", status=429, path="agents", retry_after=format_datetime(until, usegmt=True)
        )
        get(sim.url, key=sim.key)
    assert 30 < pauses[0] <= 61


@pytest.mark.parametrize(
    "retry_after",
    ["nan", "soon", "", "Fri, 99 Foo 2026", "12 apples", "Tue, 10 Nov 2026 0:0:0 -0000"],
)
def test_senseless_retry_after_is_ignored(retry_after: str, get: Get, pauses: list[float]) -> None:
    with Simulator() as sim:
        sim.faults.add("status", status=429, path="agents", retry_after=retry_after)
        get(sim.url, key=sim.key)
    assert 0.5 <= pauses[0] <= 1


def test_pauses_grow_up_to_limit(get: Get, pauses: list[float]) -> None:
    with Simulator() as sim:
        sim.faults.add("status", status=500, path="agents", times=None)
        with pytest.raises(VoisoServerError):
            get(sim.url, key=sim.key, max_retries=12)
        assert len(sim.requests) == 13
    assert len(pauses) == 12
    assert LONGEST_WAIT / 2 <= pauses[-1] <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("status", "error", "requests_seen"),
    [
        (429, VoisoRateLimitError, 9),
        (500, VoisoServerError, 3),
        (503, VoisoServerError, 3),
        (408, VoisoServerError, 3),
        (401, VoisoAuthenticationError, 1),
        (403, VoisoPermissionError, 1),
        (400, VoisoBadRequestError, 1),
        (404, VoisoBadRequestError, 1),
        (405, VoisoBadRequestError, 1),
        (422, VoisoBadRequestError, 1),
        (424, VoisoBadRequestError, 1),
        (204, VoisoBadRequestError, 1),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_each_status_has_its_error(
    status: int, error: type[VoisoError], requests_seen: int, get: Get
) -> None:
    with Simulator() as sim:
        sim.faults.add("status", status=status, path="agents", times=None)
        with pytest.raises(error) as caught:
            get(sim.url, key=sim.key, max_retries=2)
        assert type(caught.value) is error
        assert f"status {status}" in str(caught.value)
        assert len(sim.requests) == requests_seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_never_followed(status: int, get: Get) -> None:
    with Simulator() as sim, RawServer(lambda _: [http(BODY)]) as elsewhere:
        sim.faults.add(
            "redirect", status=status, location=f"{elsewhere.url}/", path="agents", times=None
        )
        with pytest.raises(VoisoBadRequestError, match="redirects") as caught:
            get(sim.url, key=sim.key)
        assert elsewhere.url not in str(caught.value)
        assert len(sim.requests) == 1
        assert elsewhere.connections == 0


def test_bad_certificate_is_not_retried(certificate: Path, get: Get, pauses: list[float]) -> None:
    with Simulator(certificate=str(certificate)) as sim:
        with pytest.raises(VoisoTlsError, match="certificate"):
            get(sim.url, key=sim.key)
        assert sim.requests == ()
        assert get(sim.url, key=sim.key, verify=str(certificate))
    assert pauses == []


def test_a_port_where_nothing_listens(get: Get, pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(VoisoTransportError, match="connection refused"):
        get(f"http://127.0.0.1:{port}", max_retries=2)
    assert len(pauses) == 2


def test_unknown_host_is_named(get: Get, pauses: list[float]) -> None:
    with pytest.raises(VoisoTransportError, match="host name is unknown"):
        get("http://no-such-host.invalid", max_retries=1)
    assert len(pauses) == 1


@pytest.mark.parametrize("url", ["http://a" + "a" * 70 + ".example", "http://127.0.0.1:99999"])
@pytest.mark.usefixtures("pauses")
def test_unaskable_host_gives_typed_error(url: str, get: Get) -> None:
    with pytest.raises(VoisoError, match="Check the connection's host"):
        get(url, max_retries=0)


def test_last_failure_decides_the_error(get: Get, pauses: list[float]) -> None:
    with Simulator() as sim:
        for status in (429, 503, 429):
            sim.faults.add("status", status=status, path="agents")
        sim.faults.add("reset_before", path="agents")
        sim.faults.add("status", status=500, path="agents")
        with pytest.raises(VoisoServerError, match="500"):
            get(sim.url, key=sim.key, max_retries=2)
        assert get(sim.url, key=sim.key)
    assert len(pauses) == 4


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in (None, "urllib3", "requests", "airflow_provider_voiso"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


SECRET = Secret("k+/=&%<ü>-secret-a387")
PARAMS = {
    "start_datetime": "2026-11-09T23:59:59",
    "end_datetime": "2026-11-11T00:00:01",
    "search_token": "to+ken==",
}
FAULTS: list[Any] = [
    *[
        "reset_before",
        "reset_within",
        "truncated",
        "cut",
        "invalid_json",
        "html",
        "error_body",
        "missing_records",
    ],
    *[
        "scalar_records",
        "no_uuid",
        "no_timestamp",
        "bad_timestamp",
        "lying_gzip",
        "redirect",
        "status",
    ],
]


def ask_for_records(url: str, key: str, **options: Any) -> Any:
    settings = Settings(base_url=url, key=key, **{"max_retries": 1, "timeout": 120.0, **options})
    transport = Transport(settings, key_in_query(key))
    try:
        return transport.get("/api/v2/cdr", {**PARAMS, "search_token": ""}, parse_page)
    finally:
        transport.close()


class InterruptionError(BaseException):
    pass


def interrupt(*_: object) -> None:
    raise InterruptionError


@contextmanager
def interrupted(seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("pauses")
class TestNothingTellsTheKey:
    """Neither logs, nor output, nor an exception or anything that hangs on it."""

    @pytest.fixture(autouse=True)
    def _search_afterwards(
        self, everything_logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> Iterator[None]:
        yield
        records = everything_logged.get_records("call")
        assert records, "nothing was logged at all"
        formatter = logging.Formatter("%(name)s %(message)s %(args)s")
        for record in records:
            SECRET.assert_absent(formatter.format(record), repr(record.__dict__))
            assert "start_datetime=" not in record.getMessage()
        SECRET.assert_absent(*capfd.readouterr())

    def test_when_all_is_well(self) -> None:
        with Simulator(key=SECRET.text, records_per_day=10) as sim:
            assert len(ask_for_records(sim.url, SECRET.text))

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_when_http_client_prints_requests(
        self, scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(HTTPConnection, "debuglevel", 1)
        verify = str(certificate)
        with Simulator(
            key=SECRET.text, records_per_day=10, certificate=verify if scheme == "https" else None
        ) as sim:
            assert len(ask_for_records(sim.url, SECRET.text, verify=verify))

    def test_when_a_signal_interrupts_it(self) -> None:
        with (
            RawServer(lambda _: [60.0]) as server,
            pytest.raises(InterruptionError) as caught,
            interrupted(0.2),
        ):
            ask_for_records(server.url, SECRET.text, timeout=60.0)
        SECRET.assert_absent_from(caught.value)

    def test_when_signal_follows_broken_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Where the signal arrives while a failure is handled, that one, which holds the URL,
        # becomes the context.
        monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool._put_conn", interrupt)
        with RawServer(lambda _: [None]) as server, pytest.raises(InterruptionError) as caught:
            ask_for_records(server.url, SECRET.text)
        SECRET.assert_absent_from(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("kind", FAULTS)
    def test_when_an_answer_is_wrong(self, kind: Any) -> None:
        with Simulator(key=SECRET.text, records_per_day=10) as sim:
            sim.faults.add(kind, times=None)
            with pytest.raises(VoisoError) as caught:
                ask_for_records(sim.url, SECRET.text)
            SECRET.assert_absent_from(caught.value)
            assert not any(
                uuid in text_of(caught.value) for uuid in sim.truth(DAY, DAY + timedelta(days=1))
            )

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
    def test_when_status_is_error(self, status: int) -> None:
        told = f"{quote_plus(SECRET.text)} you asked for key={quote(SECRET.text)}"
        body = f"<p>{SECRET.text}</p> {told}".encode()
        answer = http(body, status=f"{status} {quote(SECRET.text)}")
        with RawServer(lambda _: [answer]) as server, pytest.raises(VoisoError) as caught:
            ask_for_records(server.url, SECRET.text)
        SECRET.assert_absent_from(caught.value)

    @pytest.mark.parametrize(
        "body",
        [
            json.dumps({"error": f"Invalid User API Key {SECRET.text}"}).encode(),
            json.dumps({"error": SECRET.text}).encode(),
            f"<html>{SECRET.text}</html>".encode(),
            json.dumps([SECRET.text]).encode(),
            json.dumps({"records": [{"uuid": SECRET.text}]}).encode(),
            json.dumps({"records": SECRET.text}).encode(),
            b'{"records": [' + SECRET.text.encode() + b"\xff]}",
            b'{"error": "' + SECRET.text.encode() + b'\xff"}',
        ],
        ids=["error", "other error", "page", "array", "record", "no records", "no json", "no text"],
    )
    def test_when_the_body_repeats_it(self, body: bytes) -> None:
        with RawServer(lambda _: [http(body)]) as server, pytest.raises(VoisoError) as caught:
            ask_for_records(server.url, SECRET.text)
        SECRET.assert_absent_from(caught.value)

    def test_when_headers_cannot_be_read(self) -> None:
        broken = http(b'{"records": []}').replace(
            b"\r\nContent", b"\r\nno header at all\r\nContent", 1
        )
        with RawServer(lambda _: [broken, None]) as server, suppress(VoisoError):
            ask_for_records(server.url, SECRET.text)

    def test_when_nobody_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for url in (
            f"http://127.0.0.1:{port}",
            "http://no-such-host.invalid",
            "http://127.0.0.1:99999",
        ):
            with pytest.raises(VoisoError) as caught:
                ask_for_records(url, SECRET.text)
            SECRET.assert_absent_from(caught.value)

    def test_when_the_answer_is_late(self) -> None:
        with RawServer(lambda _: [60.0]) as server, pytest.raises(VoisoError) as caught:
            ask_for_records(server.url, SECRET.text, timeout=0.2)
        SECRET.assert_absent_from(caught.value)

    def test_when_the_certificate_is_refused(self, certificate: Path) -> None:
        with (
            Simulator(certificate=str(certificate), key=SECRET.text) as sim,
            pytest.raises(VoisoError) as caught,
        ):
            ask_for_records(sim.url, SECRET.text)
        SECRET.assert_absent_from(caught.value)

    def test_when_proxy_is_between(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with RawServer(lambda _: [http(b"denied", status="403 Forbidden")]) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("https_proxy", proxy.url)
            for url in ("http://voiso.example", "https://voiso.example"):
                with pytest.raises(VoisoError) as caught:
                    ask_for_records(url, SECRET.text)
                SECRET.assert_absent_from(caught.value)
            assert proxy.requests


def test_requests_take_turns(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes only where the transport waits for its turn."""
    now = 1000.0
    starts: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("airflow_provider_voiso.api.transport.time.sleep", sleep)
    monkeypatch.setattr("airflow_provider_voiso.api.transport.time.monotonic", lambda: now)

    def answer(_: int) -> list[bytes]:
        starts.append(now)
        return [http(BODY)]

    with RawServer(answer) as server:
        for _ in range(5):
            get(server.url, requests_per_second=4)
        now += 60
        for _ in range(3):
            get(server.url, requests_per_second=4)
    assert starts == [1000, 1000.25, 1000.5, 1000.75, 1001, 1061, 1061.25, 1061.5]


def test_another_way_to_authorize(everything_logged: pytest.LogCaptureFixture) -> None:
    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = (
            f"Bearer {SECRET.text.encode('ascii', 'ignore').decode()}"
        )
        return request

    with RawServer(lambda _: [http(BODY)]) as server:
        transport = Transport(Settings(base_url=server.url, key=""), bearer)
        transport.get("/api/v4/interactions", {"number": "+390655501"}, parse)
        transport.close()

    head = server.requests[0]
    assert head.startswith(b"GET /api/v4/interactions?number=%2B390655501 HTTP/1.1\r\n")
    assert b"Authorization: Bearer k+/=&%<>-secret-a387\r\n" in head
    told = [record.getMessage() for record in everything_logged.get_records("call")]
    assert any("/api/v4/interactions?…" in message for message in told)
    assert not any("390655501" in message for message in told)


def test_queries_of_others_are_logged(everything_logged: pytest.LogCaptureFixture) -> None:
    with RawServer(lambda _: [http(BODY)]) as server:
        transport = Transport(
            Settings(base_url=server.url, key="some-key"), key_in_query("some-key")
        )
        transport.get(AGENTS, {}, parse)
        requests.get(f"{server.url}/of-another?package=1", timeout=120)
        transport.close()

    told = [record.getMessage() for record in everything_logged.get_records("call")]
    assert any("/of-another?package=1" in message for message in told)


@pytest.mark.usefixtures("pauses")
def test_parser_defects_are_not_retried() -> None:
    def stumble(_: bytes) -> None:
        raise UnicodeDecodeError("utf-8", BODY, 0, 1, "as a defect of ours would")

    with RawServer(lambda _: [http(BODY)]) as server:
        transport = Transport(
            Settings(base_url=server.url, key="some-key"), key_in_query("some-key")
        )
        with pytest.raises(UnicodeDecodeError):
            transport.get(AGENTS, {}, stumble)
        transport.close()

    assert len(server.requests) == 1
