"""Sensor for call detail records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_voiso.api.v2.filters import check_filter_names
from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.run.window import check_window_arguments, resolve_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.window import Window

_LONGEST_PAUSE = 60.0


class VoisoCdrSensor(BaseSensorOperator):
    """Waits until the window of the run holds records, and no more are coming in.

    The window is found as by the operators, see
    :class:`~airflow_provider_voiso.operators.base.VoisoCdrExportOperator`.

    :param voiso_conn_id: connection of type ``voiso`` (templated)
    :param min_records: how many records the window must hold at least
    :param filters: only records that match them count (templated)
    :param settle: if given, the window must be over for that long, and two looks must find the same records with the
        same content. The looks are two pokes; where a poke remembers nothing of the one before (mode ``reschedule``
        before Airflow 3.3) one poke looks twice, ``poke_interval`` but at most a minute apart.
    :param window_start: see the operators (templated)
    :param window_end: see the operators (templated)
    :param granularity: see the operators
    :param allow_open_window: wait for records of a window that is not over yet
    """

    template_fields: Sequence[str] = ("voiso_conn_id", "filters", "window_start", "window_end")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    ui_color = "#e4f1fb"

    def __init__(
        self,
        *,
        voiso_conn_id: str = VoisoHook.default_conn_name,
        min_records: int = 1,
        filters: Mapping[str, Any] | None = None,
        settle: timedelta | None = None,
        window_start: datetime | str | None = None,
        window_end: datetime | str | None = None,
        granularity: timedelta | relativedelta | None = None,
        allow_open_window: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_window_arguments(window_start, window_end)
        if isinstance(filters, Mapping):
            check_filter_names(filters)
        if min_records < 0:
            raise ValueError("min_records must not be negative.")
        if settle is not None and settle < timedelta(0):
            raise ValueError("settle must not be negative.")
        self.voiso_conn_id = voiso_conn_id
        self.min_records = min_records
        self.filters = filters
        self.settle = settle
        self.window_start = window_start
        self.window_end = window_end
        self.granularity = granularity
        self.allow_open_window = allow_open_window
        self._last_look: str | None = None

    @cached_property
    def hook(self) -> VoisoHook:
        """The hook of the connection."""
        return VoisoHook(self.voiso_conn_id)

    def poke(self, context: Mapping[str, Any]) -> bool:
        """Look at the window once.

        :raises VoisoWindowError: if the run has no window
        """
        window = resolve_window(
            context,
            window_start=self.window_start,
            window_end=self.window_end,
            granularity=self.granularity,
            allow_open_window=self.allow_open_window,
        )
        if self.settle is not None and datetime.now(UTC) < window.end + self.settle:
            self.log.info("The window %s is over for less than %s.", window, self.settle)
            return False
        found = self.hook.count_cdrs(window.start, window.end, self.filters, at_least=self.min_records)
        self.log.info("Found %s%d records in %s.", "at least " if found >= self.min_records else "", found, window)
        if found < self.min_records:
            return False
        return self.settle is None or self._is_settled(window, context)

    def _is_settled(self, window: Window, context: Mapping[str, Any]) -> bool:
        store = context.get("task_state_store")
        key = f"voiso_look_{window.start_us}_{window.end_us}"
        look = self._look(window)
        if self.mode == "reschedule" and store is None:
            time.sleep(min(self.poke_interval, _LONGEST_PAUSE))
            before: str | None = look
            look = self._look(window)
        else:
            before = self._last_look if store is None else store.get(key)
        self._last_look = look
        settled = look == before
        if store is not None:
            if settled:
                store.delete(key)
            else:
                store.set(key, look)
        self.log.info("Two looks %s.", "found the same" if settled else "are needed, and this one found something new")
        return settled

    def _look(self, window: Window) -> str:
        """Return a digest of the window's records; it tells nothing about them."""
        with self.hook.read(window, self.filters, out_of_window="drop") as read:
            return f"{read.records} {read.digest().hex()}"
