"""When a window counts as settled: its records have stopped coming in and changing.

The look and the judgement are here: when to look, and what remembers the last look, is left to the
sensor and the trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.run.lengths import shifted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.api.window import Window


class Verdict(Enum):
    """What to do after a look at a window."""

    WAIT = "wait"
    """Come back later and count again."""
    LOOK_AGAIN = "look again"
    """Enough records are there; read them, and compare with another look."""
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a window found; it holds nothing of a record.

    :param found: number of records, counted no further than was wanted
    :param digest: a text that differs if the records do; None if they were only counted
    """

    found: int
    digest: str | None


def digest(client: CdrClient, window: Window, filters: Mapping[str, Any] | None) -> str:
    """Read a window, and return a text that differs if its records do.

    :raises VoisoError: if the window could not be read whole
    """
    with client.read(window, filters, out_of_window="drop") as read:
        return f"{read.records} {read.digest().hex()}"


@dataclass(frozen=True, slots=True)
class Settling:
    """The conditions under which one window is settled.

    :param window: the window
    :param min_records: number of records that it must hold
    :param settle: how long it must be over, and that two looks must find the same; None if the
        records are enough. Months and years are counted on the calendar, in UTC
    :param allow_open_window: without ``settle``, look before the window is over
    """

    window: Window
    min_records: int
    settle: timedelta | relativedelta | None
    allow_open_window: bool = False

    @property
    def due(self) -> datetime | None:
        """The first instant at which a look can settle the window; None if any can."""
        if self.settle is not None:
            return shifted(self.window.end, self.settle, "settle")
        return None if self.allow_open_window else self.window.end

    def is_due(self, now: datetime) -> bool:
        """Return whether a look can settle the window."""
        return self.due is None or now >= self.due

    def look(self, client: CdrClient, filters: Mapping[str, Any] | None) -> Look:
        """Count the window's records; read them too if there are enough and they must settle.

        :raises VoisoError: if the window could not be read
        """
        found = client.count(self.window, filters, at_least=self.min_records)
        if self.after_count(found) is not Verdict.LOOK_AGAIN:
            return Look(found, None)
        return Look(found, digest(client, self.window, filters))

    def describe(self, look: Look) -> str:
        """Return a sentence on what a look found, for the log."""
        at_least = "at least " if look.found >= self.min_records else ""
        return f"Found {at_least}{look.found} records in {self.window}."

    def after_count(self, found: int) -> Verdict:
        """Judge by the number of records that were found."""
        if found < self.min_records:
            return Verdict.WAIT
        return Verdict.SETTLED if self.settle is None else Verdict.LOOK_AGAIN

    def after_look(self, look: str, before: str | None) -> Verdict:
        """Judge by what two looks found, each told by a text that differs if the records do.

        :param look: this look
        :param before: the look before it, None if there was none
        """
        return Verdict.SETTLED if look == before else Verdict.LOOK_AGAIN

    @property
    def key(self) -> str:
        """The name under which a look at this window is remembered."""
        return f"voiso_look_{self.window.start_us}_{self.window.end_us}"
