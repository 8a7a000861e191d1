"""One authenticated request: keep-alive, a deadline, retries, typed errors, and silence about the key."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections import Counter
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_voiso.api.deadline import DeadlineAdapter
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import HTTPResponse

    from airflow_provider_voiso.api.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
LONGEST_WAIT = 120.0
"""Seconds; the API publishes no limit for 429, so an absurd Retry-After must not hold a worker for hours."""
_MORE_PATIENCE = 4
"""Whoever is refused for asking too often knows that the API is well, and may be refused many times in a row."""
_WIDEST_SPREAD = 16.0
"""Seconds within which tasks that were refused together ask again; longer ones would leave the API idle."""
LARGEST_ANSWER = 128 << 20
"""Bytes, unpacked; ten thousand records of 13 kB each. An answer without end must not fill a worker's memory."""
_RETRIED = (VoisoRateLimitError, VoisoServerError, VoisoTransportError, VoisoResponseError)
_UNASKABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidSchema,
)
_QUERY_WITH_KEY = re.compile(r"\?[^\s\"']*\bkey=[^\s\"']*")


class _HideQueries(logging.Filter):
    """Cuts query strings that hold a key out of urllib3's own messages, which name every URL at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "key=" in (message := record.getMessage()):
            record.msg, record.args = _QUERY_WITH_KEY.sub("?…", message), ()
        return True


_hide_queries = _HideQueries()


class Transport:
    """Sends GET requests for one account over kept-alive connections; safe to use from several threads.

    :param settings: host, key, timeouts and limits
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = requests.Session()
        # The environment's proxy would read the key in a plain request; of one by TLS it learns the host's name.
        self._session.trust_env = settings.base_url.startswith("https:")
        self._session.auth = _keep_headers  # without it requests would send a password from ~/.netrc to the host
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=settings.max_connections, max_retries=0)
        self._session.mount(settings.base_url, adapter)
        self._lock = threading.Lock()
        self._next_start = 0.0
        self.requests = 0
        for name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
            logging.getLogger(name).addFilter(_hide_queries)

    def close(self) -> None:
        """Close every kept-alive connection."""
        self._session.close()

    def get(self, path: str, params: Mapping[str, str], parse: Callable[[bytes], T]) -> T:
        """Send one GET request, again while that can help, and return what ``parse`` makes of the body.

        It is sent again ``max_retries`` times, or four times as often if the API says that it is asked too often.

        :param path: path below the host
        :param params: query parameters without the key
        :param parse: reads a body; its :class:`VoisoResponseError` counts as a failed try
        :raises VoisoError: of the class that fits the last try, once every retry is used up or none can help
        """
        tries: Counter[bool] = Counter()
        while True:
            wait, result = self._try(path, params, parse)
            if not isinstance(result, VoisoError):
                return result
            most, longest = self._settings.max_retries, LONGEST_WAIT
            if refused := isinstance(result, VoisoRateLimitError):
                most, longest = most * _MORE_PATIENCE, _WIDEST_SPREAD
            if not is_tried_again(result) or tries[refused] >= most:
                raise result
            pause = _pause(min(2.0 ** tries[refused], longest), wait)
            tries[refused] += 1
            log.warning("%s Trying again in %.1f s (%d of %d).", result, pause, tries[refused], most)
            time.sleep(pause)

    def _try(
        self, path: str, params: Mapping[str, str], parse: Callable[[bytes], T]
    ) -> tuple[float | None, T | VoisoError]:
        """Return the seconds the API asks to wait, if it does, and the result or the error of one try.

        Errors are returned, not raised, so that no exception of requests, which holds the whole URL with the key,
        becomes their context.
        """
        try:
            status, wait, body = self._send(path, params)
        except (VoisoResponseError, requests.exceptions.RequestException, HTTPError, OSError, UnicodeError) as failure:
            return None, self._failure(path, failure)
        except BaseException as interruption:  # noqa: BLE001 - such as a task's timeout; frames behind it hold the URL
            interruption.__context__ = None
            raise interruption.with_traceback(None) from None
        try:
            return wait, self._error(status, path, body) or parse(body)
        except VoisoError as failure:
            failure.__context__ = None  # a decoder's error holds the body
            return wait, failure.with_traceback(None)

    def _send(self, path: str, params: Mapping[str, str]) -> tuple[int, float | None, bytes]:
        settings = self._settings
        self._take_turn()
        with self._session.get(
            settings.base_url + path,
            params={**params, "key": settings.key},
            timeout=settings.timeout,
            verify=settings.verify,
            allow_redirects=False,
            stream=True,
        ) as response:
            packed = response.headers.get("Content-Encoding", "identity").lower()
            if response.status_code == 200 and packed not in {"identity", "gzip"}:
                raise VoisoResponseError("The API's answer is packed in a way that was not asked for.")
            body = _body(response.raw, is_packed=packed == "gzip")
            return response.status_code, _retry_after(response.headers.get("Retry-After")), body

    def _take_turn(self) -> None:
        with self._lock:
            self.requests += 1
            if self._settings.requests_per_second is None:
                return
            now = time.monotonic()
            start = max(now, self._next_start)
            self._next_start = start + 1 / self._settings.requests_per_second
        time.sleep(start - now)

    def _failure(self, path: str, failure: Exception) -> VoisoError:
        host = self._settings.base_url
        if isinstance(failure, VoisoResponseError):
            return failure.with_traceback(None)
        if isinstance(failure, requests.exceptions.SSLError):
            return VoisoTlsError(
                f"The certificate of {host} was not accepted. Check the connection's host, or give the path of the CA "
                "bundle that signed it in the extra 'verify'."
            )
        if "TLS CA certificate bundle" in str(failure):
            return VoisoTlsError(
                f"The CA bundle by which to judge {host} does not exist. Check the path in the connection's extra "
                "'verify', or in the environment's REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE."
            )
        if isinstance(failure, (*_UNASKABLE, UnicodeError)):
            return VoisoBadRequestError(
                f"{host} is not a host that can be asked. Check the connection's host, and the proxy if the "
                "environment names one in HTTPS_PROXY or ALL_PROXY."
            )
        return VoisoTransportError(
            f"No whole answer came from {host}{path}: {_reason(failure)}. Check the connection's host and the network, "
            "or raise its extra 'timeout'."
        )

    def _error(self, status: int, path: str, body: bytes) -> VoisoError | None:  # noqa: PLR0911 - one line a status
        host = self._settings.base_url
        if status == 200:
            return None
        if status == 401 or (status in {400, 404, 422} and b"invalid user api key" in body[:1000].lower()):
            return VoisoAuthenticationError(
                f"{host} does not know the API key (status {status}). Check the connection's password (the API key) "
                "and that its host is the cluster of that key's owner."
            )
        if status == 403:
            return VoisoPermissionError(
                f"The API key may not read {path} on {host} (status 403). Ask the account's administrator for "
                "access to call detail records."
            )
        if status == 429:
            return VoisoRateLimitError(
                f"{host} says that it is asked too often (status 429). Set the connection's extra "
                "'requests_per_second'."
            )
        if status >= 500 or status == 408:
            return VoisoServerError(
                f"{host} failed to answer {path} (status {status}). Run the task again later; if it lasts, tell Voiso."
            )
        if 300 <= status < 400:
            return VoisoBadRequestError(
                f"{host} redirects {path} elsewhere (status {status}); the key is never sent on. "
                "Check the connection's host."
            )
        return VoisoBadRequestError(
            f"{host} refused the request for {path} (status {status}). Check the connection's host "
            "and the task's filters."
        )


