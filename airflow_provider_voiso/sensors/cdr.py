"""Sensor for call detail records."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.arguments import check_count
from airflow_provider_voiso.compat.task_state import task_state
from airflow_provider_voiso.run.lengths import check_length
from airflow_provider_voiso.run.settling import Settling, Verdict
from airflow_provider_voiso.run.window_task import WindowTask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.window import Window

_LONGEST_PAUSE = 60.0
"""Seconds between two looks in one poke, in which the task holds a worker's slot."""


class VoisoCdrSensor(WindowTask, BaseSensorOperator):
    """Waits until the window of the run holds records, and no more are coming in.

    Only records that match ``filters`` count. Further parameters, and where the window comes from:
    see :class:`~airflow_provider_voiso.run.window_task.WindowTask`.

    :param min_records: number of records that the window must hold
    :param settle: if given, the window must be over for that long, and two looks must find the same
        records with the same content; months and years of a ``relativedelta`` are counted on the
        calendar, in UTC. The looks are two pokes; where a poke remembers nothing of the one before
        (mode ``reschedule`` before Airflow 3.3) one poke looks twice, ``poke_interval`` but at most
        a minute apart.
    """

    def __init__(
        self,
        *,
        min_records: int = 1,
        settle: timedelta | relativedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_count(min_records, "min_records")
        if settle is not None:
            check_length(settle, "settle")
        self.min_records = min_records
        self.settle = settle
        self._last_look: str | None = None

    def poke(self, context: Mapping[str, Any]) -> bool:
        """Look at the window once.

        :raises VoisoNoWindowError: if the run has no window
        :raises VoisoOpenWindowError: if it is not over yet
        """
        window = self.resolve_window(context)
        settling = Settling(window, self.min_records, self.settle)
        if not settling.is_due(datetime.now(UTC)):
            self.log.info("The window %s ended less than %s ago; waiting.", window, self.settle)
            return False
        found = self.hook.count_cdrs(
            window.start, window.end, self.filters, at_least=self.min_records
        )
        self.log.info(
            "Found %s%d records in %s.",
            "at least " if found >= self.min_records else "",
            found,
            window,
        )
        verdict = settling.after_count(found)
        if verdict is Verdict.LOOK_AGAIN:
            verdict = self._look_again(settling, context)
        return verdict is Verdict.SETTLED

    def _look_again(self, settling: Settling, context: Mapping[str, Any]) -> Verdict:
        """Look at the records, and compare with the look before, wherever that is remembered."""
        store = task_state(context)
        look = self._look(settling.window)
        before: str | None
        if store is not None:
            before = store.get(settling.key)
        elif self.mode == "reschedule":
            # The next poke is another process that remembers nothing.
            time.sleep(min(self.poke_interval, _LONGEST_PAUSE))
            before, look = look, self._look(settling.window)
        else:
            before = self._last_look
        self._last_look = look

        verdict = settling.after_look(look, before)
        if verdict is Verdict.SETTLED:
            self.log.info("Two looks found the same records.")
            if store is not None:
                # A cleared task finds the store as it was left, and must look twice again.
                store.delete(settling.key)
            return verdict
        self.log.info(
            "This look found other records than the one before, if there was one; looking again."
        )
        if store is not None:
            store.set(settling.key, look)
        return verdict

    def _look(self, window: Window) -> str:
        """Return a digest of the window's records; it tells nothing about them."""
        with self.hook.read(window, self.filters, out_of_window="drop") as read:
            return f"{read.records} {read.digest().hex()}"
