"""Authorized requests with keep-alive, a deadline, retries and errors that never show the URL."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_voiso.api.deadline import DeadlineAdapter
from airflow_provider_voiso.api.errors import error_of_failure, error_of_status
from airflow_provider_voiso.api.retry import LONGEST_WAIT, RetryBudget
from airflow_provider_voiso.exceptions import VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self
    from urllib3 import HTTPResponse

    from airflow_provider_voiso.api.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
Authorize = Callable[[requests.PreparedRequest], requests.PreparedRequest]
"""Adds the credentials to a request, as requests' own ``auth`` does."""

LARGEST_ANSWER = 128 << 20
"""Bytes of an unpacked body: ten thousand records of 13 kB each.

An endless answer must not fill a worker's memory.
"""
_FAILURES = (requests.exceptions.RequestException, HTTPError, OSError, UnicodeError)
_QUERY = re.compile(r"\?[^\s\"']+")
_is_asking: ContextVar[bool] = ContextVar("is_asking", default=False)


class _HideQueries(logging.Filter):
    """Cuts query strings out of urllib3's log messages, which name every URL at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _is_asking.get():
            record.msg, record.args = _QUERY.sub("?…", record.getMessage()), ()
        return True


_hide_queries = _HideQueries()


class _Try:
    """One try of a request, as a context manager that keeps its error instead of raising it.

    Exceptions of requests and urllib3 hold the whole URL, and those of decoders the body. Python
    attaches the exception being handled to a new one as its ``__context__``, and a traceback shows
    both. So the caller raises ``error`` after the context: it has no context and no frames.

    :param host: scheme, host and port of the API
    :param path: path of the request
    """

    def __init__(self, host: str, path: str) -> None:
        self._host = host
        self._path = path
        self.error: BaseException
        self.retry_after: float | None = None
        """Seconds of the answer's Retry-After, or None."""
        self.is_answered = False
        """Whether the whole answer arrived; later errors are not the network's."""

    def __enter__(self) -> Self:
        self._was_asking = _is_asking.set(True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        _is_asking.reset(self._was_asking)
        if error is None:
            return False
        if isinstance(error, _FAILURES) and not self.is_answered:
            error = error_of_failure(self._host, self._path, error)
        error.__context__ = error.__cause__ = None
        self.error = error.with_traceback(None)
        return True


class Transport:
    """Sends GET requests for one account over kept-alive connections.

    Several threads may use it.

    :param settings: host, timeouts and limits
    :param authorize: adds the credentials to each request
    """

    def __init__(self, settings: Settings, authorize: Authorize) -> None:
        self._settings = settings
        self._session = requests.Session()
        # The environment's proxy would see the key in a plain request; with TLS it sees only the
        # host's name.
        self._session.trust_env = settings.base_url.startswith("https:")
        # Setting auth also stops requests sending a password from ~/.netrc to the host.
        self._session.auth = authorize
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        adapter = DeadlineAdapter(
            pool_connections=1, pool_maxsize=settings.max_connections, max_retries=0
        )
        self._session.mount(settings.base_url, adapter)
        self._lock = threading.Lock()
        self._next_start = 0.0
        self.requests = self.retries = 0
        for name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
            logging.getLogger(name).addFilter(_hide_queries)

    def close(self) -> None:
        """Close every kept-alive connection."""
        self._session.close()

    def get(self, path: str, params: Mapping[str, str], parse: Callable[[bytes], T]) -> T:
        """Send one GET request and return the parsed body.

        The request is retried up to ``max_retries`` times, after a 429 up to four times as often.

        :param path: path below the host
        :param params: query parameters
        :param parse: parses a body; its :class:`VoisoResponseError` counts as a failed try
        :raises VoisoError: of the class that fits the last try, once the retries are used up or the
            error is permanent
        """
        budget = RetryBudget(self._settings.max_retries)
        while True:
            self._take_turn()
            with _Try(self._settings.base_url, path) as this_try:
                return self._ask(path, params, parse, this_try)
            retry = budget.take(this_try.error, this_try.retry_after)
            if retry is None:
                raise this_try.error
            log.warning(
                "%s Trying again in %.1f s (%d of %d).",
                this_try.error,
                retry.pause,
                retry.number,
                retry.most,
            )
            time.sleep(retry.pause)
            with self._lock:
                self.retries += 1

    def _ask(
        self, path: str, params: Mapping[str, str], parse: Callable[[bytes], T], this_try: _Try
    ) -> T:
        settings = self._settings
        with self._session.get(
            settings.base_url + path,
            params=params,
            timeout=settings.timeout,
            verify=settings.verify,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _body(response)
        this_try.is_answered = True
        this_try.retry_after = _retry_after(response.headers.get("Retry-After"))
        error = error_of_status(settings.base_url, path, response.status_code, body)
        if error is not None:
            raise error
        return parse(body)

    def _take_turn(self) -> None:
        with self._lock:
            self.requests += 1
            if self._settings.requests_per_second is None:
                return
            now = time.monotonic()
            start = max(now, self._next_start)
            self._next_start = start + 1 / self._settings.requests_per_second
        time.sleep(start - now)


def _body(response: requests.Response) -> bytes:
    """Return a body, unpacked.

    :raises VoisoResponseError: if its Content-Encoding was not accepted, or it is larger than
        :data:`LARGEST_ANSWER`
    """
    packed = response.headers.get("Content-Encoding", "identity").lower()
    if response.status_code == 200 and packed not in {"identity", "gzip"}:
        raise VoisoResponseError("The API's answer is packed in a way that was not asked for.")
    raw: HTTPResponse = response.raw
    if (
        packed != "gzip"
        and raw.length_remaining is not None
        and raw.length_remaining <= LARGEST_ANSWER
    ):
        return raw.read()
    parts, size = [], 0
    # Small reads: urllib3 before 2.6 unpacks each of them at once, to a thousand times its size.
    while part := raw.read1(1 << 16, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise VoisoResponseError(
                f"The API's answer has more than {LARGEST_ANSWER >> 20} MiB. Lower the "
                "connection's extra 'per_page'."
            )
    return b"".join(parts)


def _retry_after(value: str | None) -> float | None:
    """Read both forms of Retry-After, seconds and a date, capped to :data:`LONGEST_WAIT`."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_WAIT)
