"""Refusal of mapped tasks that would overwrite one another's export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_voiso.operators.base import VoisoCdrExportOperator


def check_mapped_destination(
    task: VoisoCdrExportOperator,
    context: Mapping[str, Any],
    window: Window,
    *,
    arguments: Mapping[str, Any],
    place: Callable[[Window], str],
    way_out: str,
) -> None:
    """Fail if this is a mapped task, and the others that are mapped with it write to the same place.

    Arguments with Jinja in them are trusted to differ from one mapped task to the next.

    :param arguments: the arguments that say where to, each with its default or None
    :param place: where the export of a window goes
    :param way_out: what a person should change
    :raises VoisoConfigurationError: before anything is read
    """
    declared = getattr(context.get("dag"), "task_dict", {}).get(task.task_id)
    if declared is None or getattr(context.get("ti"), "map_index", -1) < 0:
        return
    # A mapped operator keeps what is given once for all; in a mapped task group, a plain operator has references.
    shared: Mapping[str, Any] = getattr(declared, "partial_kwargs", None) or vars(declared)

    def differs(name: str) -> bool:
        if name not in shared:
            return bool(getattr(task, name) != arguments.get(name))
        return hasattr(shared[name], "resolve") or "{{" in str(shared[name])

    if any(map(differs, arguments)):
        return
    if differs("window_start"):
        length = window.end - window.start
        neighbours = (Window(window.start - length, window.start), Window(window.end, window.end + length))
        if place(window) not in map(place, neighbours):
            return
    raise VoisoConfigurationError(
        f"The tasks mapped from {task.task_id} would overwrite one another: more than one of them writes to "
        f"{place(window)}. {way_out}"
    )
