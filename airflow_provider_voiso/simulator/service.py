"""The simulated API without its transport: a request goes in, an answer comes out."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, urlsplit

from .account import REFERENCES, reference_list
from .faults import Faults, Response, Where, distorted, gzipped, json_response
from .filters import PARAMETERS, RefusedError
from .paging import Answer, Pager, page_request
from .search import Searcher, epoch_us

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .days import Days
    from .readings import Readings
    from .record import Record

CDR_PATH = "/api/v2/cdr"
KEPT_REQUESTS = 10_000
State = Literal["now", "before", "after", "stayed"]


@dataclass(frozen=True)
class Request:
    """One logged request.

    :param method: HTTP method
    :param path: path without the query
    :param params: query parameters without the key
    :param status: status of the answer, 0 if the connection was cut instead
    :param at: time of arrival, in seconds on a monotonic clock
    """

    method: str
    path: str
    params: dict[str, str]
    status: int
    at: float


@dataclass(frozen=True)
class Keys:
    """The keys that the API knows.

    :param full: key that sees every record
    :param teams: keys that see only records of agents of some teams, with those teams' ids
    :param forbidden: keys that are known but may read nothing (403)
    """

    full: str
    teams: Mapping[str, frozenset[int]] = field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()

    def rights(self, key: str | None, refusal: int) -> frozenset[int] | None:
        """Return the teams that a key may see, or None for all.

        :param key: key of the request
        :param refusal: status of the answer to a wrong key
        :raises RefusedError: if the key is missing, wrong or without rights
        """
        if key == self.full:
            return None
        if key is not None and key in self.teams:
            return self.teams[key]
        if key in self.forbidden:
            raise RefusedError("Access denied", 403)
        raise RefusedError("Invalid User API Key", refusal if key else 401)


class Service:
    """Answers requests to the vendor's paths.

    :param days: the calendar
    :param readings: the switches
    :param keys: the keys that it knows
    :param now: end of a search that names none, or None for the computer's clock
    :param requests_per_second: answer 429 above this rate, or None for no limit
    """

    def __init__(
        self,
        days: Days,
        readings: Readings,
        keys: Keys,
        now: datetime | None,
        requests_per_second: float | None,
    ) -> None:
        self.faults = Faults()
        self.readings = readings
        self.log: deque[Request] = deque(maxlen=KEPT_REQUESTS)
        self.requests = 0
        self.cdr_requests = 0
        self._days = days
        self._keys = keys
        self._searcher = Searcher(days, readings, now)
        self._pager = Pager(readings, self._searcher.key)
        self._rate = requests_per_second
        self._allowance = max(1.0, requests_per_second or 0.0)
        self._last = time.monotonic()
        self._answered = 0
        self._asked_step = 0
        self._lock = threading.Lock()

    @property
    def step(self) -> int:
        """Number of the drift's steps that have happened."""
        drift = self._days.drift
        return max(self._asked_step, drift.step_after(self._answered)) if drift else 0

    def drift_now(self, step: int | None = None) -> None:
        """Let the drift happen, whatever its ``after`` says.

        :param step: how many of its steps, or None for all
        :raises ValueError: if the drift has no such step
        """
        self._asked_step = max(self._asked_step, self._steps if step is None else self._known(step))

    @property
    def _steps(self) -> int:
        return self._days.drift.steps if self._days.drift else 0

    def _known(self, step: int) -> int:
        if not 0 <= step <= self._steps:
            raise ValueError(f"step is {step}; the drift has steps from 0 to {self._steps}.")
        return step

    def _step_of(self, state: State | int) -> int | None:
        if isinstance(state, int):
            return self._known(state)
        if state == "stayed":
            return None
        steps = {"now": self.step, "before": 0, "after": self._steps}
        if state not in steps:
            raise ValueError("state must be now, before, after, stayed or the number of a step")
        return steps[state]

    def truth(
        self,
        start: datetime,
        end: datetime,
        filters: Mapping[str, object] | None,
        state: State | int,
        team_ids: frozenset[int] | None = None,
    ) -> dict[str, bytes]:
        """Return uuid and bytes of every record that ended in ``[start, end)``, oldest first."""
        params = {name: _text(value) for name, value in (filters or {}).items()}
        unknown = params.keys() - PARAMETERS
        if unknown:
            raise RefusedError(f"unknown parameter {', '.join(sorted(unknown))}")
        step = self._step_of(state)
        records = self._searcher.truth(epoch_us(start), epoch_us(end), params, team_ids, step)
        return {record.uuid: record.raw for record in records}

    def respond(self, method: str, target: str, accepts_gzip: bool) -> Response:
        """Answer one request and log it.

        :param method: HTTP method
        :param target: path and query
        :param accepts_gzip: whether the request accepts a compressed answer
        """
        at = time.monotonic()
        split = urlsplit(target)
        pairs = parse_qsl(split.query, keep_blank_values=True)
        params = dict(pairs)
        name = split.path.removeprefix(CDR_PATH).lstrip("/") or "cdr"
        with self._lock:
            self.requests += 1
            self.cdr_requests += split.path == CDR_PATH
            nth = self.requests
            limited = self._limited()
        where = Where(nth, name)
        answer: Answer | None = None
        try:
            if limited:
                response = json_response(429, {"error": "Too Many Requests"}, {"Retry-After": "1"})
            else:
                result = self._result(method, split.path, name, params, len(pairs), nth)
                if isinstance(result, Answer):
                    answer = result
                    where = Where(nth, name, answer.page, answer.token_ordinal, answer.position)
                    response = Response(200, answer.body())
                else:
                    response = result
        except RefusedError as error:
            response = json_response(error.status, {"error": str(error)})
        fault = self.faults.take(where)
        if fault:
            response = distorted(fault, response, answer)
        elif answer:
            with self._lock:
                self._answered += 1
        if self.readings.gzip and accepts_gzip and "Content-Encoding" not in response.headers:
            response = gzipped(response)
        shown = {k: v for k, v in params.items() if k != "key"}
        status = 0 if response.cut == "before" else response.status
        self.log.append(Request(method, split.path, shown, status, at))
        return response

    def _result(
        self, method: str, path: str, name: str, params: dict[str, str], given: int, nth: int
    ) -> Answer | Response:
        if path not in {CDR_PATH, *(f"{CDR_PATH}/{reference}" for reference in REFERENCES)}:
            raise RefusedError("Not Found", 404)
        if method != "GET":
            return json_response(405, {"error": "Method Not Allowed"}, {"Allow": "GET"})
        team_ids = self._keys.rights(params.get("key"), self.readings.invalid_key_status)
        known = PARAMETERS if path == CDR_PATH else {"key"}
        if params.keys() - known:
            raise RefusedError(f"unknown parameter {', '.join(sorted(params.keys() - known))}")
        if given != len(params):
            raise RefusedError("a parameter was given twice")
        if path != CDR_PATH:
            items = reference_list(name, team_ids)
            wrapped = self.readings.references == "wrapped" and name in {
                "queues",
                "agents",
                "campaigns",
            }
            return json_response(200, {name: items} if wrapped else items)
        return self._pager.answer(self._rows(params, team_ids), params, nth)

    def _rows(self, params: dict[str, str], team_ids: frozenset[int] | None) -> list[Record]:
        _, per_page = page_request(params, self.readings)
        return self._searcher.rows(params, team_ids, min(per_page, self.readings.cap), self.step)

    def _limited(self) -> bool:
        if not self._rate:
            return False
        now = time.monotonic()
        # A second's worth may come at once, so a client that keeps to the rate on average passes.
        self._allowance = min(
            max(1.0, self._rate), self._allowance + (now - self._last) * self._rate
        )
        self._last = now
        if self._allowance < 1:
            return True
        self._allowance -= 1
        return False


def _text(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(item) for item in value)
    return str(value)
