"""Reads a window in one clock: several parts at once, each answer checked and spooled."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.spool import Spool
from airflow_provider_voiso.api.v2.clock import Span

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.read import OnAnswer
    from airflow_provider_voiso.api.spool import SpooledRecords
    from airflow_provider_voiso.api.v2.belonging import Belonging
    from airflow_provider_voiso.api.v2.evidence import Proof
    from airflow_provider_voiso.api.v2.paging import Walk
    from airflow_provider_voiso.api.window import Window

_PARTS_PER_CONNECTION = 3
"""More parts than connections, as a busy hour holds many times the records of a quiet one."""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """The answer to the first request, which the walk need not send again."""

    page: Page
    span: Span

    def to(self, span: Span) -> Page | None:
        """Return the answer's records if exactly this span was requested."""
        return self.page if self.span == span else None


class DisprovedError(Exception):
    """An answer contradicts the assumed clock."""


def parts(span: Span, connections: int) -> list[Span]:
    """Cut a span into the parts that are read at once.

    :param connections: how many requests may be open at once
    """
    count = connections * _PARTS_PER_CONNECTION if connections > 1 else 1
    edges = [span.first + span.seconds * part // count for part in range(count + 1)]
    return [Span(first, after - 1) for first, after in itertools.pairwise(edges) if first < after]


def middle_part(span: Span, connections: int) -> Span:
    """Return the part that is requested first, as records are likely in the middle of a window."""
    cut = parts(span, connections)
    return cut[len(cut) // 2]


class Reader:
    """Reads the records of one window into a spool.

    :param window: the window
    :param walk: how a span is read
    :param belonging: which records belong to the window
    :param first: the first answer, if there was one
    :param proof: learns from each answer
    :param on_answer: gets to know how far the read is
    """

    def __init__(
        self,
        window: Window,
        walk: Walk,
        belonging: Belonging,
        *,
        first: FirstAnswer | None = None,
        proof: Proof | None = None,
        on_answer: OnAnswer | None = None,
    ) -> None:
        self._walk = walk
        self._belonging = belonging
        self._first = first
        self._proof = proof
        self._spool = Spool(window)
        self._on_answer = on_answer
        self._stop = threading.Event()

    def read(self, span: Span, connections: int) -> SpooledRecords:
        """Return all records of a span that belong to the window; the caller closes them.

        :param connections: how many requests may be open at once
        :raises DisprovedError: if an answer contradicts the clock that the proof assumes
        :raises VoisoError: of the class that tells why the span could not be read whole
        """
        tally = _Tally(span.seconds, self._on_answer)
        try:
            if connections > 1:
                self._read_parts(parts(span, connections), connections, tally)
            else:
                self._read_part(span, tally)
            return self._spool.seal()
        except BaseException:
            self._spool.close()
            raise

    def _read_parts(self, spans: list[Span], connections: int, tally: _Tally) -> None:
        with ThreadPoolExecutor(connections, thread_name_prefix="voiso") as pool:
            # The first answer is that of the part in the middle, so that one is read first.
            middle = len(spans) // 2
            in_turn = (*spans[middle:], *spans[:middle])
            walks = [pool.submit(self._read_part, span, tally) for span in in_turn]
            try:
                done, _ = wait(walks, return_when=FIRST_EXCEPTION)
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
            for each in done:
                each.result()

    def _read_part(self, span: Span, tally: _Tally) -> None:
        first = None if self._first is None else self._first.to(span)
        before: Page | None = None
        for answer in self._walk.answers(span, first):
            page = answer.page
            if self._proof is not None:
                self._proof.take(page, answer.span)
                if not self._proof.is_open:
                    raise DisprovedError
            if answer.is_final:
                page = self._belonging.keep(page, answer.span)
                added = page if before is None else page.without(before)
                self._spool.add(added)
                tally.note(len(added), answer.done)
                before = page
            if self._stop.is_set():
                return


class _Tally:
    """Tells how far a read is, after each of its answers; safe to use from several threads.

    :param seconds: length of what is read
    :param on_answer: is told
    """

    def __init__(self, seconds: int, on_answer: OnAnswer | None) -> None:
        self._seconds = seconds
        self._on_answer = on_answer
        self._lock = threading.Lock()
        self._records = self._done = 0

    def note(self, records: int, seconds: int) -> None:
        """Add an answer's records, and the seconds that it finishes."""
        if self._on_answer is None:
            return
        with self._lock:
            self._records += records
            self._done += seconds
            self._on_answer(self._records, self._done / self._seconds)
