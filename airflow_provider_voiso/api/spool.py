"""The records of one window on local disk.

Records are added in any order. They are returned ordered by ``timestamp`` and ``uuid``, each
``uuid`` once.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.chunk_file import ChunkFile
from airflow_provider_voiso.api.page import Lines
from airflow_provider_voiso.api.records import keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.window import Window

BLOCK = 10_000
"""Records in one block of :meth:`SpooledRecords.blocks`."""
_CHUNK = 256
"""Records read at once from each answer; answers that overlap in time are merged in memory."""
_SET_SIZE = 1 << 17
"""Digests compared in one set; more are compared in parts, so that no set grows with the window."""
_PARTS = 64


@dataclass(slots=True, eq=False)
class _Chunk:
    """Consecutive records of one answer, in order.

    :param answer: number of the answer
    :param earliest: timestamp of its first record
    :param latest: timestamp of its last record
    :param offset: where its lines start in the file
    :param size: bytes of its lines
    :param position: index of its first record among the digests
    :param count: number of records
    :param unfinished: indices of its conversations that are not over
    :param dropped: indices of its records that were read again later
    """

    answer: int
    earliest: datetime
    latest: datetime
    offset: int
    size: int
    position: int
    count: int
    unfinished: frozenset[int]
    dropped: frozenset[int] = frozenset()


class Spool:
    """Collects the records of a window; several threads may add.

    :param window: named in errors
    :raises VoisoSpoolError: if the local disk fails, now or later
    """

    def __init__(self, window: Window) -> None:
        self._file = ChunkFile(window)
        self._chunks: list[_Chunk] = []
        self._digests = array("q")
        self._end = 0
        self._answers = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the records from the disk."""
        self._file.close()

    def add(self, page: Page) -> None:
        """Add the records of one answer.

        :param page: records ordered by ``timestamp`` and ``uuid``
        """
        digests = array("q", [hash(uuid) for uuid in page.uuids])
        cuts = list(_cuts(page.ended))
        blocks = [Lines.of(page.raws[first:after]).text for first, after in cuts]
        with self._lock:
            self._answers += 1
            for (first, after), block in zip(cuts, blocks, strict=True):
                self._chunks.append(
                    _Chunk(
                        answer=self._answers,
                        earliest=page.ended[first],
                        latest=page.ended[after - 1],
                        offset=self._end,
                        size=len(block),
                        position=len(self._digests) + first,
                        count=after - first,
                        unfinished=_unfinished(page, first, after),
                    )
                )
                self._end += len(block)
            self._digests += digests
            self._file.append(blocks)

    def seal(self) -> SpooledRecords:
        """Return the records, for each ``uuid`` the one that was read last.

        :raises VoisoSpoolError: if some could not be written to the local disk
        """
        self._file.flush()
        duplicates, changed = _drop_repeated(self._file, self._chunks, self._digests)
        return SpooledRecords(self._file, self._chunks, duplicates=duplicates, changed=changed)


