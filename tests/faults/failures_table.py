"""The table of docs/failures.md; ``python -m tests.faults.failures_table`` writes it."""

from __future__ import annotations

import inspect
import itertools
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from airflow.providers.common.compat.sdk import AirflowFailException
from urllib3.exceptions import DecodeError, ReadTimeoutError

from airflow_provider_voiso import exceptions
from airflow_provider_voiso.api.errors import error_of_failure, error_of_status
from airflow_provider_voiso.api.retry import is_tried_again
from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.exceptions import VoisoError, VoisoWindowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "failures.md"
TABLE = re.compile(r"(<!-- failures -->\n).*?(<!-- end of failures -->\n)", re.DOTALL)
HEADER = """\
| what happened | error | the request is sent again | the task is retried | what to do |
|---|---|---|---|---|
"""
NEVER_RAISED = {VoisoError, VoisoWindowError}
"""Raised as one of their subclasses; they are there to be caught."""
NETWORK: dict[str, Exception] = {
    "no such host, connection refused or reset": requests.ConnectionError("Connection refused"),
    "an answer that breaks off": requests.exceptions.ChunkedEncodingError("IncompleteRead"),
    "an answer that is later than `timeout`": ReadTimeoutError(None, "", "Read timed out."),  # type: ignore[arg-type]
    "a gzip that is none": DecodeError("not gzip"),
    "a proxy that does not connect": requests.exceptions.ProxyError("Tunnel connection failed"),
    "a certificate that is not accepted": requests.exceptions.SSLError("certificate verify failed"),
    "a CA bundle that is missing": OSError("Could not find a suitable TLS CA certificate bundle"),
    "a proxy that cannot be used": requests.exceptions.InvalidProxyURL("no host"),
}
BODIES = {
    "no JSON": b"{",
    "a web page": b"<html>",
    "an `error` object": b'{"error": "No"}',
    "an `error` object about the key": b'{"error": "Invalid User API Key"}',
    "no `records`": b"{}",
    "a record that is no object": b'{"records": [1]}',
    "a record without `uuid` or a `timestamp` with an "
    "offset": b'{"records": [{"uuid": "1", "timestamp": "now"}]}',
}


def render(document: str) -> str:
    """Return the document with its table replaced."""
    return TABLE.sub(lambda found: f"{found[1]}{HEADER}{''.join(_rows())}{found[2]}", document)


def _rows() -> Iterator[str]:
    causes = _causes()
    for error in _classes():
        happened, to_do = (
            " ".join(part.split()) for part in (inspect.getdoc(error) or "").split("\n\n")
        )
        again = "yes" if error in causes and is_tried_again(error("")) else "no"
        retried = "no" if issubclass(error, AirflowFailException) else "yes"
        seen = f" {'; '.join(causes[error])}." if error in causes else ""
        yield f"| {happened}{seen} | `{error.__name__}` | {again} | {retried} | {to_do} |\n"


def _classes() -> list[type[VoisoError]]:
    """Return every class that is raised, in the order of the module."""
    found = [
        value
        for value in vars(exceptions).values()
        if isinstance(value, type) and issubclass(value, VoisoError)
    ]
    return [value for value in found if value not in NEVER_RAISED]


def _causes() -> dict[type[VoisoError], list[str]]:
    """Return what ends in each class, as the code that judges answers has it."""
    causes: dict[type[VoisoError], list[str]] = defaultdict(list)
    judged = {status: type(error_of_status("", "/", status, b"")) for status in range(201, 600)}
    for error in dict.fromkeys(judged.values()):
        assert issubclass(error, VoisoError)
        causes[error].append(
            f"Status {_ranges(status for status in judged if judged[status] is error)}"
        )
    causes[exceptions.VoisoResponseError].append("more than 128 MiB")
    for cause, failure in NETWORK.items():
        causes[type(error_of_failure("", "/", failure))].append(cause)
    for cause, body in BODIES.items():
        causes[_judged(body)].append(f"status 200 with {cause}")
    return {
        error: [found[0][0].upper() + found[0][1:], *found[1:]] for error, found in causes.items()
    }


def _judged(body: bytes) -> type[VoisoError]:
    try:
        parse_page(body)
    except VoisoError as failure:
        return type(failure)
    raise AssertionError(body)


def _ranges(numbers: Iterable[int]) -> str:
    runs = [
        [number for _, number in run]
        for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


if __name__ == "__main__":
    DOCUMENT.write_text(render(DOCUMENT.read_text()))
