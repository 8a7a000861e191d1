"""Mapped tasks: no release documents where they keep their expansion."""

from __future__ import annotations

from collections.abc import MutableMapping
from copy import copy
from itertools import product
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LABEL = "voiso_window"
"""Name in a task's context for what tells the tasks of one expansion apart."""


def mapped_tasks(declared: Any, context: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the tasks that a mapped task becomes, in the order of their map indexes, not rendered.

    The XComs of the expansion are pulled.

    :param declared: the task as its DAG holds it: a mapped operator, or an operator in a mapped
        group
    :param context: context of one of the tasks
    :return: the tasks; None in place of one whose arguments will make it fail
    """
    group = declared.get_closest_mapped_task_group()
    if hasattr(declared, "expand_input"):
        for arguments in _expansion(declared.expand_input, context):
            try:
                task = declared.unmap(arguments)
            except (AirflowException, TypeError, ValueError):
                task = None
            yield task
    elif group is not None:
        for arguments in _expansion(group._expand_input, context):  # noqa: SLF001 - only there
            task = copy(declared)
            for name, value in vars(declared).items():
                if hasattr(value, "_key") and hasattr(value, "_input"):  # an argument of the group
                    # Not setattr: Airflow takes that for a change of the DAG.
                    vars(task)[name] = arguments[value._key]  # noqa: SLF001 - only there
            yield task


def label_mapped_task(context: Mapping[str, Any], label: str) -> None:
    """Show a label in place of a mapped task's index, unless its author has chosen another one.

    Airflow renders ``map_index_template`` after the task, with the task's context. An author's own
    template may use :data:`LABEL`.
    """
    if not isinstance(context, MutableMapping):
        return
    context[LABEL] = label
    is_mapped = getattr(context.get("ti"), "map_index", -1) >= 0
    if is_mapped and context.get("map_index_template") is None:
        context["map_index_template"] = f"{{{{ {LABEL} }}}}"


def _expansion(expand_input: Any, context: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the mapped arguments of each task."""

    def resolved(value: Any) -> Any:
        return value.resolve(context) if hasattr(value, "resolve") else value

    given = expand_input.value
    if not isinstance(given, dict):  # from expand_kwargs
        for arguments in resolved(given):
            yield resolved(arguments)
        return
    values = [resolved(value) for value in given.values()]
    choices = [value.items() if isinstance(value, dict) else value for value in values]
    for chosen in product(*choices):  # the last argument changes first, as map indexes count
        yield dict(zip(given, chosen, strict=True))
