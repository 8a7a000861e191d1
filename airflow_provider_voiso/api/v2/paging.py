"""The walk over pages and search tokens, complete under every reading of the vendor's page.

The API serves one search in batches of 10,000 records, each batch in pages, and leads from batch to batch by a
token. Whether a token stands behind its own page or behind its batch is not documented; behind record 10,000
both meanings coincide. So a batch is read to its end by page numbers, with a page size that divides 10,000, and only
then is the token of its last page followed. Where that cannot be done the span is halved, which needs no token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_voiso.exceptions import VoisoBadRequestError, VoisoPaginationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.api.records import Page
    from airflow_provider_voiso.api.v2.clock import Span

BATCH = 10_000
"""Records that one search returns without a token, by the vendor's page."""
_PROBE_SIZE = 100
"""Small, yet more than the rows by which repetitions can shift a batch of 10,000 if every page repeats one."""


class Ask(Protocol):
    """Sends one request for a page of a search."""

    def __call__(self, span: Span, *, token: str | None, page: int | None, per_page: int) -> Page:
        """Return the answer; raise :class:`VoisoBadRequestError` if the API refuses the request."""
        ...


class Sink(Protocol):
    """Takes what the walk reads."""

    def add(self, page: Page, span: Span) -> None:
        """Take the records of one answer to the search for ``span``."""
        ...

    def forget(self, span: Span) -> None:
        """Drop all that was taken for ``span``: the search proved incomplete and its halves are asked for."""
        ...


class Incomplete(Exception):  # noqa: N818 - a turn of the walk, never seen outside
    """This search cannot be read to its end; shorter ones can."""


def page_size(at_most: int, batch: int = BATCH) -> int:
    """Return the largest number of records up to ``at_most`` that divides a batch."""
    return next(size for size in range(min(at_most, batch), 0, -1) if batch % size == 0)


