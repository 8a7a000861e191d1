"""One sensor run to its end in each of its modes, as Airflow's task runner and triggerer do it."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any

import airflow
from airflow.providers.common.compat.sdk import (
    AirflowException,
    TaskDeferred,
)

from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import AirflowRescheduleException

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest
    from airflow.triggers.base import BaseTrigger

MODES = ("poke", "reschedule", "deferrable")


class TaskInstance:
    """What a rescheduled sensor asks its task instance for."""

    dag_id = task_id = run_id = "wait"
    map_index = -1
    max_tries = 0

    def __init__(self) -> None:
        self.started_at: datetime | None = None

    def get_first_reschedule_date(self, context: Mapping[str, Any]) -> datetime | None:  # noqa: ARG002
        return self.started_at


def finish(
    mode: str, context: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, **options: Any
) -> str:
    """Run a sensor to its end.

    :return: ``settled``, else the class of the error
    """
    try:
        run(mode, context, monkeypatch, **options)
    except AirflowException as error:
        return type(error).__name__
    return "settled"


def run(
    mode: str, context: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, **options: Any
) -> None:
    """Run a sensor to its end, each step in a sensor of its own as in a process of its own."""
    if mode == "poke":
        sensor(**options).execute(context)
    elif mode == "reschedule":
        _reschedule(context, monkeypatch, options)
    else:
        deferred = defer(context, **options)
        event = asyncio.run(fired(rebuilt(deferred.trigger)))
        resume(deferred, event, context, **options)


def sensor(**options: Any) -> VoisoCdrSensor:
    return VoisoCdrSensor(task_id="wait", **options)


def defer(context: Mapping[str, Any], **options: Any) -> TaskDeferred:
    """Run a sensor until it is deferred."""
    try:
        sensor(deferrable=True, **options).execute(context)
    except TaskDeferred as deferred:
        return deferred
    raise AssertionError("not deferred")


def rebuilt(trigger: BaseTrigger) -> BaseTrigger:
    """Return the trigger as another process builds it from what the database holds."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again: BaseTrigger = getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))
    return again


async def fired(trigger: BaseTrigger) -> dict[str, Any]:
    """Run a trigger, and return the content of its one event, as JSON gives it back."""
    events = [event async for event in trigger.run()]
    [content] = [json.loads(json.dumps(event.payload)) for event in events]
    return dict(content)


def resume(
    deferred: TaskDeferred, event: Mapping[str, Any], context: Mapping[str, Any], **options: Any
) -> None:
    """Go on with a sensor after its trigger has fired."""
    task = sensor(deferrable=True, **options)
    task.resume_execution(deferred.method_name, {"event": event}, context)


def _reschedule(
    context: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, options: Mapping[str, Any]
) -> None:
    instance = TaskInstance()
    if airflow.__version__.startswith("2."):
        # Airflow 2 asks its database there.
        monkeypatch.setattr(
            "airflow.sensors.base._orig_start_date", lambda **_: instance.started_at
        )
    while _is_rescheduled({**context, "ti": instance}, options):
        instance.started_at = instance.started_at or datetime.now(timezone.utc)


def _is_rescheduled(context: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    try:
        sensor(mode="reschedule", **options).execute(context)
    except AirflowRescheduleException:
        return True
    return False
