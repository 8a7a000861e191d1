"""Cuts a search into answers with pages, tokens and totals, under each reading of the page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .chance import Chance
from .filters import PAGING, RefusedError, number
from .readings import DEFAULT_PER_PAGE, MAX_PER_PAGE
from .record import dumps
from .search import OrderKey, position_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .readings import Readings
    from .record import Record


@dataclass
class Answer:
    """The answer to one request, before it becomes bytes.

    :param records: serialised records
    :param fields: the fields beside the records
    :param page: page number
    :param token_ordinal: 0 for a request without a token, 1 for the first token's, and so on
    :param position: first, middle or last answer of its search; an only answer is the last
    """

    records: list[bytes]
    fields: dict[str, object]
    page: int = 1
    token_ordinal: int = 0
    position: str = "last"

    def body(self) -> bytes:
        """Return the JSON object, ``records`` first."""
        rest = dumps(self.fields)[1:]
        comma = "," if self.fields else ""
        return b'{"records":[' + b",".join(self.records) + b"]" + (comma + rest).encode()


@dataclass(frozen=True)
class Token:
    """Where a search continues: behind one copy of one record.

    :param key: sort key of the record
    :param copy: 0 for the record itself, 1 for its duplicate
    :param ordinal: number of tokens that led here, this one included
    """

    key: OrderKey
    copy: int
    ordinal: int

    def text(self) -> str:
        """Return the opaque text; it looks like the vendor's samples."""
        payload = [self.key[0], f"cdr_item#{self.key[1]}", self.copy, self.ordinal]
        return base64.b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()

    @classmethod
    def read(cls, text: str) -> Token:
        """Parse the text of a token.

        :raises RefusedError: if no token has this text
        """
        try:
            value, item, copy, ordinal = json.loads(base64.b64decode(text, validate=True))
            return cls((value, item.removeprefix("cdr_item#")), int(copy), int(ordinal))
        except (ValueError, TypeError, AttributeError, binascii.Error) as error:
            raise RefusedError("search_token is invalid") from error


def handle(params: Mapping[str, str]) -> str:
    """Return the one token of a whole search; it depends on the filters and dates alone."""
    search = {name: value for name, value in params.items() if value and name not in PAGING}
    digest = hashlib.sha256(json.dumps(search, sort_keys=True).encode()).hexdigest()
    return base64.b64encode(f"cdr_search#{digest[:32]}".encode()).decode()


def page_request(params: Mapping[str, str], readings: Readings) -> tuple[int, int]:
    """Return the page number and the number of records per page that apply.

    :raises RefusedError: if one of them is outside its documented range
    """
    page = number("page", params.get("page") or "1")
    per_page = number("per_page", params.get("per_page") or str(DEFAULT_PER_PAGE))
    if page < 1:
        raise RefusedError("page must be 1 or more")
    if not 1 <= per_page <= MAX_PER_PAGE:
        raise RefusedError(f"per_page must be from 1 to {MAX_PER_PAGE}")
    if readings.per_page_cap is not None:
        per_page = min(per_page, readings.per_page_cap)
    if readings.continuation == "handle":
        # Pages of one length: page 2 beside the handle begins where page 1 ended.
        per_page = min(per_page, readings.cap)
    if params.get("search_token") and page > 1 and readings.later_page != "obeyed":
        if readings.later_page == "refused":
            raise RefusedError("page cannot be used together with search_token")
        page = 1
    return page, per_page


@dataclass(frozen=True)
class Cut:
    """The part of a search that one request is answered with.

    :param start: index of the row at which page 1 begins: behind the token's record, or 0
    :param low: first row of the page, counted from ``start``
    :param size: number of rows on the page
    :param per_page: rows that a page can hold
    :param rows: number of rows of the whole search
    """

    start: int
    low: int
    size: int
    per_page: int
    rows: int

    @property
    def remaining(self) -> int:
        """Number of rows from ``start`` on."""
        return self.rows - self.start

    @property
    def finished(self) -> bool:
        """Whether no row follows this page."""
        return self.low + self.size >= self.remaining


