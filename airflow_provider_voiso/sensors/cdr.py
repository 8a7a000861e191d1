"""Sensor for call detail records."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    conf,
)

from airflow_provider_voiso.api.v2.filters import filter_params
from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.arguments import check_bool, check_count
from airflow_provider_voiso.compat.deferral import has_timed_out
from airflow_provider_voiso.compat.task_state import task_state
from airflow_provider_voiso.exceptions import VoisoError
from airflow_provider_voiso.run import answers
from airflow_provider_voiso.run.lengths import check_length, shifted
from airflow_provider_voiso.run.settling import Settling, Verdict, digest
from airflow_provider_voiso.run.window import resolve_window
from airflow_provider_voiso.run.window_task import WindowTask
from airflow_provider_voiso.triggers.cdr import VoisoCdrTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.window import Window

_LONGEST_PAUSE = 60.0
"""Seconds between two looks in one poke, in which the task holds a worker's slot."""

_TIMEOUTS = (AirflowSensorTimeout, AirflowTaskTimeout)


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
    :param deferrable: wait in the triggerer, which takes no worker's slot; ``mode`` and
        ``exponential_backoff`` do not matter then, and ``poke_interval`` is the pause between two
        looks. By default what ``[operators] default_deferrable`` says.
    :param allow_open_window: look before the window is over, too; with ``settle`` it has no effect

    In every mode it waits for the window's end without a request. ``timeout`` counts from the first
    poke, or from the deferral. With ``soft_fail`` a timeout skips the task; an error such as a
    refused key fails it in every mode, as it would else go unseen.
    """

    def __init__(
        self,
        *,
        min_records: int = 1,
        settle: timedelta | relativedelta | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_count(min_records, "min_records")
        if settle is not None:
            check_length(settle, "settle")
        self.min_records = min_records
        check_bool(deferrable, "deferrable")
        self.settle = settle
        self.deferrable = deferrable
        self._last_look: str | None = None

    def poke(self, context: Mapping[str, Any]) -> bool:
        """Look at the window once, unless it is too early.

        :return: whether the window is settled
        :raises VoisoNoWindowError: if the run has no window
        """
        window = self._window(context)
        settling = Settling(window, self.min_records, self.settle, self.allow_open_window)
        if not settling.is_due(datetime.now(UTC)):
            self.log.info("Not looking at %s before %s; waiting.", window, settling.due)
            return False
        look = settling.look(self.hook.client, self.filters)
        self.log.info("%s", settling.describe(look))
        if look.digest is None:
            return settling.after_count(look.found) is Verdict.SETTLED
        return self._look_again(settling, look.digest, context) is Verdict.SETTLED

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Poke until the window is settled, or defer.

        :raises AirflowSensorTimeout: if ``timeout`` is over; a skip with ``soft_fail``
        :raises VoisoError: of the class that tells why the window could not be looked at
        """
        run: Callable[[Any], Any] = self._defer if self.deferrable else super().execute
        return self._skip_or_fail(lambda: run(context))

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Mapping[str, Any]
    ) -> Any:
        """Go on after the deferral; Airflow calls it.

        :raises AirflowSensorTimeout: see :meth:`execute`
        :raises VoisoError: see :meth:`execute`
        """
        if has_timed_out(next_method, next_kwargs):
            # The trigger tells it by itself, unless no triggerer runs it.
            answer = answers.timed_out(self._window(context))
            next_method, next_kwargs = "execute_complete", {"event": answer}
        resume: Callable[..., Any] = super().resume_execution
        return self._skip_or_fail(lambda: resume(next_method, next_kwargs, context))

    def execute_complete(
        self,
        context: Mapping[str, Any],  # noqa: ARG002 - Airflow's signature
        event: Mapping[str, Any],
    ) -> None:
        """Do what the trigger's answer demands; Airflow calls it.

        :param event: content of the event that the trigger fired
        :raises AirflowSensorTimeout: if ``timeout`` is over
        :raises VoisoError: of the class that the trigger caught
        """
        self.log.info("%s", answers.result(event))

    def _defer(self, context: Mapping[str, Any]) -> None:
        window = self._window(context)
        settle = None
        if self.settle is not None:
            settle = (shifted(window.end, self.settle, "settle") - window.end).total_seconds()
        deadline = shifted(datetime.now(UTC), timedelta(seconds=self.timeout), "timeout")
        trigger = VoisoCdrTrigger(
            voiso_conn_id=self.voiso_conn_id,
            window_start=window.start.isoformat(),
            window_end=window.end.isoformat(),
            filters=filter_params(self.filters),
            min_records=self.min_records,
            settle=settle,
            allow_open_window=self.allow_open_window,
            poke_interval=self.poke_interval,
            deadline=deadline.isoformat(),
            silent_fail=self.silent_fail,
        )
        self.log.info("Waiting for %s in the triggerer.", window)
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _window(self, context: Mapping[str, Any]) -> Window:
        """Return the window of the run, which need not be over."""
        return resolve_window(
            context,
            window_start=self.window_start,
            window_end=self.window_end,
            granularity=self.granularity,
            allow_open_window=True,
        )

    def _skip_or_fail(self, run: Callable[[], Any]) -> Any:
        """Let ``soft_fail`` skip for the timeout alone, and ``never_fail`` for every error.

        With ``soft_fail`` Airflow skips it for errors too: in a poke for those that no retry can
        help, after a deferral for all. With ``never_fail`` Airflow 2 fails it after a deferral.
        """
        try:
            return run()
        except VoisoError as failure:
            if not self.never_fail:
                raise
            raise AirflowSkipException("Skipping due to never_fail is set to True.") from failure
        except AirflowSkipException as skip:
            error = skip.__cause__
            if not self.soft_fail or error is None or isinstance(error, _TIMEOUTS):
                raise
        raise error

    def _look_again(
        self, settling: Settling, first_digest: str, context: Mapping[str, Any]
    ) -> Verdict:
        """Compare with the look before, wherever that is remembered."""
        store = task_state(context)
        last_digest = first_digest
        before: str | None
        if store is not None:
            before = store.get(settling.key)
        elif self.mode == "reschedule":
            # The next poke is another process that remembers nothing.
            time.sleep(min(self.poke_interval, _LONGEST_PAUSE))
            before = first_digest
            last_digest = digest(self.hook.client, settling.window, self.filters)
        else:
            before = self._last_look
        self._last_look = last_digest

        verdict = settling.after_look(last_digest, before)
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
            store.set(settling.key, last_digest)
        return verdict
