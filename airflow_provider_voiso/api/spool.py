"""The records of one window on local disk: in a stable order, each once, in memory a few at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from array import array
from bisect import bisect_left
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress, islice, zip_longest
from operator import attrgetter, eq
from typing import TYPE_CHECKING, Literal, NamedTuple

from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.api.v2.paging import BATCH
from airflow_provider_voiso.api.window import epoch_us
from airflow_provider_voiso.exceptions import VoisoOutOfWindowError, VoisoSpoolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_voiso.api.records import Json, Page
    from airflow_provider_voiso.api.v2.clock import Reading, Span
    from airflow_provider_voiso.api.window import Window

OutOfWindow = Literal["fail", "keep", "drop"]
_AT_ONCE = 1 << 17
_CHUNK = 256
"""Records that are read back at once; those of all answers that overlap in time are in memory together."""


@dataclass(slots=True, eq=False)
class _Chunk:
    """Records of one answer that are neighbours in time, ordered by it."""

    span: Span
    earliest: datetime
    latest: datetime
    offset: int
    size: int
    position: int
    """Of its first record among the digests."""
    count: int
    dropped: frozenset[int] = frozenset()
    """Those among them that were read again later."""


class Lines(NamedTuple):
    """Records as the API sent them, one a line, each line ended."""

    number: int
    text: bytes

    def split(self) -> list[bytes]:
        """Return the records one by one."""
        return self.text.split(b"\n")[:-1]


class Spool:
    """Takes the answers of a walk and gives back the window's records, ordered by ``timestamp`` and ``uuid``.

    Records within a second or two of the window belong to its neighbours and are left out. A ``uuid`` that was read
    more than once is given once, as it was read last. The file has no name, so that it is gone with the process.

    :param window: the records' ``timestamp`` must lie in it
    :param reading: how the API reads the dates by which spans are asked for
    :param out_of_window: what to do with a record that lies outside of what was asked for
    :raises VoisoSpoolError: if the local disk fails, now or later
    """

    def __init__(self, window: Window, reading: Reading, *, out_of_window: OutOfWindow = "fail") -> None:
        self.window = window
        self.reading = reading
        self._policy = out_of_window
        try:
            self._file = tempfile.TemporaryFile(prefix="voiso-", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise VoisoSpoolError.of(error, window) from None
        self._chunks: list[_Chunk] = []
        self._digests = array("q")
        self._outside: Counter[Span] = Counter()
        self._bounds: dict[Span, tuple[tuple[int, int], tuple[int, int]]] = {}
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="voiso-spool")
        self._writing: Future[None] | None = None
        self._end = 0
        self.duplicates = 0
        self.changed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file."""
        self._writer.shutdown()
        self._file.close()

    @property
    def read(self) -> int:
        """Number of records taken, repetitions included."""
        return sum(chunk.count for chunk in self._chunks)

    @property
    def records(self) -> int:
        """Number of records to be given back, known once the spool is sealed."""
        return self.read - self.duplicates

    @property
    def size(self) -> int:
        """Bytes of the records taken, repetitions and line ends included."""
        return sum(chunk.size for chunk in self._chunks)

    @property
    def out_of_window(self) -> int:
        """Number of records that lie outside of what was asked for."""
        return sum(self._outside.values())

    def add(self, page: Page, span: Span) -> None:
        """Take the records of one answer to the search for ``span``.

        :raises VoisoOutOfWindowError: if one lies outside of what was asked for, and the policy is ``fail``
        """
        order, ended = _ordered(page, range(len(page)))
        outside = 0
        if page and not self._is_own(span, ended[0], ended[-1]):
            kept, outside = self._own(page, span)
            order, ended = _ordered(page, kept)
        if outside and self._policy == "fail":
            raise VoisoOutOfWindowError(
                f"{outside} of {len(page)} records of one answer lie outside of the window {self.window}, "
                f"though the API reads dates in {self.reading}. Look at the timestamps of what it returns for this "
                "window. Set out_of_window to 'drop' or 'keep' on the task only if you know why they are there."
            )
        digests = array("q", [hash(page.uuids[index]) for index in order])
        cuts = list(_cuts(ended))
        blocks = [_lines([page.raws[index] for index in order[first:after]]).text for first, after in cuts]
        with self._lock:
            self._outside[span] += outside
            for (first, after), block in zip(cuts, blocks, strict=True):
                position = len(self._digests) + first
                self._chunks.append(
                    _Chunk(span, ended[first], ended[after - 1], self._end, len(block), position, after - first)
                )
                self._end += len(block)
            self._digests += digests
            self._finish_writing()
            # The disk may take its time while the next answer is on its way.
            self._writing = self._writer.submit(self._write, blocks)

    def _is_own(self, span: Span, first: datetime, last: datetime) -> bool:
        """Tell whether records from the first to the last are all to be kept."""
        start, end = self.window.start_us, self.window.end_us
        _, (own, after) = self._bounds_of(span)
        return max(start, own) <= epoch_us(first) and epoch_us(last) < min(end, after)

    def _bounds_of(self, span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
        if span not in self._bounds:
            self._bounds[span] = self.reading.timestamps(span), self.reading.own_timestamps(span)
        return self._bounds[span]

    def _own(self, page: Page, span: Span) -> tuple[list[int], int]:
        """Return the indices of the records to keep, and how many lie outside of what was asked for."""
        start, end = self.window.start_us, self.window.end_us
        (earliest, latest), (own, after) = self._bounds_of(span)
        kept, outside = [], 0
        for index, ended in enumerate(page.ended_us):
            if start <= ended < end:
                if own <= ended < after or not earliest <= ended < latest:
                    kept.append(index)
            elif not earliest <= ended < latest:
                outside += 1
                if self._policy == "keep":
                    kept.append(index)
        return kept, outside

    def forget(self, span: Span) -> None:
        """Drop all that was taken for ``span``."""
        with self._lock:
            self._chunks = [chunk for chunk in self._chunks if chunk.span != span]
            self._outside.pop(span, None)

    def seal(self) -> None:
        """Find the records that were read more than once; to be called when everything was added.

        :raises VoisoSpoolError: if the local disk did not take all of them
        """
        self._finish_writing()
        repeated = self._repeated_digests()
        last: dict[str, tuple[int, int, bytes]] = {}
        dropped: dict[int, set[int]] = {}
        changed: set[str] = set()
        for number, chunk in enumerate(self._chunks if repeated else ()):
            if repeated.isdisjoint(self._digests[chunk.position : chunk.position + chunk.count]):
                continue
            lines = self._read(chunk).split()
            for index, (uuid, line) in enumerate(zip(keys(lines)[0], lines, strict=True)):
                if hash(uuid) not in repeated:
                    continue
                if uuid in last:
                    before, place, content = last[uuid]
                    dropped.setdefault(before, set()).add(place)
                    if content != line:
                        changed.add(uuid)
                last[uuid] = number, index, line
        for number, chunk in enumerate(self._chunks):
            chunk.dropped = frozenset(dropped.get(number, ()))
        self.duplicates = sum(map(len, dropped.values()))
        self.changed = len(changed)

    def digest(self) -> bytes:
        """Return a hash of the records, by which two readings of one window are compared."""
        digest = hashlib.sha256()
        for lines in self.blocks():
            digest.update(lines.text)
        return digest.digest()

    def __iter__(self) -> Iterator[list[bytes]]:
        return (lines.split() for lines in self._runs() if lines.number)

    def blocks(self) -> Iterator[Lines]:
        """Yield the records ten thousand at a time."""
        parts: list[bytes] = []
        missing = BATCH
        for lines in self._runs():
            parts.append(lines.text)
            missing -= lines.number
            while missing <= 0:
                records = Lines(0, parts.pop()).split()
                parts.append(_lines(records[: len(records) + missing]).text)
                yield Lines(BATCH, b"".join(parts))
                parts = [_lines(records[len(records) + missing :]).text]
                missing += BATCH
        if missing < BATCH:
            yield Lines(BATCH - missing, b"".join(parts))

    def _runs(self) -> Iterator[Lines]:
        """Yield the records in order, those of chunks that overlap merged."""
        chunks = sorted(self._chunks, key=attrgetter("earliest"))
        merged: list[tuple[datetime, str, bytes]] = []
        for chunk, following in zip_longest(chunks, chunks[1:]):
            lines = self._read(chunk)
            is_alone = not merged and (following is None or chunk.latest < following.earliest)
            if chunk.dropped:
                lines = _lines([record for index, record in enumerate(lines.split()) if index not in chunk.dropped])
            if is_alone:
                yield lines
                continue
            records = lines.split()
            uuids, ended = keys(records)
            merged = sorted([*merged, *zip(ended, uuids, records, strict=True)])
            after = len(merged) if following is None else bisect_left(merged, (following.earliest,))
            yield _lines([record for _, _, record in merged[:after]])
            del merged[:after]

    def _finish_writing(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write(self, blocks: list[bytes]) -> None:
        size = sum(map(len, blocks))
        try:
            written = os.writev(self._file.fileno(), blocks) if blocks else 0
            rest = memoryview(b"".join(blocks) if written < size else b"")[written:]
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise VoisoSpoolError.of(error, self.window) from None

    def _read(self, chunk: _Chunk) -> Lines:
        try:
            text = os.pread(self._file.fileno(), chunk.size, chunk.offset)
        except OSError as error:
            raise VoisoSpoolError.of(error, self.window) from None
        if len(text) < chunk.size:
            raise VoisoSpoolError.of(OSError(errno.EIO, os.strerror(errno.EIO)), self.window)
        return Lines(chunk.count, text)

    def _repeated_digests(self) -> set[int]:
        """Return the digests that occur twice; looked for in parts, so that no set holds very many."""
        digests = self._digests
        if self.read < len(digests):  # some were forgotten
            digests = array("q")
            for chunk in self._chunks:
                digests += self._digests[chunk.position : chunk.position + chunk.count]
        parts = [digests]
        if len(digests) > _AT_ONCE:
            parts = [array("q") for _ in range(64)]
            for digest in digests:
                parts[digest & 63].append(digest)
        return {
            digest
            for part in parts
            if len(set(part)) < len(part)
            for digest, times in Counter(part).items()
            if times > 1
        }


def _lines(records: Sequence[Json]) -> Lines:
    return Lines(len(records), b"\n".join([*records, b""]))


def _ordered(page: Page, indices: Iterable[int]) -> tuple[list[int], list[datetime]]:
    """Return indices in the order of timestamps and, where these are equal, of uuids; and the timestamps."""
    # Numbers are sorted, not tuples: tens of thousands of these have Python look for garbage everywhere.
    order = sorted(indices, key=page.ended.__getitem__)
    ended = [page.ended[index] for index in order]
    uuids = page.uuids
    is_tie = [*map(eq, ended, islice(ended, 1, None)), False]
    after = 0
    for first in compress(range(len(order)), is_tie):
        if first < after:
            continue
        after = first + 2
        while is_tie[after - 1]:
            after += 1
        if after - first > 2:
            order[first:after] = sorted(order[first:after], key=uuids.__getitem__)
        elif uuids[order[first]] > uuids[order[first + 1]]:
            order[first], order[first + 1] = order[first + 1], order[first]
    return order, ended


def _cuts(ended: list[datetime]) -> Iterator[tuple[int, int]]:
    """Cut ordered timestamps between different ones, so that chunks of one answer never overlap."""
    after = 0
    while after < len(ended):
        first, after = after, min(after + _CHUNK, len(ended))
        while after < len(ended) and ended[after] == ended[after - 1]:
            after += 1
        yield first, after
