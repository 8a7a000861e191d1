"""Asks for records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.api.records import Page, parse_page
from airflow_provider_voiso.api.v2.witness import longest_duration
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from airflow_provider_voiso.api.transport import Transport
    from airflow_provider_voiso.api.v2.clock import Span
    from airflow_provider_voiso.api.v2.paging import Pager

CDR_PATH = "/api/v2/cdr"


class Search:
    """Asks for records.

    :param transport: sends the requests
    :param params: the filters
    :param longest: the longest interaction that may occur, or None if that does not matter
    """

    def __init__(self, transport: Transport, params: Mapping[str, str], longest: timedelta | None = None) -> None:
        self._transport = transport
        self._params = params
        self._longest = longest
        self._kept: tuple[Span, int, Page] | None = None

    def __call__(self, span: Span, *, token: str | None, page: int | None, per_page: int) -> Page:
        """Send one request, unless its answer is kept."""
        if self._kept and token is None and page == 1 and self._kept[:2] == (span, per_page):
            kept, self._kept = self._kept[2], None
            return kept
        params = {
            **self._params,
            "start_datetime": span.start_datetime,
            "end_datetime": span.end_datetime,
            "per_page": str(per_page),
            **({"page": str(page)} if page is not None else {}),
            **({"search_token": token} if token is not None else {}),
        }
        answer = self._transport.get(CDR_PATH, params, parse_page)
        if self._longest is not None and longest_duration(answer) > self._longest:
            raise VoisoConfigurationError(
                f"An interaction lasted longer than the {self._longest} that the connection's extra "
                "'longest_interaction' tells, so others may be missing. Set it to more hours."
            )
        return answer

    def first(self, span: Span, per_page: int) -> Page:
        """Return the first answer to a search, and keep it for the walk, which asks for it again."""
        page = self(span, token=None, page=1, per_page=per_page)
        self._kept = (span, per_page, page)
        return page

    def unfiltered(self) -> Search:
        """Return what asks for all records."""
        return Search(self._transport, {})

    def limited_to(self, longest: timedelta) -> Search:
        """Return what asks for the same records and refuses longer interactions."""
        return Search(self._transport, self._params, longest)

    def pages(self, span: Span, pager: Pager) -> Iterator[Page]:
        """Yield the answers to the search for a span, as long as a caller wants them."""
        sink = _LastPage()
        for _ in pager.walk(self, span, sink):
            if sink.page is not None:
                yield sink.page


class _LastPage:
    """Keeps the last answer of a walk."""

    page: Page | None = None

    def add(self, page: Page, span: Span) -> None:  # noqa: ARG002 - as walks want it
        """Keep it."""
        self.page = page

    def forget(self, span: Span) -> None:
        """Nothing to drop: what was found was found."""
