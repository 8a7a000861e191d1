"""When a window counts as settled: its records have stopped coming in and changing.

Only the judgement is here: who looks, when, and what remembers the last look is left to the sensor
and the trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_voiso.run.lengths import shifted

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.window import Window


class Verdict(Enum):
    """What to do after a look at a window."""

    WAIT = "wait"
    """Come back later and count again."""
    LOOK_AGAIN = "look again"
    """Enough records are there; read them, and compare with another look."""
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Settling:
    """The conditions under which one window is settled.

    :param window: the window
    :param min_records: number of records that it must hold
    :param settle: how long it must be over, and that two looks must find the same; None if the
        records are enough. Months and years are counted on the calendar, in UTC
    """

    window: Window
    min_records: int
    settle: timedelta | relativedelta | None

    @property
    def due(self) -> datetime | None:
        """The first instant at which a look can settle the window; None if any can."""
        return None if self.settle is None else shifted(self.window.end, self.settle, "settle")

    def is_due(self, now: datetime) -> bool:
        """Return whether a look can settle the window."""
        return self.due is None or now >= self.due

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
