"""Asks for records under one reading of dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.api.clock import Bounds, Reading, Span
from airflow_provider_voiso.api.records import Page, parse_page
from airflow_provider_voiso.api.witness import longest_duration
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_voiso.api.paging import Pager
    from airflow_provider_voiso.api.transport import Transport

CDR_PATH = "/api/v2/cdr"


class Search:
    """Asks for records under one reading of dates.

    :param transport: sends the requests
    :param params: the filters
    :param reading: how the API reads dates
    """

    def __init__(self, transport: Transport, params: Mapping[str, str], reading: Reading) -> None:
        self._transport = transport
        self.params = params
        self.reading = reading
        self._kept: tuple[Span, int, Page] | None = None

    def __call__(self, span: Span, *, token: str | None, page: int | None, per_page: int) -> Page:
        """Send one request, unless its answer is kept."""
        if self._kept and token is None and page == 1 and self._kept[:2] == (span, per_page):
            kept, self._kept = self._kept[2], None
            return kept
        bounds = Bounds.of(span, self.reading)
        params = {
            **self.params,
            "start_datetime": bounds.start,
            "end_datetime": bounds.end,
            "per_page": str(per_page),
            **({"page": str(page)} if page is not None else {}),
            **({"search_token": token} if token is not None else {}),
        }
        answer = self._transport.get(CDR_PATH, params, parse_page)
        if self.reading.acts_on == "start" and longest_duration(answer) > self.reading.longest:
            raise VoisoConfigurationError(
                f"An interaction lasted longer than the {self.reading.longest} that the connection's extra "
                "'longest_interaction' tells, so others may be missing. Set it to more hours."
            )
        return answer

    def first(self, span: Span, per_page: int) -> Page:
        """Return the first answer to a search, and keep it for the walk, which asks for it again."""
        page = self(span, token=None, page=1, per_page=per_page)
        self._kept = (span, per_page, page)
        return page

    def under(self, reading: Reading) -> Search:
        """Return what asks for the same records under another reading, with the first answer if it holds there too."""
        other = Search(self._transport, self.params, reading)
        if self._kept and Bounds.of(self._kept[0], reading) == Bounds.of(self._kept[0], self.reading):
            other._kept = self._kept
        return other

    def unfiltered(self, reading: Reading) -> Search:
        """Return what asks for all records, under another reading."""
        return Search(self._transport, {}, reading)

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
