"""Authorization of requests to API v2: the key stands in the query string."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import PreparedRequest

    from airflow_provider_voiso.api.transport import Authorize


def key_in_query(key: str) -> Authorize:
    """Return a function that appends the API key to a request's query string.

    :param key: API key of one Voiso user
    """

    def authorize(request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(request.url, {"key": key})
        return request

    return authorize