class Pager:
    """Cuts searches into answers.

    :param readings: the switches
    :param key: sort key of the rows
    """

    def __init__(self, readings: Readings, key: Callable[[Record], OrderKey]) -> None:
        self._readings = readings
        self._key = key

    def answer(self, rows: list[Record], params: Mapping[str, str], nth: int) -> Answer:
        """Return the answer to one request.

        :param rows: every row of the search, in order
        :param params: request parameters
        :param nth: number of this request; a senseless total is made from it
        :raises RefusedError: if the page or the token is refused
        """
        page, per_page = page_request(params, self._readings)
        sent = self._sent(params)
        start = self._start(rows, sent)
        low, high = self._page_bounds(page, per_page, sent)
        if self._readings.beyond_end == "refused" and page > 1 and start + low >= len(rows):
            raise RefusedError("page is out of range")
        found = rows[start + low : start + high]
        cut = Cut(start, low, len(found), per_page, len(rows))

        fields: dict[str, object] = {"total": self._total(cut, nth), "page": page}
        answer = Answer([record.raw for record in found], fields, page)
        if isinstance(sent, Token):
            answer.token_ordinal = sent.ordinal
        elif sent:
            answer.token_ordinal = 1
        token = self._next_token(rows, cut, high, params, sent)
        answer.position = self._position(cut, page, sent, token)
        self._finish(answer, token)
        return answer

    def _sent(self, params: Mapping[str, str]) -> Token | str | None:
        """Return the token of a request: a handle is a text, any other a :class:`Token`."""
        text = params.get("search_token")
        if not text:
            return None
        if self._readings.continuation != "handle":
            return Token.read(text)
        if text != handle(params):
            raise RefusedError("search_token is invalid")
        return text

    def _start(self, rows: list[Record], sent: Token | str | None) -> int:
        if not isinstance(sent, Token) or self._readings.misbehaviour == "restarts":
            return 0
        try:
            return position_behind(rows, self._key, sent.key, sent.copy)
        except TypeError as error:
            raise RefusedError("search_token is invalid") from error

    def _page_bounds(self, page: int, per_page: int, sent: Token | str | None) -> tuple[int, int]:
        """Return the first row of a page and the one behind its last, counted from page 1."""
        readings = self._readings
        low = (page - 1) * per_page
        high = low + per_page
        has_handle = isinstance(sent, str) and readings.misbehaviour != "restarts"
        if high <= readings.cap or (has_handle and readings.handle_pages == "all"):
            return low, high
        if readings.beyond_cap == "error":
            raise RefusedError(f"page * per_page must not exceed {readings.cap}")
        if readings.beyond_cap == "empty":
            return 0, 0
        return min(low, readings.cap), readings.cap

    def _next_token(
        self,
        rows: list[Record],
        cut: Cut,
        high: int,
        params: Mapping[str, str],
        sent: Token | str | None,
    ) -> str | None:
        readings = self._readings
        if readings.misbehaviour == "missing":
            return None
        endless = sent is not None and readings.misbehaviour in {"repeats", "cycles"}
        if readings.continuation == "handle":
            return handle(params) if endless or self._handle_comes(cut) else None
        behind = self._token_position(cut, high)
        if behind is None:
            if not endless:
                return None
            behind = -1
        previous = sent if isinstance(sent, Token) else None
        return self._token(rows, behind, previous, cut).text()

    def _handle_comes(self, cut: Cut) -> bool:
        choice = self._readings.handle
        if choice == "every":
            return True
        if choice == "above_cap":
            return cut.rows > self._readings.cap
        return cut.size > 0 and self._goes_on(more=not cut.finished, full=self._full(cut))

    def _full(self, cut: Cut) -> bool:
        return cut.size == min(cut.per_page, self._readings.cap)

    def _goes_on(self, *, more: bool, full: bool) -> bool:
        """Whether a token is given, although nothing may remain."""
        final = self._readings.final
        if final == "short":
            return more
        return more or full or final == "always_empty"

    def _token_position(self, cut: Cut, high: int) -> int | None:
        """Return the index of the row that the token stands behind, or None for no token."""
        readings = self._readings
        if readings.continuation == "cursor":
            size, full, behind = cut.size, self._full(cut), cut.low + cut.size
        else:
            size = behind = min(cut.remaining, readings.cap)
            full = cut.remaining >= readings.cap
            if readings.continuation_on == "last" and not (cut.size and high >= behind):
                return None
        goes_on = self._goes_on(more=behind < cut.remaining, full=full)
        return cut.start + behind - 1 if size and goes_on else None

    def _token(self, rows: list[Record], index: int, sent: Token | None, cut: Cut) -> Token:
        fault = self._readings.misbehaviour
        if fault == "repeats" and sent:
            return sent
        ordinal = sent.ordinal if sent else 0
        if fault == "cycles" and (ordinal >= 2 or index < 0):
            first = cut.per_page if self._readings.continuation == "cursor" else self._readings.cap
            index, ordinal = min(first, self._readings.cap, len(rows)) - 1, 0
        key = self._key(rows[index])
        copy = int(index > 0 and self._key(rows[index - 1]) == key)
        return Token(key, copy, ordinal + 1)

    def _total(self, cut: Cut, nth: int) -> int:
        choice = self._readings.total
        if choice == "pages":
            return -(-cut.remaining // cut.per_page)
        if choice == "records":
            return cut.rows
        if choice == "capped":
            return min(cut.rows, self._readings.cap)
        return Chance.of(f"total/{nth}").below(1_000) - 3

    def _position(self, cut: Cut, page: int, sent: Token | str | None, token: str | None) -> str:
        # A handle may come with the last answer; any other token says that an answer follows.
        goes_on = token is not None and self._readings.continuation != "handle"
        if cut.finished and not goes_on:
            return "last"
        return "first" if sent is None and page == 1 else "middle"

    def _finish(self, answer: Answer, token: str | None) -> None:
        end = self._readings.end_of_search
        if token is not None:
            answer.fields["search_token"] = token
        elif end != "absent":
            answer.fields["search_token"] = "" if end == "empty" else None
        if self._readings.final_page == "absent" and answer.position == "last":
            del answer.fields["page"]
