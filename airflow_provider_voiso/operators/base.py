"""What both export operators share: reading the window of the run, writing it, and the manifest."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, get_args
from zoneinfo import ZoneInfo

from airflow_provider_voiso.api.read import OutOfWindow
from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.arguments import check_one_of
from airflow_provider_voiso.compat.mapping import label_mapped_task
from airflow_provider_voiso.compat.termination import Termination
from airflow_provider_voiso.compat.timetables import timetable_zone
from airflow_provider_voiso.report.assets import announce
from airflow_provider_voiso.report.lineage import export_lineage, no_lineage
from airflow_provider_voiso.report.links import coverage_links, leave_object_url
from airflow_provider_voiso.report.manifest import Manifest
from airflow_provider_voiso.report.metrics import Metrics
from airflow_provider_voiso.report.progress import Progress, ShownProgress, repeated
from airflow_provider_voiso.report.words import count_text, seconds_text, window_text
from airflow_provider_voiso.run.window_task import WindowTask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.base import Destination
    from airflow_provider_voiso.report.lineage import Place


def calendar_zone(context: Mapping[str, Any]) -> tzinfo:
    """Return the zone in which the DAG's schedule is read, UTC without a DAG."""
    zone = timetable_zone(context.get("dag")) or UTC
    return ZoneInfo(zone) if isinstance(zone, str) else zone


class VoisoCdrExportOperator(WindowTask):
    """Exports the call detail records of one window; subclasses say where to.

    ``map_index_template`` may use ``{{ voiso_window }}``, which is also its default.

    Further parameters, and where the window comes from: see
    :class:`~airflow_provider_voiso.run.window_task.WindowTask`.

    :param out_of_window: what to do with records that lie outside of what was asked for: ``fail``,
        ``keep`` or ``drop``

    Events of assets in ``outlets`` carry the manifest as ``extra["voiso"]``. An ``AssetAlias``
    there gets an event only if the export changed anything.
    """

    operator_extra_links = coverage_links()
    destination_kind: ClassVar[str]
    """What metrics call the destination."""

    def __init__(self, *, out_of_window: OutOfWindow = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_one_of(out_of_window, "out_of_window", get_args(OutOfWindow))
        self.out_of_window: OutOfWindow = out_of_window
        self.object_url: str | None = None
        self._termination = Termination()
        self._manifest: Manifest | None = None

    def on_kill(self) -> None:
        """End the task at once if it is exporting, which undoes what it has begun."""
        self._termination.request()

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Export the window of the run, and return its manifest."""
        began = time.monotonic()
        window = self.resolve_window(context)
        label_mapped_task(context, window_text(window))
        destination = self.destination(context, window)
        destination.check()
        client = self.hook.client  # looked up before a kill may interrupt
        shown = ShownProgress(context)
        metrics = Metrics(context, self.destination_kind)
        with (
            self._termination.guarded(),
            self._read(client, window, destination, shown, metrics) as read,
        ):
            with metrics.writing():
                written = destination.write(read)
            manifest = Manifest.of(window, read, written)
            changed = read.changed
        self._manifest = manifest
        shown.clear()
        leave_object_url(self, context, written.url)
        metrics.exported(manifest)
        self.log.info("%s", manifest.line(seconds=time.monotonic() - began, changed=changed))
        announce(
            context,
            self.outlets,
            window=window,
            manifest=manifest.as_dict(),
            asset_uri=self.asset_uri(),
        )
        return manifest.as_dict()

    def _read(
        self,
        client: CdrClient,
        window: Window,
        destination: Destination,
        shown: ShownProgress,
        metrics: Metrics,
    ) -> WindowRead:
        to_read = self.window_to_read(window)
        self.log.info(
            "Exporting the window %s from %s to %s.",
            window_text(to_read),
            client.selection(self.filters).account,
            destination.address,
        )
        progress = Progress(lambda: client.requests)

        def tell() -> None:
            standing = progress.standing()
            self.log.info("%s", standing)
            shown.show(standing)

        with metrics.reading(client), repeated(tell):
            read = client.read(
                to_read,
                self.filters,
                out_of_window=self.out_of_window,
                on_answer=progress.on_answer,
            )
        self.log.info(
            "Read %s in %s; writing.",
            count_text(read.records, "record"),
            seconds_text(progress.standing().seconds),
        )
        return read

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - as called
        """Return the lineage of the export, which is empty if it has failed."""
        if self._manifest is None:
            return no_lineage()
        account = self.hook.client.selection().account
        return export_lineage(account, self.lineage_place(self._manifest), self._manifest)

    @abstractmethod
    def lineage_place(self, manifest: Manifest) -> Place:
        """Return where the export went, as OpenLineage names it."""

    def window_to_read(self, window: Window) -> Window:
        """Return what to read for the window of the run."""
        return window

    @abstractmethod
    def asset_uri(self) -> str:
        """Return the URI of all windows, for which an ``AssetAlias`` in ``outlets`` stands."""

    @abstractmethod
    def destination(self, context: Mapping[str, Any], window: Window) -> Destination:
        """Return where the window goes.

        :raises VoisoConfigurationError: if the arguments name no such place, or one that another
            mapped task has
        """