class Pager:
    """Reads spans of time to their end.

    It remembers what it learned of the API, such as a cap of the page size; several threads may walk at once.

    Its ``shifted`` tells that records moved while a search of several answers was read: some may be missing.

    :param per_page: records to ask for per answer; the largest divisor of 10,000 below it is used
    :param batch: records after which the API needs a token
    """

    def __init__(self, *, per_page: int, batch: int = BATCH) -> None:
        self._batch = batch
        self._size = page_size(per_page, batch)
        self._largest = 0
        self._page_beside_token = True
        self.extra_requests = 0
        self.shifted = False

    @property
    def size(self) -> int:
        """Records to ask for per answer."""
        return self._size

    def walk(self, ask: Ask, span: Span, sink: Sink) -> Iterator[None]:
        """Put every record of a span into ``sink``, yielding after each answer so that a caller may stop early.

        :param ask: sends one request
        :param span: the seconds to read
        :param sink: takes the answers
        :raises VoisoPaginationError: if tokens loop or restart the search, or one second holds more than can be read
        """
        spans = [span]
        while spans:
            span = spans.pop()
            try:
                for page in self._search(ask, span):
                    sink.add(page, span)
                    yield
            except Incomplete as reason:
                sink.forget(span)
                if span.first == span.last:
                    raise VoisoPaginationError(
                        f"The API does not lead through all records of one second ({reason}). Narrow the task's "
                        "filters, or export this window in parts by filter."
                    ) from None
                spans.extend(reversed(span.halves()))

    def _search(self, ask: Ask, span: Span) -> Iterator[Page]:
        token: str | None = None
        tokens: set[str] = set()
        starts: set[str] = set()
        batch: set[str] = set()
        beginning: frozenset[str] = frozenset()
        answers = 0
        mark: tuple[int, str] | None = None
        ended = False
        while True:
            last: Page | None = None
            for position, page in self._read_batch(ask, span, token):
                if last is None:
                    if ended and batch.issuperset(page.uuids):
                        return  # nothing but repetitions behind the end
                    batch = set()
                    again = len(beginning.intersection(page.uuids))
                    if page.uuids[0] in starts or again * 2 > len(page):
                        raise VoisoPaginationError(
                            f"A search token led back to records that were already read, after {len(starts)} "
                            f"batches of {self._batch}. Nothing was exported; run the task again, and narrow its "
                            "window or filters if that does not help."
                        )
                    starts.add(page.uuids[0])
                    beginning = beginning or frozenset(page.uuids)
                if token is None and page:
                    mark = position, page.uuids[-1]
                answers += 1
                ended = position < self._batch
                batch.update(page.uuids if ended else ())
                last = page
                yield page
            if last is None or last.token is None:
                if answers > 1 and mark is not None and not self._is_still_at(ask, span, *mark):
                    self.shifted = True
                return
            if last.token in tokens:
                raise VoisoPaginationError(
                    f"The API returned the same search token twice, after {len(starts)} batches of {self._batch}, "
                    "so that the search would never end. Nothing was exported; run the task again, and narrow its "
                    "window or filters if that does not help."
                )
            token = last.token
            tokens.add(token)

    def _read_batch(self, ask: Ask, span: Span, token: str | None) -> Iterator[tuple[int, Page]]:
        """Yield the answers that hold the records of one batch, each with the position it reaches."""
        position = repeats = 0
        seen: set[str] = set()
        first: list[str] | None = None
        page: Page | None = None
        while position < self._batch:
            size = self._size
            number, known = divmod(position, size)
            page = self._read(ask, span, token, number + 1, size, position, seen)
            if not page:
                return
            count = len(page)
            if count > size:
                raise VoisoPaginationError(
                    f"The API returned {count} records where {size} were asked for. Set the connection's "
                    f"extra 'per_page' to {count} or more."
                )
            if first is None:
                first = page.uuids
            elif page.uuids == first:
                repeats += 1
                if repeats >= min(2, self._batch // size - 1):
                    raise Incomplete("page numbers are ignored")
            position = number * size + count
            ended = count < self._largest
            self._largest = max(self._largest, count)
            fresh = page.without_first(known, seen)
            seen.update(page.uuids if position < self._batch else ())
            yield position, fresh
            if count == size:
                continue
            if ended or not self._goes_on(ask, span, token, position, seen):
                return
            self._size = page_size(count, self._batch)  # the API caps the page size at this count
        if page is None or page.token is None:
            raise Incomplete(f"{self._batch} records came without a search token")

    def _is_still_at(self, ask: Ask, span: Span, position: int, uuid: str) -> bool:
        """Tell whether a record of the first batch kept its position while the others were read."""
        self.extra_requests += 1
        try:
            return uuid in ask(span, token=None, page=position, per_page=1).uuids
        except VoisoBadRequestError:
            return False

    def _goes_on(self, ask: Ask, span: Span, token: str | None, position: int, seen: set[str]) -> bool:
        """Tell whether records follow a short answer, which may be the end or a silently capped page."""
        self.extra_requests += 1
        size = page_size(min(position, _PROBE_SIZE), self._batch)
        for number in range(position // size + 1, position // size + 4):
            if number * size > self._batch:
                return True
            page = self._read(ask, span, token, number, size, position, seen)
            if page is None or not seen.issuperset(page.uuids):
                return page is not None
            if len(page) < size or size == _PROBE_SIZE:
                return False
            self.extra_requests += 1  # so few records may all be repetitions
        return False

    def _read(
        self, ask: Ask, span: Span, token: str | None, number: int, size: int, position: int, seen: set[str]
    ) -> Page | None:
        """Return a page, or None if the API refuses to go behind the end, which is at ``position``."""
        bare = token is not None and number == 1 and not self._page_beside_token
        try:
            return ask(span, token=token, page=None if bare else number, per_page=size)
        except VoisoBadRequestError:
            if token is not None and number == 1 and not bare:
                self._page_beside_token = False
                return self._read(ask, span, token, number, size, position, seen)
            if position and self._serves(ask, span, token, position):
                # One refusal may be a gateway's; the end refuses again, and nothing stands right behind it.
                behind = self._again(ask, span, token, position + 1, 1)
                if seen.issuperset(behind) and not self._again(ask, span, token, number, size):
                    return None
                raise
            if token is not None:
                raise Incomplete("page numbers beside a search token are refused") from None
            raise

    def _serves(self, ask: Ask, span: Span, token: str | None, position: int) -> bool:
        if position == 1 and token is not None:
            return False  # page 1 tells nothing about other pages beside a token
        return bool(self._again(ask, span, token, position, 1))

    def _again(self, ask: Ask, span: Span, token: str | None, number: int, size: int) -> list[str]:
        """Return the uuids of a page, none if it is refused."""
        self.extra_requests += 1
        try:
            return ask(span, token=token, page=number, per_page=size).uuids
        except VoisoBadRequestError:
            return []