class SpooledRecords:
    """The records of a window, ordered by ``timestamp`` and ``uuid``, in memory a few at a time.

    :param file: holds the records
    :param chunks: where each lies in the file
    :param duplicates: number of records that came twice in one answer
    :param changed: number of records that came in several states
    """

    def __init__(
        self, file: ChunkFile, chunks: list[_Chunk], *, duplicates: int, changed: int
    ) -> None:
        self._file = file
        self._chunks = sorted(chunks, key=attrgetter("earliest"))
        self.duplicates = duplicates
        self.changed = changed
        self.records = sum(chunk.count - len(chunk.dropped) for chunk in chunks)
        self.size = sum(chunk.size for chunk in chunks)
        """Bytes on the disk, line ends and repetitions included."""
        self.unfinished = sum(len(chunk.unfinished - chunk.dropped) for chunk in chunks)

    def close(self) -> None:
        """Remove the records from the disk."""
        self._file.close()

    def digest(self) -> bytes:
        """Return the SHA-256 hash of the records."""
        digest = hashlib.sha256()
        for lines in self.blocks():
            digest.update(lines.text)
        return digest.digest()

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the records in small lists."""
        for lines in self._runs():
            if lines.count:
                yield lines.split()

    def blocks(self) -> Iterator[Lines]:
        """Yield the records ten thousand at a time."""
        parts: list[bytes] = []
        missing = BLOCK
        for lines in self._runs():
            parts.append(lines.text)
            missing -= lines.count
            while missing <= 0:
                records = Lines(0, parts.pop()).split()
                within = len(records) + missing
                parts.append(Lines.of(records[:within]).text)
                yield Lines(BLOCK, b"".join(parts))
                parts = [Lines.of(records[within:]).text]
                missing += BLOCK
        if missing < BLOCK:
            yield Lines(BLOCK - missing, b"".join(parts))

    def _runs(self) -> Iterator[Lines]:
        """Yield the records in order; chunks that overlap in time are merged."""
        merged: list[tuple[datetime, str, bytes]] = []
        for chunk, following in zip_longest(self._chunks, self._chunks[1:]):
            lines = _read(self._file, chunk)
            is_alone = not merged and (following is None or chunk.latest < following.earliest)
            if chunk.dropped:
                lines = _without(lines, chunk.dropped)
            if is_alone:
                yield lines
                continue
            records = lines.split()
            uuids, ended = keys(records)
            merged = sorted([*merged, *zip(ended, uuids, records, strict=True)])
            # The following chunks hold nothing earlier, so the records before it are complete.
            after = len(merged) if following is None else bisect_left(merged, (following.earliest,))
            yield Lines.of([record for _, _, record in merged[:after]])
            del merged[:after]


def _drop_repeated(file: ChunkFile, chunks: list[_Chunk], digests: array[int]) -> tuple[int, int]:
    """Mark all but the last record of each repeated ``uuid`` as dropped.

    Only chunks that hold a repeated digest are read.

    :return: the numbers of records that came twice in one answer, and in several states
    """
    last: dict[str, tuple[_Chunk, int, bytes]] = {}
    dropped: dict[int, set[int]] = {}
    changed: set[str] = set()
    duplicates = 0
    repeated = _repeated(digests)
    for chunk in chunks if repeated else ():
        if repeated.isdisjoint(digests[chunk.position : chunk.position + chunk.count]):
            continue
        lines = _read(file, chunk).split()
        for index, (uuid, line) in enumerate(zip(keys(lines)[0], lines, strict=True)):
            if hash(uuid) not in repeated:
                continue
            if uuid in last:
                before, place, content = last[uuid]
                dropped.setdefault(id(before), set()).add(place)
                duplicates += before.answer == chunk.answer
                if content != line:
                    changed.add(uuid)
            last[uuid] = chunk, index, line
    for chunk in chunks:
        chunk.dropped = frozenset(dropped.get(id(chunk), ()))
    return duplicates, len(changed)


def _repeated(digests: array[int]) -> set[int]:
    """Return the digests that occur more than once."""
    parts = [digests]
    if len(digests) > _SET_SIZE:
        parts = [array("q") for _ in range(_PARTS)]
        for digest in digests:
            parts[digest % _PARTS].append(digest)
    repeated: set[int] = set()
    for part in parts:
        if len(set(part)) < len(part):
            repeated.update(digest for digest, times in Counter(part).items() if times > 1)
    return repeated


def _read(file: ChunkFile, chunk: _Chunk) -> Lines:
    return Lines(chunk.count, file.read(chunk.offset, chunk.size))


def _without(lines: Lines, dropped: frozenset[int]) -> Lines:
    """Return the lines but those with the given indices."""
    kept = [record for index, record in enumerate(lines.split()) if index not in dropped]
    return Lines.of(kept)


def _unfinished(page: Page, first: int, after: int) -> frozenset[int]:
    """Return the indices, within a chunk, of the conversations that are not over."""
    if not page.unfinished:
        return frozenset()
    uuids = page.uuids[first:after]
    return frozenset(index for index, uuid in enumerate(uuids) if uuid in page.unfinished)


def _cuts(ended: list[datetime]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of chunks; equal timestamps stay together, so that no chunks overlap."""
    after = 0
    while after < len(ended):
        first, after = after, min(after + _CHUNK, len(ended))
        while after < len(ended) and ended[after] == ended[after - 1]:
            after += 1
        yield first, after
