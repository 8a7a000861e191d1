"""How far an export is, while it runs."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_voiso.compat.task_state import task_state
from airflow_provider_voiso.report.words import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from airflow_provider_voiso.compat.task_state import TaskState

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 5.0
"""Time between two lines of the log."""
STATE_KEY = "voiso_progress"
"""Key in the task's state store."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a read is.

    :param records: records read so far
    :param requests: requests sent so far, retries included
    :param seconds: since the read began
    :param share: share of the window's time that is read, 0 to 1
    """

    records: int
    requests: int
    seconds: float
    share: float

    @property
    def rate(self) -> int:
        """Records per second since the read began."""
        return round(self.records / self.seconds) if self.seconds > 0 else 0

    @property
    def percent(self) -> int:
        """Whole percents of the window's time that are read."""
        return int(self.share * 100)

    def __str__(self) -> str:
        return (
            f"{count_text(self.records, 'record')} read so far with "
            f"{count_text(self.requests, 'request')}, {self.rate:,} records/s; "
            f"{self.percent} % of the window is read."
        )

    def as_dict(self) -> dict[str, int]:
        """Return the same as plain values, for the task's state."""
        return {
            "records": self.records,
            "requests": self.requests,
            "records_per_second": self.rate,
            "percent_of_window": self.percent,
        }


class Progress:
    """Keeps how far a read is; safe to use from several threads.

    :param requests: returns how many requests were sent so far
    :param clock: returns seconds that only increase
    """

    def __init__(
        self, requests: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._requests = requests
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._sent_before = requests()
        self._records = 0
        self._share = 0.0

    def on_answer(self, records: int, share: float) -> None:
        """Take what a read says after an answer; what is shown never goes back.

        :param records: records read so far
        :param share: share of the window's time that is read, 0 to 1
        """
        with self._lock:
            self._records = max(self._records, records)
            self._share = max(self._share, min(share, 1.0))

    def standing(self) -> Standing:
        """Return how far the read is."""
        with self._lock:
            records, share = self._records, self._share
        sent = self._requests() - self._sent_before
        return Standing(records, sent, self._clock() - self._began, share)


@contextmanager
def repeated(tell: Callable[[], None], every: float = SECONDS_BETWEEN) -> Iterator[None]:
    """Call a function again and again, in a thread of its own, until the context is left.

    Not in the thread that reads: SIGTERM raises in that one, and an exception amid a message to
    Airflow would leave half of it in the channel. A read that waits is told of, too.

    :param every: seconds between two calls, and before the first one
    """
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(every):
            tell()

    thread = threading.Thread(target=work, name="voiso-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class ShownProgress:
    """Shows progress in the task's state (Airflow 3.3); an export never fails by it.

    :param context: the task's context
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._state: TaskState | None = task_state(context)

    def show(self, standing: Standing) -> None:
        """Replace what is shown."""
        self._attempt(lambda state: state.set(STATE_KEY, standing.as_dict()))

    def clear(self) -> None:
        """Show nothing any more, neither of this try nor of an earlier one."""
        self._attempt(lambda state: state.delete(STATE_KEY))

    def _attempt(self, change: Callable[[TaskState], None]) -> None:
        if self._state is None:
            return
        try:
            change(self._state)
        except Exception as error:  # noqa: BLE001 - Airflow raises of many kinds here
            self._state = None
            log.debug("The progress is not shown any more: %s.", type(error).__name__)
