"""Searches for an account's records, filtered, of a span of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.api.v2.record_times import longest_duration
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.transport import Transport
    from airflow_provider_voiso.api.v2.clock import Span

CDR_PATH = "/api/v2/cdr"


class Search:
    """Requests records.

    :param transport: sends the requests
    :param params: filters as request parameters
    :param longest: refuse longer interactions, or None for no limit
    """

    def __init__(
        self, transport: Transport, params: Mapping[str, str], longest: timedelta | None = None
    ) -> None:
        self._transport = transport
        self._params = params
        self._longest = longest

    def __call__(
        self, span: Span, *, per_page: int, page: int = 1, token: str | None = None
    ) -> Page:
        """Send one request and return its answer.

        :raises VoisoConfigurationError: if an interaction lasted longer than the connection says
        """
        params = {
            **self._params,
            "start_datetime": span.start_datetime,
            "end_datetime": span.end_datetime,
            "per_page": str(per_page),
            "page": str(page),
        }
        if token is not None:
            params["search_token"] = token
        answer = self._transport.get(CDR_PATH, params, parse_page)
        if self._longest is not None and longest_duration(answer) > self._longest:
            raise VoisoConfigurationError(
                f"An interaction lasted longer than the {self._longest} that the connection's "
                "extra 'longest_interaction' tells, so others may be missing. Set it to more hours."
            )
        return answer

    def unfiltered(self) -> Search:
        """Return the search without filters."""
        return Search(self._transport, {})

    def limited_to(self, longest: timedelta) -> Search:
        """Return the same search, but refusing longer interactions."""
        return Search(self._transport, self._params, longest)
