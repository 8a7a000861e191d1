"""What an export tells the assets in its ``outlets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.compat.assets import asset_at, is_alias, is_asset, set_partition
from airflow_provider_voiso.compat.runs import stored
from airflow_provider_voiso.compat.timetables import partition_key_format, timetable_zone
from airflow_provider_voiso.run.lengths import in_utc
from airflow_provider_voiso.run.periods import Periods

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_voiso.api.window import Window

EXTRA = "voiso"
"""The name of the manifest in the extra of an event."""


def announce(
    context: Mapping[str, Any],
    outlets: Iterable[Any],
    *,
    window: Window | None,
    manifest: Mapping[str, Any],
    asset_uri: str,
) -> None:
    """Put the manifest into the events of a task's outlets.

    Airflow gives each asset its event when the task succeeds, also if nothing changed. An alias has
    no event but the one that is added here, and none is added if nothing changed.

    :param context: the task's context; without ``outlet_events`` nothing is announced
    :param outlets: assets and aliases; anything else is left alone
    :param window: the window that was exported, None if it was no window
    :param manifest: plain values
    :param asset_uri: the asset that an alias stands for
    """
    events = context.get("outlet_events")
    if events is None:
        return
    key = None
    for outlet in outlets:
        if is_alias(outlet):
            if manifest.get("changed") is not False:
                events[outlet].add(asset_at(asset_uri), extra={EXTRA: manifest})
        elif is_asset(outlet):
            event = events[outlet]
            event.extra[EXTRA] = manifest
            if window is not None:
                key = key or partition_key(context, window)
            if key is not None:
                set_partition(event, key)


def partition_key(context: Mapping[str, Any], window: Window) -> str | None:
    """Return the partition key of a window that is another partition than the run's.

    Only a DAG that is scheduled by partition has one: events with a key do not start DAGs that are
    scheduled by the plain asset.

    :return: None for the run's own partition, whose key Airflow adds, and for parts of a partition
    """
    dag = context.get("dag")
    form = partition_key_format(dag)
    if form is None or stored(context, "partition_date") == window.start:
        return None
    periods = Periods.of(dag)
    if periods is None or periods.end_of(in_utc(window.start)) != window.end:
        return None
    return in_utc(window.start).in_timezone(timetable_zone(dag) or "UTC").strftime(form)
