"""The result of reading one window."""

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
"""What to do with a record outside of the requested dates."""
OnAnswer = Callable[[int, float], None]
"""Gets the records read so far, and the share of the window's time that is read, 0 to 1.

It is called after each answer, by one thread at a time. A record that came in two answers counts
twice. Both numbers start again if a window has to be read again.
"""


@dataclass(frozen=True, slots=True, eq=False)
class WindowRead:
    """The records of a window, on local disk, and the facts of reading them.

    It can be iterated any number of times. Closing it, or leaving it as a context, removes the
    records from the disk.

    :param window: the window that was read
    :param selection: account and filters of the read
    :param content: the records
    :param clock: the clock in which the API reads dates
    :param out_of_window: number of records outside of the requested dates
    :param requests: number of requests sent, retries included
    :param probes: number of those requests that only proved how the API behaves
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
        """Number of records that changed while the window was read; the last state is kept."""
        return self.content.changed

    @property
    def unfinished(self) -> int:
        """Number of conversations that are not over.

        Their end may still move, also into another window.
        """
        return self.content.unfinished

    @property
    def size(self) -> int:
        """Size of the records as JSON, in bytes."""
        return self.content.size

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the records as JSON in small lists, ordered by ``timestamp`` and ``uuid``."""
        return iter(self.content)

    def blocks(self) -> Iterator[Lines]:
        """Yield the records as lines of JSON, ten thousand at a time."""
        return self.content.blocks()

    def digest(self) -> bytes:
        """Return the SHA-256 hash of the records."""
        return self.content.digest()


@dataclass(frozen=True, slots=True)
class Content:
    """The records of a window as one version of the API gave them.

    :param records: the records; the caller closes them
    :param out_of_window: number of records outside of what was asked for
    :param clock: in which clock the API reads dates
    """

    records: SpooledRecords
    out_of_window: int
    clock: str
