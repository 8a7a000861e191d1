"""What both export operators share: the window of the run, reading it, and the manifest."""

from __future__ import annotations

import signal
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_voiso.api.v2.filters import check_filter_names
from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.compat.timetables import timetable_zone
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.report.manifest import Manifest
from airflow_provider_voiso.run.window import check_window_arguments, resolve_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta, tzinfo

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.api.spool import OutOfWindow
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.base import Destination

_KILLED = 128 + signal.SIGTERM
"""The exit code of a process that ended upon SIGTERM."""


def calendar_zone(context: Mapping[str, Any]) -> tzinfo:
    """Return the zone in which the DAG's schedule is read, UTC without a DAG."""
    zone = timetable_zone(context.get("dag")) or UTC
    return ZoneInfo(zone) if isinstance(zone, str) else zone


class VoisoCdrExportOperator(BaseOperator):
    """Exports the call detail records of one window; subclasses say where to.

    The window is ``window_start`` to ``window_end`` if both are given, else the run's partition, else its data
    interval, else the last complete period of the DAG's timetable.

    :param voiso_conn_id: connection of type ``voiso``
    :param filters: request parameters of the vendor's table other than key, paging and dates; lists become comma
        lists (templated)
    :param window_start: first instant of the window: a datetime with a zone or ISO 8601 with an offset (templated)
    :param window_end: first instant that no longer belongs to the window, likewise (templated)
    :param granularity: length of a partition that the DAG's own timetable does not tell; days are calendar days
    :param allow_open_window: export a window that is not over yet
    :param out_of_window: what to do with records that lie outside of what was asked for: ``fail``, ``keep`` or
        ``drop``
    """

    template_fields: Sequence[str] = ("voiso_conn_id", "filters", "window_start", "window_end")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    ui_color = "#e4f1fb"

    def __init__(
        self,
        *,
        voiso_conn_id: str = VoisoHook.default_conn_name,
        filters: Mapping[str, Any] | None = None,
        window_start: datetime | str | None = None,
        window_end: datetime | str | None = None,
        granularity: timedelta | relativedelta | None = None,
        allow_open_window: bool = False,
        out_of_window: OutOfWindow = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_window_arguments(window_start, window_end)
        if isinstance(filters, Mapping):
            check_filter_names(filters)
        if out_of_window not in {"fail", "keep", "drop"}:
            raise ValueError(f"Unknown out_of_window {out_of_window!r}. Known are: 'fail', 'keep' and 'drop'.")
        self.voiso_conn_id = voiso_conn_id
        self.filters = filters
        self.window_start = window_start
        self.window_end = window_end
        self.granularity = granularity
        self.allow_open_window = allow_open_window
        self.out_of_window: OutOfWindow = out_of_window
        self._is_exporting = self._is_killed = False

    @cached_property
    def hook(self) -> VoisoHook:
        """The hook of the connection."""
        return VoisoHook(self.voiso_conn_id)

    def resolve_window(self, context: Mapping[str, Any]) -> Window:
        """Return the window of the run.

        :raises VoisoWindowError: if the run has none, or it is not over yet
        """
        return resolve_window(
            context,
            window_start=self.window_start,
            window_end=self.window_end,
            granularity=self.granularity,
            allow_open_window=self.allow_open_window,
        )

    def on_kill(self) -> None:
        """End the task at once, so that what it has begun is undone; Airflow tries it again if it may.

        Airflow 3 does no more than call this on SIGTERM, and kills a task that goes on some seconds later. Outside of
        the export it may be in the midst of a message to its supervisor, and what is raised there can block the task.
        """
        self._is_killed = True
        if self._is_exporting:
            raise SystemExit(_KILLED)

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Export the window of the run, and return its manifest."""
        window = self.resolve_window(context)
        destination = self.destination(context, window)
        destination.check()
        client = self.hook.client  # looked up before a kill may interrupt
        try:
            self._is_exporting = True
            if self._is_killed:
                raise SystemExit(_KILLED)
            manifest = self._export(client, window, destination)
        finally:
            self._is_exporting = self._is_killed = False
        self.log.info("Exported %s", manifest)
        return manifest.as_dict()

    def _export(self, client: CdrClient, window: Window, destination: Destination) -> Manifest:
        to_read = self.window_to_read(window)
        self.log.info("::group::Reading %s", to_read)
        with client.read(to_read, self.filters, out_of_window=self.out_of_window) as read:
            self.log.info("Read %d records; %d came more than once.", read.records, read.duplicates)
            if read.changed:
                self.log.warning("%d records changed while they were read; the last state counts.", read.changed)
            self.log.info("::endgroup::")
            written = destination.write(read)
            return Manifest.of(window, read, written)

    def window_to_read(self, window: Window) -> Window:
        """Return what to read for the window of the run."""
        return window

    @abstractmethod
    def destination(self, context: Mapping[str, Any], window: Window) -> Destination:
        """Return where the window goes.

        :raises VoisoConfigurationError: if the arguments name no such place, or one that another mapped task has
        """
