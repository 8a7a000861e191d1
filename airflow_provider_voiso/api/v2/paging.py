"""The walk through a span of time, one whole answer at a time.

Records can appear, move and vanish between two requests, but each answer shows a single moment: a
record that does not move stands in it. So only the first page of every search is requested. If that
page holds the whole search, the span is done. If not, the walk continues by time. From records in
the order of time, it continues at the second of the last one. From records in any other order, it
continues with the two halves of the span. Page numbers and search tokens are right only while
nothing moves; they are used only for one second that holds more than one answer.

A record that moves from the unread part of the span into the part already read escapes any walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.clock import Span
from airflow_provider_voiso.api.v2.crowded_second import pages_of_second
from airflow_provider_voiso.api.v2.record_times import search_instants
from airflow_provider_voiso.api.window import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.answer_size import AnswerSize, Ask
    from airflow_provider_voiso.api.v2.clock import DateRule

_SECOND = timedelta(seconds=1)
_DISTINCT_SECONDS = 12
"""Fewer may be in order by chance; twelve are once in 240 million times."""
_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a walk.

    :param page: its records, in the order of time
    :param span: the requested seconds
    :param is_final: False if all of its records are requested again, in shorter spans
    :param unread: how many of the seconds are requested again
    """

    page: Page
    span: Span
    is_final: bool = True
    unread: int = 0

    @property
    def done(self) -> int:
        """Number of seconds that this answer finishes."""
        return self.span.seconds - self.unread


class Walk:
    """Reads all records of a span.

    :param ask: sends one request
    :param size: how many records an answer can hold
    :param rule: how the API applies dates; None if that is unknown, then spans are halved
    """

    def __init__(self, ask: Ask, size: AnswerSize, rule: DateRule | None = None) -> None:
        self._ask = ask
        self._size = size
        self._rule = rule

    def answers(self, span: Span, first: Page | None = None) -> Iterator[Answer]:
        """Yield answers until every record of a span was in a final one, at least once.

        :param span: the seconds to read
        :param first: the first answer to the search for the span, if it was requested before
        :raises VoisoPaginationError: if pages and tokens do not lead through all records of one
            second
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
                    yield Answer(each.in_order(), span, unread=span.seconds)
            else:
                ordered = page.in_order()
                rest, is_final = self._rest(page, ordered, span)
                unread_seconds = sum(each.seconds for each in rest)
                yield Answer(ordered, span, is_final, unread_seconds)
                unread += reversed(rest)

    def _rest(self, page: Page, ordered: Page, span: Span) -> tuple[list[Span], bool]:
        """Return the spans to request after a partial answer, and whether the answer is final."""
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
        # The answer leads no further: one second fills it, or a change of the clock hides how far
        # it leads.
        if first == last == span.first:
            return [Span(first, first), Span(first + 1, span.last)], False
        if first == last == span.last:
            return [Span(span.first, last - 1), Span(last, last)], False
        return list(span.halves()), False


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where an answer in the order of time breaks off.

    :param second: the second of its last record
    :param is_ascending: True if later seconds are unread, False if earlier ones are
    """

    second: datetime
    is_ascending: bool


def _seam(page: Page, ordered: Page, rule: DateRule) -> _Seam | None:
    """Return where an answer breaks off, None if its records are not in the order of time."""
    instants = search_instants(page, rule.acts_on)
    step = -(-len(instants) // _SAMPLES)
    if len(set(_seconds(instants[::step]))) < _DISTINCT_SECONDS:
        return None
    ascending = ordered.ended if rule.acts_on == "end" else sorted(instants)
    last = instants[-1].replace(microsecond=0)
    if instants[0] > instants[-1]:
        return _Seam(last, is_ascending=False) if _agree(instants[::-1], ascending) else None
    return _Seam(last, is_ascending=True) if _agree(instants, ascending) else None


def _agree(instants: list[datetime], ascending: list[datetime]) -> bool:
    """Tell whether instants ascend by the second; within one second any order will do."""
    return instants == ascending or _seconds(instants) == _seconds(ascending)


def _seconds(instants: list[datetime]) -> list[datetime]:
    return [instant.replace(microsecond=0) for instant in instants]
