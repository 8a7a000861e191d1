from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import zlib
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode

import pytest

from airflow_provider_voiso.simulator import Readings, Simulator
from airflow_provider_voiso.simulator.faults import LARGE, FaultKind
from tests.simulator.simulator_client import CDR, DAY, UTC, Got, ask, connect, send, truth, walk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    readings = Readings(cap=50, continuation="cursor")
    with Simulator(records_per_day=120, exact=True, readings=readings) as running:
        yield running


def statuses(simulator: Simulator, count: int) -> list[int]:
    return [ask(simulator, **DAY).status for _ in range(count)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 424, 429, 500, 502, 503, 504])
def test_fault_answers_any_status(simulator: Simulator, status: int) -> None:
    simulator.faults.add("status", status=status)
    got = ask(simulator, **DAY)
    assert (got.status, list(got.json)) == (status, ["error"])
    assert "Retry-After" not in got.headers
    assert ask(simulator, **DAY).status == 200


@pytest.mark.parametrize("value", ["0", "7", "-1", "999999999", "soon", "1.5"])
def test_retry_after_is_verbatim(simulator: Simulator, value: str) -> None:
    simulator.faults.add("status", status=429, retry_after=value)
    assert ask(simulator, **DAY).headers["Retry-After"] == value


def test_retry_after_as_a_date(simulator: Simulator) -> None:
    simulator.faults.add("status", status=503, retry_after="date+3600")
    ahead = parsedate_to_datetime(ask(simulator, **DAY).headers["Retry-After"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < ahead <= timedelta(hours=1)


def test_fault_of_several_requests(simulator: Simulator) -> None:
    simulator.faults.add("status", times=2)
    assert statuses(simulator, 3) == [503, 503, 200]
    simulator.faults.add("status", times=None)
    assert statuses(simulator, 4) == [503] * 4
    simulator.faults.clear()
    assert statuses(simulator, 1) == [200]


def test_fault_of_a_numbered_request(simulator: Simulator) -> None:
    simulator.faults.add("status", request=3)
    assert statuses(simulator, 4) == [200, 200, 503, 200]


def test_faults_happen_in_order(simulator: Simulator) -> None:
    for status in (500, 429):
        simulator.faults.add("status", status=status)
    assert statuses(simulator, 3) == [500, 429, 200]


@pytest.mark.parametrize(
    ("condition", "failing"),
    [
        ({"position": "first"}, 0),
        ({"position": "middle"}, 1),
        ({"position": "last"}, 2),
        ({"token": 0}, 0),
        ({"token": 1}, 1),
        ({"token": 2}, 2),
        ({"page": 1, "token": 2}, 2),
    ],
)
def test_fault_at_one_answer(simulator: Simulator, condition: dict[str, Any], failing: int) -> None:
    tokens = ["", *(answer.json["search_token"] for answer in walk(simulator, per_page=50, **DAY))][
        :3
    ]
    simulator.faults.add("status", status=401, **condition)
    found = [ask(simulator, per_page=50, search_token=token, **DAY).status for token in tokens]
    assert found == [401 if index == failing else 200 for index in range(3)]


def test_fault_at_one_page(simulator: Simulator) -> None:
    simulator.faults.add("status", page=2)
    assert [ask(simulator, per_page=10, page=page, **DAY).status for page in (1, 2, 2)] == [
        200,
        503,
        200,
    ]


def test_faults_of_reference_lists(simulator: Simulator) -> None:
    simulator.faults.add("status", path="queues")
    assert ask(simulator, **DAY).status == 200
    assert send(simulator, f"{CDR}/teams", {"key": simulator.key}).status == 200
    assert send(simulator, f"{CDR}/queues", {"key": simulator.key}).status == 503
    simulator.faults.add("html", path=None)
    assert send(simulator, f"{CDR}/agents", {"key": simulator.key}).body.startswith(
        b"<!DOCTYPE html>"
    )


def raw_exchange(
    simulator: Simulator,
) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
    connection = connect(simulator)
    connection.request("GET", f"{CDR}?{urlencode({'key': simulator.key, **DAY})}")
    return connection.getresponse(), connection


def test_reset_before_the_answer(simulator: Simulator) -> None:
    simulator.faults.add("reset_before")
    with pytest.raises(ConnectionResetError) as error:
        ask(simulator, **DAY)
    assert error.type is ConnectionResetError, "an orderly end is no reset"
    assert simulator.requests[-1].status == 0
    assert ask(simulator, **DAY).status == 200


def test_reset_within_the_body(simulator: Simulator) -> None:
    simulator.faults.add("reset_within")
    with pytest.raises(ConnectionResetError):
        ask(simulator, **DAY)
    assert ask(simulator, **DAY).status == 200


def test_truncated_body_ends_early(simulator: Simulator) -> None:
    whole = ask(simulator, **DAY).body
    simulator.faults.add("truncated")
    answer, connection = raw_exchange(simulator)
    with pytest.raises(http.client.IncompleteRead) as error:
        answer.read()
    connection.close()
    assert whole.startswith(error.value.partial)
    assert int(answer.headers["Content-Length"]) == len(whole)


def test_cut_body_looks_whole(simulator: Simulator) -> None:
    whole = ask(simulator, **DAY).body
    simulator.faults.add("cut")
    got = ask(simulator, **DAY)
    assert whole.startswith(got.body)
    assert int(got.headers["Content-Length"]) == len(got.body) < len(whole)


def test_dripping_body_arrives_whole(simulator: Simulator) -> None:
    whole = ask(simulator, **DAY).body
    simulator.faults.add("drip", delay=0.0001)
    assert ask(simulator, **DAY).body == whole


def test_dripping_headers_arrive_whole(simulator: Simulator) -> None:
    whole = ask(simulator, **DAY)
    simulator.faults.add("drip_headers", delay=0.0001)
    got = ask(simulator, **DAY)
    assert got.body == whole.body
    assert got.headers["Content-Length"] == whole.headers["Content-Length"]


def test_body_without_end(simulator: Simulator) -> None:
    whole = ask(simulator, **DAY).body
    simulator.faults.add("endless")
    answer, connection = raw_exchange(simulator)
    with contextlib.closing(connection), answer:
        assert "Content-Length" not in answer.headers
        assert answer.read(20_000_000).strip() == whole


def test_body_of_large_size(simulator: Simulator) -> None:
    whole = ask(simulator, **DAY).body
    simulator.faults.add("large")
    got = ask(simulator, **DAY)
    assert len(got.body) == LARGE
    assert got.body.strip() == whole


def test_body_is_gzip_bomb(simulator: Simulator) -> None:
    simulator.faults.add("gzip_bomb")
    got = ask(simulator, **DAY)
    assert got.headers["Content-Encoding"] == "gzip"
    assert len(got.body) < 2_000_000
    unpacked = zlib.decompressobj(31)
    size, rest = 0, got.body
    while rest:
        size += len(unpacked.decompress(rest, 10_000_000))
        rest = unpacked.unconsumed_tail
    assert size == 1 << 30


def test_server_gone_until_restart() -> None:
    with Simulator() as simulator:
        simulator.faults.add("gone")
        port = simulator.port
        with pytest.raises(ConnectionResetError):
            ask(simulator, **DAY)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        simulator.stop()
        simulator.start()
        assert ask(simulator, **DAY).status == 200


def distorted(simulator: Simulator, kind: FaultKind) -> Got:
    simulator.faults.add(kind)
    got = ask(simulator, **DAY)
    assert got.status == 200
    return got


def test_answers_without_valid_json(simulator: Simulator) -> None:
    kinds: tuple[FaultKind, ...] = ("invalid_json", "html", "cut")
    for kind in kinds:
        with pytest.raises(json.JSONDecodeError):
            json.loads(distorted(simulator, kind).body)
    assert "html" in distorted(simulator, "html").headers["Content-Type"]


def test_gzip_that_is_none(simulator: Simulator) -> None:
    got = distorted(simulator, "lying_gzip")
    assert got.headers["Content-Encoding"] == "gzip"
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(got.body)


def test_answers_without_proper_records(simulator: Simulator) -> None:
    assert list(distorted(simulator, "error_body").json) == ["error"]
    assert "records" not in distorted(simulator, "missing_records").json
    assert any(
        not isinstance(r, dict) for r in distorted(simulator, "scalar_records").json["records"]
    )
    assert any("uuid" not in r for r in distorted(simulator, "no_uuid").json["records"])
    assert any("timestamp" not in r for r in distorted(simulator, "no_timestamp").json["records"])
    assert any(
        "noon" in r["timestamp"] for r in distorted(simulator, "bad_timestamp").json["records"]
    )


@pytest.mark.parametrize(("status", "expected"), [(503, 302), (307, 307)])
def test_redirect_to_another_path(simulator: Simulator, status: int, expected: int) -> None:
    simulator.faults.add("redirect", status=status, location="https://login.example/")
    got = ask(simulator, **DAY)
    assert (got.status, got.headers["Location"]) == (expected, "https://login.example/")


@pytest.mark.parametrize("kind", sorted({*get_args(FaultKind)} - {"endless"}))
def test_searches_recover_from_faults(simulator: Simulator, kind: FaultKind) -> None:
    simulator.faults.add(kind, delay=0.0001)
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(simulator, **DAY)
    assert simulator.faults.waiting == ()
    if kind == "gone":
        simulator.stop()
        simulator.start()
    found = {uuid for answer in walk(simulator, per_page=50, **DAY) for uuid in answer.uuids}
    assert found == truth(simulator).keys()


def test_faults_over_http(simulator: Simulator) -> None:
    def post(described: Any) -> Got:
        return send(simulator, "/_simulator/faults", method="POST", body=json.dumps(described))

    assert post({"kind": "status", "status": 429}).json == {"added": 1}
    assert post([{"kind": "html"}, {"kind": "status", "times": None}]).json == {"added": 2}
    waiting = send(simulator, "/_simulator/faults").json
    assert [fault["kind"] for fault in waiting] == ["status", "html", "status"]
    assert statuses(simulator, 4) == [429, 200, 503, 503]
    assert send(simulator, "/_simulator/faults", method="DELETE").status == 200
    assert statuses(simulator, 1) == [200]
    for wrong in ({"kind": "flood"}, {"status": 500}, {"kind": "status", "colour": "red"}, 5):
        assert post(wrong).status == 422, wrong
    assert send(simulator, "/_simulator/faults", method="POST", body="{").status == 422
    assert simulator.faults.waiting == ()


def test_mistyped_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown fault 'flood'"):
        Simulator().faults.add("flood")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="takes these fields only"):
        Simulator().faults.add("status", code=500)
