"""Cuts a search into answers: pages, tokens and totals under each reading of the vendor's page."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .filters import RefusedError, number
from .readings import DEFAULT_PER_PAGE, MAX_PER_PAGE
from .record import dumps
from .search import OrderKey, position_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .readings import Readings
    from .record import Record


@dataclass
class Answer:
    """What one request is answered with, before it becomes bytes.

    :param records: serialised records
    :param fields: what stands beside the records
    :param page: page number that was answered
    :param token_ordinal: 0 for a request without a token, 1 for the first token's, and so on
    :param position: where in the search the answer stands: first, middle or last (an only answer is last)
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
    :param ordinal: how many answers with a token led here
    """

    key: OrderKey
    copy: int
    ordinal: int

    def text(self) -> str:
        """Return the opaque text, in the likeness of the vendor's samples."""
        payload = [self.key[0], f"cdr_item#{self.key[1]}", self.copy, self.ordinal]
        return base64.b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()

    @classmethod
    def read(cls, text: str) -> Token:
        """Return the token of a text.

        :raises RefusedError: if it is not one that was given out
        """
        try:
            value, item, copy, ordinal = json.loads(base64.b64decode(text, validate=True))
            return cls((value, item.removeprefix("cdr_item#")), int(copy), int(ordinal))
        except (ValueError, TypeError, AttributeError, binascii.Error) as error:
            raise RefusedError("search_token is invalid") from error


def page_request(params: Mapping[str, str], readings: Readings) -> tuple[int, int]:
    """Return the page number and the records per page that are in force.

    :raises RefusedError: if one of them is out of its documented range
    """
    page = number("page", params.get("page") or "1")
    per_page = number("per_page", params.get("per_page") or str(DEFAULT_PER_PAGE))
    if page < 1:
        raise RefusedError("page must be 1 or more")
    if not 1 <= per_page <= MAX_PER_PAGE:
        raise RefusedError(f"per_page must be from 1 to {MAX_PER_PAGE}")
    if readings.per_page_cap is not None:
        per_page = min(per_page, readings.per_page_cap)
    if params.get("search_token") and page > 1 and readings.later_page != "obeyed":
        if readings.later_page == "refused":
            raise RefusedError("page cannot be used together with search_token")
        page = 1
    return page, per_page


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
        :param nth: number of this request, of which a senseless total is made
        :raises RefusedError: if the page or the token is refused
        """
        readings = self._readings
        page, per_page = page_request(params, readings)
        sent = Token.read(params["search_token"]) if params.get("search_token") else None
        restarted = readings.misbehaviour == "restarts"
        start = self._start(rows, sent) if sent and not restarted else 0
        remaining = len(rows) - start
        low = (page - 1) * per_page
        high = low + per_page
        if high > readings.cap:
            if readings.beyond_cap == "error":
                raise RefusedError(f"page * per_page must not exceed {readings.cap}")
            low, high = (0, 0) if readings.beyond_cap == "empty" else (min(low, readings.cap), readings.cap)
        if readings.beyond_end == "refused" and page > 1 and low >= remaining:
            raise RefusedError("page is out of range")
        found = rows[start + low : start + high]
        ordinal = sent.ordinal if sent else 0
        behind = self._token_position(start, low, len(found), high, remaining, per_page)
        if behind is None and sent and readings.misbehaviour in {"repeats", "cycles"}:
            behind = -1  # These never come to an end.
        answer = Answer([record.raw for record in found], {}, page, ordinal)
        finished = start + low + len(found) >= len(rows)
        answer.fields = self._fields(rows, remaining, page, per_page, nth)
        if behind is None:
            answer.position = "last" if finished else "middle"
            self._end(answer)
        else:
            answer.fields["search_token"] = self._token(rows, behind, ordinal, per_page, sent).text()
            answer.position = "middle"
        if answer.position == "middle" and sent is None and page == 1:
            answer.position = "first"
        return answer

    def _start(self, rows: list[Record], sent: Token) -> int:
        try:
            return position_behind(rows, self._key, sent.key, sent.copy)
        except TypeError as error:
            raise RefusedError("search_token is invalid") from error

    def _token_position(self, start: int, low: int, found: int, high: int, remaining: int, per_page: int) -> int | None:
        """Return the index behind which the token stands, or None where there is no token."""
        readings = self._readings
        if readings.misbehaviour == "missing":
            return None
        if readings.continuation == "cursor":
            size, full, behind = found, found == min(per_page, readings.cap), low + found
        else:
            size, full, behind = min(remaining, readings.cap), remaining >= readings.cap, min(remaining, readings.cap)
            if readings.continuation_on == "last" and not (found and high >= behind):
                return None
        more = behind < remaining
        wanted = {"short": more, "full_then_empty": more or full, "always_empty": True}[readings.final]
        return start + behind - 1 if size and wanted else None

    def _token(self, rows: list[Record], index: int, ordinal: int, per_page: int, sent: Token | None) -> Token:
        fault = self._readings.misbehaviour
        if fault == "repeats" and sent:
            return sent
        if fault == "cycles" and (ordinal >= 2 or index < 0):
            first = per_page if self._readings.continuation == "cursor" else self._readings.cap
            index, ordinal = min(first, self._readings.cap, len(rows)) - 1, 0
        key = self._key(rows[index])
        copy = int(index > 0 and self._key(rows[index - 1]) == key)
        return Token(key, copy, ordinal + 1)

    def _fields(self, rows: list[Record], remaining: int, page: int, per_page: int, nth: int) -> dict[str, object]:
        total = {
            "pages": -(-remaining // per_page),
            "records": len(rows),
            "capped": min(len(rows), self._readings.cap),
            "nonsense": (nth * 7919) % 1009 - 3,
        }[self._readings.total]
        return {"total": total, "page": page}

    def _end(self, answer: Answer) -> None:
        if self._readings.end_of_search != "absent":
            answer.fields["search_token"] = "" if self._readings.end_of_search == "empty" else None
        if self._readings.final_page == "absent" and answer.position == "last":
            del answer.fields["page"]
