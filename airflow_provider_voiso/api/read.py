"""What reading one window gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_voiso.api.selection import Selection
    from airflow_provider_voiso.api.spool import Lines, Spool
    from airflow_provider_voiso.api.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class WindowRead:
    """The records of a window, on local disk, and what was learned while they were read.

    It can be read any number of times; closing it, or leaving it as a context, removes the records from the disk.

    :param window: the window that was read
    :param selection: account and filters that were asked for
    :param spool: the records
    :param clock: in which clock the API reads dates
    :param requests: number of requests sent, retries included
    :param probes: number of requests among them that proved something
    """

    window: Window
    selection: Selection
    spool: Spool
    clock: str
    requests: int
    probes: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the records from the local disk."""
        self.spool.close()

    @property
    def records(self) -> int:
        """Number of records, each ``uuid`` once."""
        return self.spool.records

    @property
    def duplicates(self) -> int:
        """Number of repetitions that were left out."""
        return self.spool.duplicates

    @property
    def changed(self) -> int:
        """Number of records whose content changed while the window was read; the last state is kept."""
        return self.spool.changed

    @property
    def out_of_window(self) -> int:
        """Number of records that lie outside of what was asked for."""
        return self.spool.out_of_window

    @property
    def size(self) -> int:
        """Bytes of the records as JSON."""
        return self.spool.size

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the records as JSON, some at a time, ordered by ``timestamp`` and ``uuid``."""
        return iter(self.spool)

    def blocks(self) -> Iterator[Lines]:
        """Yield the records ten thousand at a time, one a line."""
        return self.spool.blocks()

    def digest(self) -> bytes:
        """Return a hash of the records."""
        return self.spool.digest()
