"""Faults on purpose: which request each one hits, and how it changes the answer."""

from __future__ import annotations

import gzip
import json
import re
import threading
import zlib
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal, get_args

from .record import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .paging import Answer

FaultKind = Literal[
    "status", "gone", "reset_before", "reset_within", "truncated", "cut", "drip", "drip_headers",
    "endless", "large", "invalid_json", "html", "error_body", "missing_records", "scalar_records",
    "no_uuid", "no_timestamp", "bad_timestamp", "lying_gzip", "gzip_bomb", "redirect",
]  # fmt: skip
LARGE = 50_000_000
"""Bytes of a ``large`` answer."""
_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head>"
    b"<body><form>Sign in</form></body></html>"
)


@dataclass
class Response:
    """An answer as bytes, and how it is sent.

    :param cut: where the connection breaks: nowhere, ``before`` the answer or ``within`` its body
        by a reset, or within its body by an orderly ``end``
    :param drip: seconds between small pieces of the body, 0 for all at once
    :param drip_headers: seconds between the bytes of the headers, 0 for all at once
    :param endless: send blanks after the body until the client stops reading
    :param gone: stop listening
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"}
    )
    cut: Literal["", "before", "within", "end"] = ""
    drip: float = 0.0
    drip_headers: float = 0.0
    endless: bool = False
    gone: bool = False


@dataclass(frozen=True)
class Where:
    """Which request is being answered.

    :param request: number of the request since the start, from 1, over all the vendor's paths
    :param name: ``cdr`` or the name of the reference list
    :param page: page number, or None if the request was refused
    :param token: ordinal of the token in the request, 0 for none
    :param position: first, middle or last answer of its search
    """

    request: int
    name: str
    page: int | None = None
    token: int | None = None
    position: str | None = None


@dataclass(frozen=True)
class Fault:
    """One fault and the requests that it hits: those that meet every given condition.

    :param kind: the fault. ``status`` answers with another status; ``gone`` resets the connection
        and refuses all others until the simulator is started again; ``reset_before`` and
        ``reset_within`` reset the connection; ``truncated`` ends the connection within a body whose
        Content-Length announces the whole; ``cut`` sends part of the body with the Content-Length
        of that part; ``drip`` sends it in small pieces, and ``drip_headers`` the headers byte by
        byte; ``endless`` never ends the body; ``large`` pads the right answer with blanks to 50 MB;
        ``lying_gzip`` declares gzip and sends none; ``gzip_bomb`` sends a megabyte that unpacks to
        a gigabyte; the others answer 200 with an undocumented body
    :param status: status for ``status`` and ``redirect``
    :param retry_after: value of Retry-After; ``date+5`` becomes the HTTP date five seconds ahead
    :param delay: seconds between the pieces of ``drip`` and the bytes of ``drip_headers``
    :param location: target of ``redirect``
    :param request: number of the request since the start, from 1
    :param after: number of requests since the start that it spares
    :param page: page number of the answer
    :param token: number of tokens that led to the answer, 0 for none
    :param position: first, middle or last answer of its search; an only answer is the last
    :param path: ``cdr``, the name of a reference list, or None for any
    :param times: number of requests it hits, or None for all
    """

    kind: FaultKind
    status: int = 503
    retry_after: str | None = None
    delay: float = 0.01
    location: str = "/elsewhere"
    request: int | None = None
    after: int = 0
    page: int | None = None
    token: int | None = None
    position: Literal["first", "middle", "last"] | None = None
    path: str | None = "cdr"
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(
                f"Unknown fault {self.kind!r}; use one of {', '.join(get_args(FaultKind))}."
            )

    @classmethod
    def read(cls, values: Mapping[str, object]) -> Fault:
        """Return the fault that a JSON object describes.

        :raises ValueError: if a field is unknown or the kind is missing
        """
        known = {item.name for item in fields(cls)}
        if "kind" not in values or values.keys() - known:
            raise ValueError(
                f"A fault needs a kind and takes these fields only: {', '.join(sorted(known))}."
            )
        return cls(**values)  # type: ignore[arg-type]

    def hits(self, where: Where) -> bool:
        """Whether it hits this request."""
        return where.request > self.after and all(
            wanted is None or wanted == actual
            for wanted, actual in (
                (self.request, where.request),
                (self.path, where.name),
                (self.page, where.page),
                (self.token, where.token),
                (self.position, where.position),
            )
        )


class Faults:
    """The faults in waiting; each request meets at most one, the oldest that fits."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: FaultKind, **conditions: object) -> None:
        """Add a fault; see :class:`Fault` for its fields.

        :raises ValueError: if there is no such kind or field
        """
        fault = Fault.read({"kind": kind, **conditions})
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Remove every fault in waiting."""
        with self._lock:
            self._waiting.clear()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The faults in waiting."""
        with self._lock:
            return tuple(self._waiting)

    def take(self, where: Where) -> Fault | None:
        """Return the fault that hits a request, and count it as happened."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.hits(where):
                    if fault.times == 1:
                        del self._waiting[index]
                    elif fault.times is not None:
                        self._waiting[index] = replace(fault, times=fault.times - 1)
                    return fault
        return None


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    response = Response(status, dumps(value).encode())
    response.headers.update(headers or {})
    return response


def gzipped(response: Response) -> Response:
    """Return the answer compressed."""
    headers = {**response.headers, "Content-Encoding": "gzip"}
    return replace(response, body=gzip.compress(response.body, 1, mtime=0), headers=headers)


def distorted(fault: Fault, response: Response, answer: Answer | None) -> Response:
    """Return the answer that is sent in place of the right one.

    :param fault: the fault
    :param response: the right answer
    :param answer: the page of records in it, or None if it has none
    """
    if fault.kind in _ON_RECORDS:
        return replace(response, body=_distorted_page(fault.kind, answer)) if answer else response
    return _DISTORTIONS[fault.kind](fault, response)


def _status(fault: Fault, _: Response) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": _retry_after(fault.retry_after)}
    message = "Invalid User API Key" if fault.status == 401 else f"Simulated status {fault.status}"
    return json_response(fault.status, {"error": message}, headers)


def _redirect(fault: Fault, _: Response) -> Response:
    return Response(
        fault.status if 300 <= fault.status < 400 else 302, b"", {"Location": fault.location}
    )


def _gzip_bomb(_: Fault, right: Response) -> Response:
    blanks = b" " * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, again = (packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    # Data behind a full flush refers to nothing before it, so it can be repeated.
    return replace(
        right, body=first + again * 1023, headers={**right.headers, "Content-Encoding": "gzip"}
    )


_DISTORTIONS: dict[str, Callable[[Fault, Response], Response]] = {
    "status": _status,
    "redirect": _redirect,
    "html": lambda _, __: Response(200, _PAGE, {"Content-Type": "text/html; charset=utf-8"}),
    "error_body": lambda _, __: json_response(200, {"error": "Something went wrong"}),
    "invalid_json": lambda _, right: replace(right, body=right.body[:-1] + b",}"),
    "lying_gzip": lambda _, right: replace(
        right, headers={**right.headers, "Content-Encoding": "gzip"}
    ),
    "cut": lambda _, right: replace(right, body=right.body[: len(right.body) // 2]),
    "drip": lambda fault, right: replace(right, drip=fault.delay),
    "drip_headers": lambda fault, right: replace(right, drip_headers=fault.delay),
    "endless": lambda _, right: replace(right, endless=True),
    "large": lambda _, right: replace(right, body=right.body + b" " * (LARGE - len(right.body))),
    "gzip_bomb": _gzip_bomb,
    "gone": lambda _, right: replace(right, cut="before", gone=True),
    "reset_before": lambda _, right: replace(right, cut="before"),
    "reset_within": lambda _, right: replace(right, cut="within"),
    "truncated": lambda _, right: replace(right, cut="end"),
}
_ON_RECORDS = frozenset(
    {"missing_records", "scalar_records", "no_uuid", "no_timestamp", "bad_timestamp"}
)


def _distorted_page(kind: str, answer: Answer) -> bytes:
    if kind == "missing_records":
        return dumps(answer.fields).encode()
    middle = len(answer.records) // 2
    records = list(answer.records)
    if kind == "scalar_records" or not records:
        records[middle : middle + 1] = [b"42", b'"record"', b"null"]
    else:
        values = json.loads(records[middle])
        if kind == "bad_timestamp":
            values["timestamp"] = "yesterday, about noon"
        else:
            del values["uuid" if kind == "no_uuid" else "timestamp"]
        records[middle] = dumps(values).encode()
    return replace(answer, records=records).body()


def _retry_after(text: str) -> str:
    ahead = re.fullmatch(r"date([+-]\d+)", text)
    if not ahead:
        return text
    return format_datetime(
        datetime.now(timezone.utc) + timedelta(seconds=int(ahead[1])), usegmt=True
    )
