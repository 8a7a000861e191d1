"""Refusal of mapped tasks that would overwrite one another's export."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.compat.mapping import mapped_tasks
from airflow_provider_voiso.compat.references import is_from_mapped_group, is_reference
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.run.templates import is_rendered_later

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.run.window_task import WindowTask

log = logging.getLogger(__name__)

_WINDOW = ("window_start", "window_end")
_DIFFERS_BY_TASK = re.compile(r"\b(?:ti|task|task_instance|task_instance_key_str|params)\b")
"""Names in a template whose values differ from one mapped task to the next."""


def check_mapped_destination(
    task: WindowTask,
    context: Mapping[str, Any],
    window: Window,
    *,
    connection: str,
    arguments: Sequence[str],
    place: Callable[[Any, Window], str],
    hint: str,
) -> None:
    """Fail if another task of the same expansion would overwrite the export of this one.

    A template that names ``ti``, ``task`` or ``params``, and an XCom of the task's own mapped
    group, are assumed to differ between tasks.

    :param task: the task, rendered
    :param context: its context
    :param window: its window
    :param connection: name of the argument that holds the destination's connection
    :param arguments: names of the other arguments that ``place`` depends on
    :param place: returns where a task writes a window
    :param hint: what to change, for the message
    :raises VoisoConfigurationError: before anything is read
    """
    declared = getattr(context.get("dag"), "task_dict", {}).get(task.task_id)
    index = getattr(context.get("ti"), "map_index", -1)
    if declared is None or index < 0:
        return
    tasks = _expanded(declared, context)
    own = tasks.pop(index) if index < len(tasks) else None
    if own is None:
        return
    own_place = place(task, window)
    for other in tasks:
        if other is None or not _fill_templates(
            other, own, task, names=(connection, *arguments, *_WINDOW)
        ):
            continue
        if getattr(other, connection) != getattr(task, connection):
            continue
        if _place(other, task, context, window, place) == own_place:
            raise VoisoConfigurationError(
                f"The tasks mapped from {task.task_id} would overwrite one another: more than one "
                f"of them writes to {own_place}. {hint}"
            )


def _expanded(declared: Any, context: Mapping[str, Any]) -> list[Any]:
    """Return all tasks of the expansion, not rendered; an empty list if Airflow cannot say."""
    try:
        return list(mapped_tasks(declared, context))
    except Exception as error:  # noqa: BLE001 - Airflow raises many, and this is an export that may be right
        log.warning(
            "Whether tasks mapped from %s overwrite one another could not be checked: %s.",
            declared.task_id,
            type(error).__name__,
        )
        return []


def _fill_templates(other: Any, own: Any, task: Any, *, names: Sequence[str]) -> bool:
    """Copy rendered values from this task to another one with the same templates.

    :param other: the other task, not rendered
    :param own: this task, not rendered
    :param task: this task, rendered
    :return: False if a template differs or its value may differ by task
    """
    for name in names:
        value = getattr(other, name)
        if not is_rendered_later(value):
            continue
        if value != getattr(own, name) or _differs_by_task(value):
            return False
        vars(other)[name] = getattr(task, name)
    return True


def _differs_by_task(value: Any) -> bool:
    if is_reference(value):
        return is_from_mapped_group(value)
    return bool(_DIFFERS_BY_TASK.search(str(value)))


def _place(
    other: Any,
    task: Any,
    context: Mapping[str, Any],
    window: Window,
    place: Callable[[Any, Window], str],
) -> str | None:
    """Return where another task writes to, None if its own arguments will make it fail."""
    try:
        if any(getattr(other, name) != getattr(task, name) for name in (*_WINDOW, "granularity")):
            window = other.resolve_window(context)
        return place(other, window)
    except (ValueError, TypeError):
        return None
