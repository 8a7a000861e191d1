"""How many records one answer can hold, and whether an answer holds its whole search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_voiso.exceptions import VoisoBadRequestError, VoisoPaginationError

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.clock import Span

BATCH = 10_000
"""Records that one search returns without a token, according to the vendor's page."""


class Ask(Protocol):
    """Sends one request for a page of a search."""

    def __call__(
        self, span: Span, *, per_page: int, page: int = 1, token: str | None = None
    ) -> Page:
        """Return the answer.

        :raises VoisoBadRequestError: if the API refuses the request
        """
        ...


class AnswerSize:
    """How many records an answer can hold, as far as that is known.

    All walks of a client share one.

    :param per_page: records to request per answer
    :param batch: records after which the API needs a token
    """

    def __init__(self, per_page: int, *, batch: int = BATCH) -> None:
        self.batch = batch
        self.asked = min(per_page, batch)
        self._full = self.asked
        self._largest = 0
        self._ends_with_token = False
        self.probes = 0

    def note(self, page: Page) -> None:
        """Learn from an answer how many records one can hold.

        :raises VoisoPaginationError: if it holds more than were requested
        """
        count = len(page)
        if count > self.asked:
            raise VoisoPaginationError(
                f"The API returned {count} records where {self.asked} were asked for. Set the "
                f"connection's extra 'per_page' to {count} or more."
            )
        if count > self._full:
            self._full = self.asked
        self._largest = max(self._largest, count)

    def is_whole(self, ask: Ask, span: Span, page: Page) -> bool:
        """Tell whether the first page of a search holds the whole search.

        A full page does not. A shorter page does if a longer one was seen before. If none was, the
        API may cap the page size without saying so, and one more request tells a cap from the end.
        A token with a short page suggests a cap, until a whole page comes with a token too.
        """
        count = len(page)
        has_been_longer = count < self._largest
        self.note(page)
        if count >= self._full:
            return False
        is_plain = page.token is None or self._ends_with_token
        if count == 0 or (has_been_longer and is_plain):
            return True
        is_end = self._is_end(ask, span, page)
        if is_end and page.token is not None:
            self._ends_with_token = True
        return is_end

    def _is_end(self, ask: Ask, span: Span, page: Page) -> bool:
        """Tell whether no record follows, by a request for a page that would hold it."""
        self.probes += 1
        count = len(page)
        number, size = _page_across(count, self.batch)
        try:
            found = ask(span, page=number, per_page=size).uuids
        except VoisoBadRequestError:
            return count <= 2
        if not set(page.uuids).issuperset(found):
            self._full = count
            return False
        return count <= 2 or found == page.uuids[(number - 1) * size :]


def _page_across(count: int, batch: int) -> tuple[int, int]:
    """Return the number and size of a page with record number ``count`` and the one after it.

    The page is no larger than ``count`` and lies within the batch. If it holds the known records
    and no other, the search ends there and nothing has moved since. For one or two records there is
    no such page; the page after them is returned.
    """
    for size in range(2, count):
        number = count // size + 1
        if count % size and number * size <= batch:
            return number, size
    return 2, count
