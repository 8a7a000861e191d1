"""How a request of API v2 tells whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import PreparedRequest

    from airflow_provider_voiso.api.transport import Authorize


def key_in_query(key: str) -> Authorize:
    """Return what adds the API key to a request's query string, behind its other parameters.

    :param key: API key of one Voiso user
    """

    def authorize(request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(request.url, {"key": key})
        return request

    return authorize
