"""The error for each status and each failure of a request.

No error repeats a URL or an answer.
"""

from __future__ import annotations

import requests

from airflow_provider_voiso.exceptions import (
    VoisoAuthenticationError,
    VoisoBadRequestError,
    VoisoError,
    VoisoPermissionError,
    VoisoRateLimitError,
    VoisoServerError,
    VoisoTlsError,
    VoisoTransportError,
)

_UNASKABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidSchema,
    UnicodeError,
)
_KINDS = (
    ("the host name is unknown", ("NameResolution", "getaddrinfo", "Name or service")),
    ("connection refused", ("Connection refused",)),
    ("connection reset", ("reset by peer", "Connection aborted", "RemoteDisconnected")),
    ("the answer broke off", ("IncompleteRead", "ChunkedEncoding")),
)
"""Kinds of failure, each with words that occur in no other kind's text."""


def error_of_status(  # noqa: PLR0911 - one line a status
    host: str, path: str, status: int, body: bytes
) -> VoisoError | None:
    """Return the error for an answer's status, None for 200.

    :param host: scheme, host and port of the API
    :param path: path of the request
    :param status: HTTP status
    :param body: body of the answer, which the error never repeats
    """
    if status == 200:
        return None
    if status == 401 or (
        status in {400, 404, 422} and b"invalid user api key" in body[:1000].lower()
    ):
        return VoisoAuthenticationError(
            f"{host} does not know the API key (status {status}). Check the connection's password "
            "(the API key) and that its host is the cluster of that key's owner."
        )
    if status == 403:
        return VoisoPermissionError(
            f"The API key may not read {path} on {host} (status 403). Ask the account's "
            "administrator for access to call detail records."
        )
    if status == 429:
        return VoisoRateLimitError(
            f"{host} says that it is asked too often (status 429). Set the connection's extra "
            "'requests_per_second'."
        )
    if status >= 500 or status == 408:
        return VoisoServerError(
            f"{host} failed to answer {path} (status {status}). Run the task again later; if it "
            "lasts, tell Voiso."
        )
    if 300 <= status < 400:
        return VoisoBadRequestError(
            f"{host} redirects {path} elsewhere (status {status}); the key is never sent on. Check "
            "the connection's host."
        )
    return VoisoBadRequestError(
        f"{host} refused the request for {path} (status {status}). Check the connection's host and "
        "the task's filters."
    )


def error_of_failure(host: str, path: str, failure: Exception) -> VoisoError:
    """Return the error for a request without a whole answer.

    :param host: scheme, host and port of the API
    :param path: path of the request
    :param failure: an error of requests, of urllib3 or of the operating system; its text may hold
        the URL
    """
    if isinstance(failure, requests.exceptions.SSLError):
        return VoisoTlsError(
            f"The certificate of {host} was not accepted. Check the connection's host, or give the "
            "path of the CA bundle that signed it in the extra 'verify'."
        )
    if "TLS CA certificate bundle" in str(failure):
        return VoisoTlsError(
            f"The CA bundle by which to judge {host} does not exist. Check the path in the "
            "connection's extra 'verify', or in the environment's REQUESTS_CA_BUNDLE or "
            "CURL_CA_BUNDLE."
        )
    if isinstance(failure, _UNASKABLE):
        return VoisoBadRequestError(
            f"{host} is not a host that can be asked. Check the connection's host, and the proxy "
            "if the environment names one in HTTPS_PROXY or ALL_PROXY."
        )
    return VoisoTransportError(
        f"No whole answer came from {host}{path}: {_reason(failure)}. Check the connection's host "
        "and the network, or raise its extra 'timeout'."
    )


def _reason(failure: BaseException) -> str:
    """Name the kind of a failure; its own text holds the URL."""
    text = str(failure)
    if isinstance(failure, requests.exceptions.ProxyError):
        return "the proxy that the environment names in HTTPS_PROXY or ALL_PROXY did not connect"
    for kind, words in _KINDS:
        if any(word in text for word in words):
            return kind
    if isinstance(failure, requests.exceptions.Timeout) or "Timeout" in type(failure).__name__:
        return "it took longer than the timeout"
    return type(failure).__name__
