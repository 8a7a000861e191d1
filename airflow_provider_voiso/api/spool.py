"""The records of one window on local disk: in a stable order, each once, in memory a slice at a time."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_voiso.api.paging import BATCH
from airflow_provider_voiso.api.records import Page, keys
from airflow_provider_voiso.exceptions import VoisoOutOfWindowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_voiso.api.clock import Reading, Span
    from airflow_provider_voiso.api.window import Window

OutOfWindow = Literal["fail", "keep", "drop"]
SLICES = 256
"""Slices of the window that are sorted apart, which bounds memory to the fullest of them."""
IN_MEMORY = 16 << 20
"""Bytes up to which the spool needs no file."""


@dataclass(slots=True)
class _Chunk:
    """Neighbouring records of one answer and one slice."""

    slice: int
    offset: int
    size: int
    first: int
    count: int
    span: Span


class Spool:
    """Takes the answers of a walk and gives back the window's records, ordered by ``timestamp`` and ``uuid``.

    Records within a second or two of the window belong to its neighbours and are left out. A ``uuid`` that was read
    more than once is given once, as it was read last. The file has no name, so that it is gone with the process.

    :param window: the records' ``timestamp`` must lie in it
    :param reading: how the API reads the dates by which spans are asked for
    :param out_of_window: what to do with a record that lies outside of what was asked for
    """

    def __init__(self, window: Window, reading: Reading, *, out_of_window: OutOfWindow = "fail") -> None:
        self.window = window
        self.reading = reading
        self._policy = out_of_window
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="voiso-")  # noqa: SIM115 - closed by close()
        self._chunks: list[_Chunk] = []
        self._digests = array("q")
        self._outside: Counter[Span] = Counter()
        self._bounds: dict[Span, tuple[tuple[int, int], tuple[int, int]]] = {}
        self._lock = threading.Lock()
        self._final_slice: dict[str, int] = {}
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
        start, end = self.window.start_us, self.window.end_us
        width = end - start
        (earliest, latest), (own, after) = self._bounds_of(span)
        by_slice: dict[int, list[int]] = {}
        outside = 0
        for index, ended in enumerate(page.ended_us):
            if start <= ended < end:
                if own <= ended < after or not earliest <= ended < latest:
                    by_slice.setdefault((ended - start) * SLICES // width, []).append(index)
            elif not earliest <= ended < latest:
                outside += 1
                if self._policy == "keep":
                    by_slice.setdefault(0 if ended < start else SLICES - 1, []).append(index)
        if outside and self._policy == "fail":
            raise VoisoOutOfWindowError(
                f"{outside} of {len(page)} records of one answer lie outside of the window {self.window}, "
                f"though the API reads dates in {self.reading}. Look at the timestamps of what it returns for this "
                "window. Set out_of_window to 'drop' or 'keep' on the task only if you know why they are there."
            )
        with self._lock:
            self._outside[span] += outside
            for slice_, indices in by_slice.items():
                data = b"".join(page.raws[index] + b"\n" for index in indices)
                self._chunks.append(
                    _Chunk(slice_, self._file.seek(0, 2), len(data), len(self._digests), len(indices), span)
                )
                self._digests.extend(hash(page.uuids[index]) for index in indices)
                self._file.write(data)

    def _bounds_of(self, span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
        if span not in self._bounds:
            self._bounds[span] = self.reading.timestamps(span), self.reading.own_timestamps(span)
        return self._bounds[span]

    def forget(self, span: Span) -> None:
        """Drop all that was taken for ``span``."""
        with self._lock:
            self._chunks = [chunk for chunk in self._chunks if chunk.span != span]
            self._outside.pop(span, None)

    def seal(self) -> None:
        """Find the records that were read more than once; to be called when everything was added."""
        repeated = self._repeated_digests()
        times: Counter[str] = Counter()
        contents: dict[str, bytes] = {}
        changed: set[str] = set()
        for chunk in self._chunks if repeated else ():
            lines = self._lines(chunk)
            for uuid, line in zip(keys(lines)[0], lines, strict=True):
                if hash(uuid) in repeated:
                    times[uuid] += 1
                    self._final_slice[uuid] = chunk.slice
                    if contents.setdefault(uuid, line) != line:
                        changed.add(uuid)
        self.duplicates = times.total() - len(times)
        self.changed = len(changed)

    def digest(self) -> bytes:
        """Return a hash of the records, by which two readings of one window are compared."""
        digest = hashlib.sha256()
        for page in self:
            digest.update(b"\n".join(page) + b"\n")
        return digest.digest()

    def __iter__(self) -> Iterator[list[bytes]]:
        by_slice: dict[int, list[_Chunk]] = {}
        for chunk in self._chunks:
            by_slice.setdefault(chunk.slice, []).append(chunk)
        for slice_ in sorted(by_slice):
            latest: dict[str, tuple[int, str, bytes]] = {}
            for chunk in by_slice[slice_]:
                lines = self._lines(chunk)
                for uuid, ended, line in zip(*keys(lines), lines, strict=True):
                    if self._final_slice.get(uuid, slice_) == slice_:
                        latest[uuid] = (ended, uuid, line)
            ordered = [line for _, _, line in sorted(latest.values())]
            for first in range(0, len(ordered), BATCH):
                yield ordered[first : first + BATCH]

    def _lines(self, chunk: _Chunk) -> list[bytes]:
        self._file.seek(chunk.offset)
        return self._file.read(chunk.size).split(b"\n")[:-1]

    def _repeated_digests(self) -> set[int]:
        """Return the digests that occur twice; looked for in parts, so that no set holds all of them."""
        parts = [array("q") for _ in range(64)]
        for chunk in self._chunks:
            for digest in self._digests[chunk.first : chunk.first + chunk.count]:
                parts[digest & 63].append(digest)
        return {
            digest
            for part in parts
            if len(set(part)) < len(part)
            for digest, times in Counter(part).items()
            if times > 1
        }
