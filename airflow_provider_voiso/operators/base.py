"""What both export operators share: reading the window of the run, writing it, and the manifest."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

from airflow_provider_voiso.api.read import OutOfWindow
from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.arguments import check_one_of
from airflow_provider_voiso.compat.termination import Termination
from airflow_provider_voiso.compat.timetables import timetable_zone
from airflow_provider_voiso.report.assets import announce
from airflow_provider_voiso.report.manifest import Manifest
from airflow_provider_voiso.run.window_task import WindowTask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.base import Destination


def calendar_zone(context: Mapping[str, Any]) -> tzinfo:
    """Return the zone in which the DAG's schedule is read, UTC without a DAG."""
    zone = timetable_zone(context.get("dag")) or UTC
    return ZoneInfo(zone) if isinstance(zone, str) else zone


class VoisoCdrExportOperator(WindowTask):
    """Exports the call detail records of one window; subclasses say where to.

    Further parameters, and where the window comes from: see
    :class:`~airflow_provider_voiso.run.window_task.WindowTask`.

    :param out_of_window: what to do with records that lie outside of what was asked for: ``fail``,
        ``keep`` or ``drop``

    Events of assets in ``outlets`` carry the manifest as ``extra["voiso"]``. An ``AssetAlias`` there
    gets an event only if the export changed anything.
    """

    def __init__(self, *, out_of_window: OutOfWindow = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_one_of(out_of_window, "out_of_window", get_args(OutOfWindow))
        self.out_of_window: OutOfWindow = out_of_window
        self._termination = Termination()

    def on_kill(self) -> None:
        """End the task at once if it is exporting, which undoes what it has begun."""
        self._termination.request()

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Export the window of the run, and return its manifest."""
        window = self.resolve_window(context)
        destination = self.destination(context, window)
        destination.check()
        client = self.hook.client  # looked up before a kill may interrupt
        with self._termination.guarded():
            manifest = self._export(client, window, destination)
        self.log.info("Exported %s", manifest)
        announce(
            context,
            self.outlets,
            window=window,
            manifest=manifest,
            asset_uri=self.asset_uri(),
        )
        return manifest.as_dict()

    def _export(self, client: CdrClient, window: Window, destination: Destination) -> Manifest:
        to_read = self.window_to_read(window)
        self.log.info("::group::Reading %s", to_read)
        with client.read(to_read, self.filters, out_of_window=self.out_of_window) as read:
            self.log.info("Read %d records; %d came more than once.", read.records, read.duplicates)
            if read.changed:
                self.log.warning(
                    "%d records changed while they were read; the last state counts.", read.changed
                )
            self.log.info("::endgroup::")
            written = destination.write(read)
            return Manifest.of(window, read, written)

    def window_to_read(self, window: Window) -> Window:
        """Return what to read for the window of the run."""
        return window

    @abstractmethod
    def asset_uri(self) -> str:
        """Return the URI of all windows together, which an ``AssetAlias`` in ``outlets`` stands for."""

    @abstractmethod
    def destination(self, context: Mapping[str, Any], window: Window) -> Destination:
        """Return where the window goes.

        :raises VoisoConfigurationError: if the arguments name no such place, or one that another
            mapped task has
        """
