"""Trigger for call detail records: waits for a window in the triggerer, without a worker."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from dateutil.parser import isoparse

from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoError
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.run import answers
from airflow_provider_voiso.run.settling import Settling, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.run.settling import Look

LOOKS_AT_ONCE = 4
"""Looks at windows that one triggerer takes at once; the others wait for their turn."""

_LONGEST_SLEEP = 600.0
"""Seconds after which the clock is read again: a sleep does not notice when it is set."""

# Threads of their own: a slow API must not take those that other triggers share. Of a trigger that
# is cancelled, the look goes on to its end.
_threads = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="voiso-look")

# A trigger takes a turn before it makes a client: a thousand clients would fill the memory. The
# turns belong to a loop, as ``dag.test()`` has a new one for each trigger.
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class VoisoCdrTrigger(BaseTrigger):
    """Fires once when a window is settled, a look at it failed, or the sensor's time is up.

    It asks the API nothing before the window is over, nor before ``settle`` has passed since. All
    of its state but the last look's digest is in its arguments, so that another triggerer can start
    it anew.

    :param voiso_conn_id: connection of type ``voiso``
    :param window_start: first instant of the window, ISO 8601 with an offset
    :param window_end: first instant that no longer belongs to the window, likewise
    :param filters: request parameters of the vendor's table as texts
    :param min_records: number of records that the window must hold
    :param settle: seconds for which the window must be over, after which two looks must find the
        same records; None if ``min_records`` are enough
    :param allow_open_window: look without waiting for the window's end, unless ``settle`` is given
    :param poke_interval: seconds between two looks
    :param deadline: instant after which no further look is taken, ISO 8601 with an offset; None to
        wait without end
    :param silent_fail: log an error that a later look may not meet, and go on
    """

    def __init__(
        self,
        *,
        voiso_conn_id: str,
        window_start: str,
        window_end: str,
        filters: Mapping[str, str] | None = None,
        min_records: int = 1,
        settle: float | None = None,
        allow_open_window: bool = False,
        poke_interval: float = 60.0,
        deadline: str | None = None,
        silent_fail: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.voiso_conn_id = voiso_conn_id
        self.window_start = window_start
        self.window_end = window_end
        self.filters = filters
        self.min_records = min_records
        self.settle = settle
        self.allow_open_window = allow_open_window
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.silent_fail = silent_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments; they hold no key."""
        return (
            "airflow_provider_voiso.triggers.cdr.VoisoCdrTrigger",
            {
                "voiso_conn_id": self.voiso_conn_id,
                "window_start": self.window_start,
                "window_end": self.window_end,
                "filters": self.filters,
                "min_records": self.min_records,
                "settle": self.settle,
                "allow_open_window": self.allow_open_window,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "silent_fail": self.silent_fail,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the window, and yield one event for :func:`run.answers.result` to read."""
        try:
            answer = await self._answer()
        except VoisoError as error:
            answer = answers.failed(error)
        yield TriggerEvent(answer)  # type: ignore[no-untyped-call]

    async def _answer(self) -> dict[str, Any]:
        window = Window(isoparse(self.window_start), isoparse(self.window_end))
        settle = None if self.settle is None else timedelta(seconds=self.settle)
        settling = Settling(window, self.min_records, settle, self.allow_open_window)
        if settling.due is not None and not await self._is_reached(settling.due):
            return answers.timed_out(window)

        last_digest: str | None = None
        while True:
            look = await self._look(settling)
            if look is not None:
                if self._verdict(settling, look, last_digest) is Verdict.SETTLED:
                    return answers.settled(settling.describe(look))
                last_digest = look.digest
            if not await self._is_reached(_now() + timedelta(seconds=self.poke_interval)):
                return answers.timed_out(window)

    def _verdict(self, settling: Settling, look: Look, last_digest: str | None) -> Verdict:
        self.log.info("%s", settling.describe(look))
        if look.digest is None:
            return settling.after_count(look.found)
        verdict = settling.after_look(look.digest, last_digest)
        if verdict is Verdict.SETTLED:
            self.log.info("Two looks found the same records.")
        else:
            self.log.info("Looking again, as two looks in sequence must find the same records.")
        return verdict

    async def _look(self, settling: Settling) -> Look | None:
        """Look once; return None if that failed and the failure is only logged."""
        # The log of a task is found by context variables, which a thread does not inherit.
        context = copy_context()
        loop = asyncio.get_running_loop()
        turns = _turns.setdefault(loop, asyncio.Semaphore(LOOKS_AT_ONCE))
        try:
            async with turns:
                client = await sync_to_async(_client)(self.voiso_conn_id)
                return await loop.run_in_executor(
                    _threads, context.run, _look_and_close, client, settling, self.filters
                )
        except AirflowFailException:
            raise
        except VoisoError as error:
            if not self.silent_fail:
                raise
            self.log.error("The look failed: %s", error)  # noqa: TRY400 - a traceback tells no more
            return None

    async def _is_reached(self, instant: datetime) -> bool:
        """Wait until an instant; return False if the deadline came first."""
        deadline = None if self.deadline is None else isoparse(self.deadline)
        end = instant if deadline is None else min(instant, deadline)
        while (seconds := (end - _now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock has no event
            await asyncio.sleep(min(seconds, _LONGEST_SLEEP))
        return end == instant


def _client(voiso_conn_id: str) -> CdrClient:
    # Made for each look: so the key is in memory only then, and a changed one is found.
    return VoisoHook(voiso_conn_id).client


def _look_and_close(
    client: CdrClient, settling: Settling, filters: Mapping[str, str] | None
) -> Look:
    try:
        return settling.look(client, filters)
    finally:
        client.close()


def _now() -> datetime:
    return datetime.now(UTC)
