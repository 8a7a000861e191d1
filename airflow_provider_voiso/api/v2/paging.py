"""The walk through a span of time, one whole answer at a time.

One answer is one moment: whatever moves in the account while others are asked for, a record that stays where it is
stands in it. So every search is asked for its first page only. If that holds all of the search, its span is done. If
not, the walk goes on by time: records in the order of time lead to the second of the last one, records in any other
order to the two halves of the span. Page numbers and search tokens, which hold only while nothing moves, are left for
one second that holds more than one answer.

A record that moves from what is still unread into what was read can escape any walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from airflow_provider_voiso.api.v2.clock import Span
from airflow_provider_voiso.api.v2.crowded_second import pages_of_second
from airflow_provider_voiso.api.v2.witness import points
from airflow_provider_voiso.api.window import MICROSECOND
from airflow_provider_voiso.exceptions import VoisoBadRequestError, VoisoPaginationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.clock import DateRule

BATCH = 10_000
"""Records that one search returns without a token, by the vendor's page."""
_SECOND = timedelta(seconds=1)
_DISTINCT_SECONDS = 12
"""Fewer can stand in order by chance: twelve do once in 240 million times."""
_SAMPLES = 64


class Ask(Protocol):
    """Sends one request for a page of a search."""

    def __call__(self, span: Span, *, per_page: int, page: int = 1, token: str | None = None) -> Page:
        """Return the answer; raise :class:`VoisoBadRequestError` if the API refuses the request."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a walk.

    :param page: its records, in the order of time
    :param span: the seconds it was asked for
    :param is_final: False if all of its records are asked for again, in shorter spans
    """

    page: Page
    span: Span
    is_final: bool = True


class AnswerSize:
    """How many records an answer can hold, as far as that is known; all walks of a client share it.

    :param per_page: records to ask for per answer
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

        :raises VoisoPaginationError: if there are more than were asked for
        """
        count = len(page)
        if count > self.asked:
            raise VoisoPaginationError(
                f"The API returned {count} records where {self.asked} were asked for. Set the connection's "
                f"extra 'per_page' to {count} or more."
            )
        if count > self._full:
            self._full = self.asked
        self._largest = max(self._largest, count)

    def is_whole(self, ask: Ask, span: Span, page: Page) -> bool:
        """Tell whether the first page of a search holds all of it.

        A full page does not. A shorter one does if a longer one was seen, else one request tells a silent cap of the
        page size from the end. A token with a short page is a sign of a cap, until one comes with a page that is whole.
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
        """Ask for the page in which the next record would stand behind the last one."""
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
    """Return the number and size of a page that holds record number ``count`` and the one behind it.

    The page is no larger than the answer that was seen, and lies within the batch. Where it holds the known records
    and no other, nothing has moved since. No page of one or two records can do that; the one behind them is returned.
    """
    for size in range(2, count):
        number = count // size + 1
        if count % size and number * size <= batch:
            return number, size
    return 2, count


class Walk:
    """Reads spans to their end.

    :param ask: sends one request
    :param size: what is known of answers' sizes
    :param rule: how the API applies dates; None if that is unknown, so that spans can only be halved
    """

    def __init__(self, ask: Ask, size: AnswerSize, rule: DateRule | None = None) -> None:
        self._ask = ask
        self._size = size
        self._rule = rule

    def answers(self, span: Span, first: Page | None = None) -> Iterator[Answer]:
        """Yield answers until every record of a span was in a final one, at least once.

        :param first: the answer to the search for the span, if it was asked for already
        :raises VoisoPaginationError: if one second holds more records than pages and tokens lead through
        :raises VoisoUnsettledError: if the records of such a second keep changing
        """
        unread = [span]
        while unread:
            span = unread.pop()
            page = first or self._ask(span, per_page=self._size.asked)
            first = None
            if self._size.is_whole(self._ask, span, page):
                yield Answer(page.in_order(), span)
            elif span.first == span.last:
                for each in pages_of_second(self._ask, span, page, self._size.batch):
                    yield Answer(each.in_order(), span)
            else:
                ordered = page.in_order()
                rest, is_final = self._rest(page, ordered, span)
                yield Answer(ordered, span, is_final)
                unread += reversed(rest)

    def _rest(self, page: Page, ordered: Page, span: Span) -> tuple[list[Span], bool]:
        """Return the spans to ask for after an answer that is not whole, and whether it is final."""
        seam = None if self._rule is None else _seam(page, ordered, self._rule)
        if seam is None or self._rule is None:
            return list(span.halves()), False
        first = self._rule.first_second(seam.second)
        last = self._rule.last_second(seam.second + _SECOND - MICROSECOND)
        rest = Span(span.first, min(span.last, last))
        if seam.is_ascending:
            rest = Span(max(span.first, first), span.last)
        if rest.first > rest.last:
            return [], True
        if rest != span:
            return [rest], True
        # One second fills an answer alone, or the clock changes and hides how far the answer leads.
        if first == last == span.first:
            return [Span(first, first), Span(first + 1, span.last)], False
        if first == last == span.last:
            return [Span(span.first, last - 1), Span(last, last)], False
        return list(span.halves()), False


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where an answer in the order of time breaks off.

    :param second: the second of its last record
    :param is_ascending: whether what lies behind that second is unread, or what lies before it
    """

    second: datetime
    is_ascending: bool


def _seam(page: Page, ordered: Page, rule: DateRule) -> _Seam | None:
    """Return where an answer breaks off, None if its records are not in the order of time."""
    instants = points(page, rule.acts_on)
    step = -(-len(instants) // _SAMPLES)
    if len({instant.replace(microsecond=0) for instant in instants[::step]}) < _DISTINCT_SECONDS:
        return None
    ascending = ordered.ended if rule.acts_on == "end" else sorted(instants)
    last = instants[-1].replace(microsecond=0)
    if instants[0] > instants[-1]:
        return _Seam(last, is_ascending=False) if _agree(instants[::-1], ascending) else None
    return _Seam(last, is_ascending=True) if _agree(instants, ascending) else None


def _agree(instants: list[datetime], ascending: list[datetime]) -> bool:
    """Tell whether instants ascend, within one second in any order."""
    if instants == ascending:
        return True
    seconds = [instant.replace(microsecond=0) for instant in instants]
    return seconds == [instant.replace(microsecond=0) for instant in ascending]
