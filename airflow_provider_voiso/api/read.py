"""What reading one window gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_voiso.api.page import Lines
    from airflow_provider_voiso.api.selection import Selection
    from airflow_provider_voiso.api.spool import SpooledRecords
    from airflow_provider_voiso.api.window import Window

OutOfWindow = Literal["fail", "keep", "drop"]
"""What to do with a record that lies outside of what was asked for."""
OnAnswer = Callable[[int, float], None]
"""Gets the records read so far, and the share of the window's time that is read, 0 to 1.

It is called after each answer, by one thread at a time. A record that came in two answers counts
twice. Both numbers start again if a window has to be read again.
"""


@dataclass(frozen=True, slots=True, eq=False)
class WindowRead:
    """The records of a window, on local disk, and what was learned while they were read.

    It can be read any number of times; closing it, or leaving it as a context, removes the records
    from the disk.

    :param window: the window that was read
    :param selection: account and filters that were asked for
    :param content: the records
    :param clock: in which clock the API reads dates
    :param out_of_window: number of records outside of what was asked for
    :param requests: number of requests sent, retries included
    :param probes: number of requests among them that proved something
    """

    window: Window
    selection: Selection
    content: SpooledRecords
    clock: str
    out_of_window: int
    requests: int
    probes: int

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
        """Remove the records from the local disk."""
        self.content.close()

    @property
    def records(self) -> int:
        """Number of records, each ``uuid`` once."""
        return self.content.records

    @property
    def duplicates(self) -> int:
        """Number of records that came twice in one answer and were left out."""
        return self.content.duplicates

    @property
    def changed(self) -> int:
        """Number of records whose content changed while the window was read; the last state is kept."""
        return self.content.changed

    @property
    def unfinished(self) -> int:
        """Number of conversations that are not over: their end, and with it their window, may still change."""
        return self.content.unfinished

    @property
    def size(self) -> int:
        """Bytes of the records as JSON."""
        return self.content.size

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the records as JSON, some at a time, ordered by ``timestamp`` and ``uuid``."""
        return iter(self.content)

    def blocks(self) -> Iterator[Lines]:
        """Yield the records ten thousand at a time, one a line."""
        return self.content.blocks()

    def digest(self) -> bytes:
        """Return a hash of the records."""
        return self.content.digest()
