"""Whatever the API does at whatever answer, for every destination."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from airflow_provider_voiso.api.retry import LONGEST_WAIT
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
from tests.conftest import ALL_FAULTS
from tests.faults.destinations import END, START
from tests.faults.promise import voiso
from tests.self_signed import self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator
    from tests.faults.promise import Promise


class Case(NamedTuple):
    """A fault, its error class and the words of the error that say what to change."""

    fault: dict[str, Any]
    error: type[VoisoError]
    says: str
    extra: dict[str, Any] = {}  # noqa: RUF012 - never changed


CASES = {
    "429": Case(
        {"kind": "status", "status": 429}, VoisoRateLimitError, "status 429.*'requests_per_second'"
    ),
    "500": Case({"kind": "status", "status": 500}, VoisoServerError, "status 500.*again later"),
    "502": Case({"kind": "status", "status": 502}, VoisoServerError, "status 502.*again later"),
    "503": Case({"kind": "status", "status": 503}, VoisoServerError, "status 503.*again later"),
    "504": Case({"kind": "status", "status": 504}, VoisoServerError, "status 504.*again later"),
    "401": Case(
        {"kind": "status", "status": 401},
        VoisoAuthenticationError,
        "status 401.*connection's password",
    ),
    "403": Case(
        {"kind": "status", "status": 403}, VoisoPermissionError, "status 403.*administrator"
    ),
    "400": Case(
        {"kind": "status", "status": 400},
        VoisoBadRequestError,
        "status 400.*host and the task's filters",
    ),
    "404": Case(
        {"kind": "status", "status": 404},
        VoisoBadRequestError,
        "status 404.*host and the task's filters",
    ),
    "422": Case(
        {"kind": "status", "status": 422},
        VoisoBadRequestError,
        "status 422.*host and the task's filters",
    ),
    "424": Case(
        {"kind": "status", "status": 424},
        VoisoBadRequestError,
        "status 424.*host and the task's filters",
    ),
    "redirect": Case(
        {"kind": "redirect", "location": "https://elsewhere.example/"},
        VoisoBadRequestError,
        "redirects.*host",
    ),
    "refused": Case(
        {"kind": "gone"},
        VoisoTransportError,
        "connection refused.*host and the net",
        {"max_retries": 1},
    ),
    "reset before": Case(
        {"kind": "reset_before"}, VoisoTransportError, "connection reset.*host and the network"
    ),
    "reset within": Case(
        {"kind": "reset_within"}, VoisoTransportError, "reset|broke off.*host and the network"
    ),
    "truncated": Case(
        {"kind": "truncated"}, VoisoTransportError, "broke off.*host and the network"
    ),
    "cut": Case({"kind": "cut"}, VoisoResponseError, "not the JSON object.*connection's host"),
    "drip": Case(
        {"kind": "drip", "delay": 0.2}, VoisoTransportError, "longer.*'timeout'", {"timeout": 0.4}
    ),
    "drip of headers": Case(
        {"kind": "drip_headers", "delay": 0.2},
        VoisoTransportError,
        "longer.*'timeout'",
        {"timeout": 0.4},
    ),
    "endless": Case({"kind": "endless"}, VoisoResponseError, "more than 128 MiB.*'per_page'"),
    "no JSON": Case(
        {"kind": "invalid_json"}, VoisoResponseError, "not the JSON object.*connection's host"
    ),
    "HTML": Case({"kind": "html"}, VoisoResponseError, "web page.*connection's host"),
    "error object": Case(
        {"kind": "error_body"}, VoisoResponseError, "error object.*connection's host"
    ),
    "no records": Case(
        {"kind": "missing_records"}, VoisoResponseError, "no 'records'.*connection's host"
    ),
    "no objects": Case(
        {"kind": "scalar_records"}, VoisoResponseError, "is no object, or that has no uuid"
    ),
    "no uuid": Case({"kind": "no_uuid"}, VoisoResponseError, "is no object, or that has no uuid"),
    "no timestamp": Case({"kind": "no_timestamp"}, VoisoResponseError, "no timestamp"),
    "no time": Case({"kind": "bad_timestamp"}, VoisoResponseError, "no timestamp with an offset"),
    "lying gzip": Case({"kind": "lying_gzip"}, VoisoTransportError, "host and the network"),
    "gzip bomb": Case({"kind": "gzip_bomb"}, VoisoResponseError, "more than 128 MiB.*'per_page'"),
}
POSITIONS = ("first", "middle", "last")
READERS = ["s3", "postgres", "mariadb", "sqlite"] if ALL_FAULTS else ["sqlite"]


def before(promise: Promise, position: str) -> int:
    """Return the number of requests before an answer, by its position among those of the window."""
    answers = math.ceil(len(promise.new.truth(START, END)) / 20)
    assert answers >= 5
    spared = {"first": 0, "middle": 2, "last": answers - 1}[position]
    return len(promise.new.requests) + spared


@pytest.fixture(autouse=True)
def _no_pauses_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_voiso.api.retry.random.uniform", lambda *_: 0.0)


@pytest.mark.parametrize("position", POSITIONS if ALL_FAULTS else ["some position"])
@pytest.mark.parametrize("name", CASES)
def test_fault_leaves_the_old_state(name: str, position: str, promise: Promise) -> None:
    case = CASES[name]
    if position not in POSITIONS:
        position = POSITIONS[([*CASES].index(name) + len(promise.destination.name)) % 3]
    sim = promise.new
    sim.faults.add(**case.fault, after=before(promise, position), times=None)
    promise.lead_to(sim, **case.extra)
    promise.assert_fails(case.error, case.says)
    sim.faults.clear()
    if case.fault["kind"] == "gone":
        sim.stop()
        sim.start()
    promise.lead_to(sim)
    promise.assert_succeeds()


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("destination", READERS, indirect=True)
def test_passing_refusal_ends_nothing(position: str, promise: Promise) -> None:
    """A gateway that refuses one request must not cut a window short."""
    for status in (400, 404, 422):
        promise.new.faults.add("status", status=status, after=before(promise, position))
    promise.lead_to(promise.new)
    promise.assert_fails(VoisoBadRequestError, "status 400")
    promise.new.faults.clear()
    promise.assert_succeeds()


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("destination", READERS, indirect=True)
def test_a_large_answer_is_read(position: str, promise: Promise) -> None:
    promise.new.faults.add("large", after=before(promise, position))
    promise.lead_to(promise.new)
    promise.assert_succeeds()
    assert promise.new.faults.waiting == ()


def test_untrusted_certificate_is_refused(promise: Promise, tmp_path: Path) -> None:
    certificate = str(self_signed(tmp_path))
    with voiso(drifted=promise.new_is_drifted, certificate=certificate) as sim:
        promise.lead_to(sim)
        promise.assert_fails(VoisoTlsError, "certificate.*extra 'verify'")
        assert sim.requests == ()
        promise.lead_to(sim, verify=certificate)
        promise.assert_succeeds()


RETRY_AFTER = {
    "none": None,
    "nothing": "",
    "seconds": "7",
    "huge": "9" * 400,
    "infinite": "inf",
    "not a number": "nan",
    "negative": "-5",
    "words": "soon",
    "a date": "date+5",
    "a past date": "date-99999999",
    "a far date": "Fri, 31 Dec 9999 23:59:59 GMT",
    "a date too far": "Fri, 31 Dec 99999 23:59:59 GMT",
    "no date": "Fri, 99 Foo 2026",
    "an absurd zone": "Tue, 10 Nov 2026 00:00:00 +99999999999999999999",
}


@pytest.mark.parametrize("value", RETRY_AFTER)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("destination", ["sqlite"], indirect=True)
def test_retry_comes_in_time(
    value: str, status: int, promise: Promise, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("airflow_provider_voiso.api.transport.time.sleep", pauses.append)
    spared = before(promise, "middle")
    promise.new.faults.add(
        "status", status=status, retry_after=RETRY_AFTER[value], after=spared, times=None
    )
    promise.lead_to(promise.new, max_retries=2)
    promise.assert_fails(
        VoisoRateLimitError if status == 429 else VoisoServerError, f"status {status}"
    )
    assert len(pauses) == (8 if status == 429 else 2)
    assert all(0 <= pause <= LONGEST_WAIT for pause in pauses)
    promise.new.faults.clear()
    promise.new.faults.add(
        "status", status=status, retry_after=RETRY_AFTER[value], after=spared, times=2
    )
    promise.assert_succeeds()
    assert len(pauses) == (10 if status == 429 else 4)


@pytest.fixture(scope="module")
def many() -> Iterator[Simulator]:
    """Return a local Voiso with more records than one search returns."""
    with voiso(drifted=True, records_per_day=10_500) as sim:
        yield sim


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param({"kind": "status", "status": 404}, VoisoBadRequestError, id="404"),
        pytest.param({"kind": "cut"}, VoisoResponseError, id="cut"),
        *(
            [
                pytest.param({"kind": "status", "status": 401}, VoisoAuthenticationError, id="401"),
                pytest.param({"kind": "redirect"}, VoisoBadRequestError, id="redirect"),
            ]
            if ALL_FAULTS
            else []
        ),
    ],
)
@pytest.mark.parametrize("destination", ["sqlite"], indirect=True)
def test_faults_behind_a_full_answer(
    fault: dict[str, Any], error: type[VoisoError], promise: Promise, many: Simulator
) -> None:
    many.faults.clear()
    many.faults.add(**fault, after=len(many.requests) + 1, times=None)
    promise.new = many
    promise.lead_to(many, per_page=10_000)

    promise.assert_fails(error, ".")

    many.faults.clear()
    promise.assert_succeeds()
