"""Reading of one second that holds more records than an answer: by page numbers, then by tokens.

The vendor's page describes this continuation. Its pages are answered at different moments, so the
second is read until two passes agree. Where a token continues is not documented for pages smaller
than a batch, so tokens are followed only after whole batches, where every reading is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.exceptions import (
    VoisoBadRequestError,
    VoisoPaginationError,
    VoisoUnsettledError,
)

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.answer_size import Ask
    from airflow_provider_voiso.api.v2.clock import Span

_MOST_PASSES = 5
_HINT = "Narrow the task's filters, or export this window in parts by filter."


def pages_of_second(ask: Ask, span: Span, first: Page, batch: int) -> list[Page]:
    """Return the pages of a search of one second.

    :param ask: sends one request
    :param span: the second
    :param first: the first page of the search, which is full
    :param batch: records that a search returns without a token
    :raises VoisoPaginationError: if pages and tokens do not lead through all records
    :raises VoisoUnsettledError: if no two passes in sequence find the same records
    """
    before: set[str] | None = None
    for _ in range(_MOST_PASSES):
        pages = (
            _batches(ask, span, batch)
            if len(first) == batch
            else _numbered(ask, span, len(first), batch)
        )
        found = {uuid for page in pages for uuid in page.uuids}
        if found == before:
            return pages
        before = found
    raise VoisoUnsettledError(
        "One second of it holds more than one answer, and its records changed in each of "
        f"{_MOST_PASSES} passes. Export it later, or put a VoisoCdrSensor with 'settle' before the "
        "export."
    )


def _numbered(ask: Ask, span: Span, size: int, batch: int) -> list[Page]:
    """Read the pages of one batch, each as large as the API allows."""
    pages: list[Page] = []
    seen: set[str] = set()
    for number in range(1, batch // size + 1):
        page = _page_or_none(ask, span, number, size)
        if page is None or seen.issuperset(page.uuids):
            return pages
        pages.append(page)
        seen.update(page.uuids)
        if len(page) < size:
            return pages
    raise VoisoPaginationError(
        f"One second of it holds more than {batch // size * size} records, and the API gives no "
        f"more than {size} at once. Set the connection's extra 'per_page' to {batch} if it is "
        f"lower. {_HINT}"
    )


def _page_or_none(ask: Ask, span: Span, number: int, size: int) -> Page | None:
    try:
        return ask(span, page=number, per_page=size)
    except VoisoBadRequestError:
        if number == 1:
            raise
        return None


def _batches(ask: Ask, span: Span, batch: int) -> list[Page]:
    """Follow tokens from batch to batch."""
    page = ask(span, per_page=batch)
    pages = [page]
    seen = set(page.uuids)
    tokens: set[str] = set()
    while page.token is not None:
        if page.token in tokens:
            raise _led_back(len(pages), batch)
        tokens.add(page.token)
        page = ask(span, per_page=batch, token=page.token)
        fresh = set(page.uuids) - seen
        if len(fresh) * 2 < len(page):
            raise _led_back(len(pages), batch)
        pages.append(page)
        seen |= fresh
    if len(pages) == 1:
        raise VoisoPaginationError(
            f"One second of it holds {batch} records or more, and the API gives no token that "
            f"leads further. {_HINT}"
        )
    return pages


def _led_back(batches: int, batch: int) -> VoisoPaginationError:
    return VoisoPaginationError(
        f"One second of it holds more than {batch} records, and a search token led back to records "
        f"that were already read, after {batches} batches. Run the task again. {_HINT}"
    )