def _body(raw: HTTPResponse, *, is_packed: bool) -> bytes:
    """Return a body, unpacked.

    :raises VoisoResponseError: if it is larger than any answer
    """
    if not is_packed and raw.length_remaining is not None and raw.length_remaining <= LARGEST_ANSWER:
        return raw.read()
    parts, size = [], 0
    # urllib3 before 2.6 unpacks all that it has read at once, a thousandfold at worst.
    while part := raw.read1(1 << 16, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise VoisoResponseError(
                f"The API's answer has more than {LARGEST_ANSWER >> 20} MiB. Lower the connection's extra 'per_page'."
            )
    return b"".join(parts)


def is_tried_again(error: VoisoError) -> bool:
    """Tell whether a request is sent again after this error."""
    return isinstance(error, _RETRIED) and not isinstance(error, VoisoTlsError)


def _pause(spread: float, asked: float | None) -> float:
    """Return the seconds to wait: what the API asks, and by chance up to ``spread`` more, as others were asked too."""
    if asked is None:
        return random.uniform(spread / 2, spread)  # noqa: S311 - no secret
    return min(asked + random.uniform(0, spread), LONGEST_WAIT)  # noqa: S311 - no secret


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(failure: BaseException) -> str:
    """Name the kind of a failure; its own text holds the URL."""
    text = str(failure)
    if isinstance(failure, requests.exceptions.ProxyError):
        return "the proxy that the environment names in HTTPS_PROXY or ALL_PROXY did not connect"
    for kind, words in (
        ("the host name is unknown", ("NameResolution", "getaddrinfo", "Name or service")),
        ("connection refused", ("Connection refused",)),
        ("connection reset", ("reset by peer", "Connection aborted", "RemoteDisconnected")),
        ("the answer broke off", ("IncompleteRead", "ChunkedEncoding")),
    ):
        if any(word in text for word in words):
            return kind
    if isinstance(failure, requests.exceptions.Timeout) or "Timeout" in type(failure).__name__:
        return "it took longer than the timeout"
    return type(failure).__name__


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
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124 - not a number
