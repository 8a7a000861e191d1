"""What a trigger tells its task, as the content of a ``TriggerEvent``.

Airflow keeps the content in its database and writes it to the triggerer's log: it holds the class
and the message of an error, and never a record or a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_voiso import exceptions
from airflow_provider_voiso.exceptions import VoisoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.window import Window


def settled(found: str) -> dict[str, Any]:
    """Return the answer that the window is settled.

    :param found: a sentence on what was found
    """
    return {"status": "settled", "message": found}


def timed_out(window: Window) -> dict[str, Any]:
    """Return the answer that the sensor's time is up."""
    return {"status": "timeout", "message": timeout_message(window)}


def timeout_message(window: Window) -> str:
    """Return the message of a sensor whose time is up."""
    return f"The sensor's timeout is over, and the window {window} is not settled yet."


def failed(error: VoisoError) -> dict[str, Any]:
    """Return the answer that a look failed."""
    return {
        "status": "error",
        "error": type(error).__name__,
        "message": str(error.args[0]) if error.args else "",
        "window": error.window,
        "failure": error.failure,
    }


def result(answer: Mapping[str, Any]) -> str:
    """Return what was found.

    :raises AirflowSensorTimeout: if the sensor's time was up
    :raises VoisoError: of the class that the trigger caught, with its message
    """
    status, message = answer["status"], answer["message"]
    if status == "settled":
        return str(message)
    if status == "timeout":
        raise AirflowSensorTimeout(message)
    error: VoisoError = _error_class(answer["error"])(message)
    if answer["window"] is not None:
        raise error.for_window(answer["window"], answer["failure"])
    raise error


def _error_class(name: str) -> type[VoisoError]:
    # The triggerer may run another release of this package, with classes that are unknown here.
    found = getattr(exceptions, name, None)
    if isinstance(found, type) and issubclass(found, VoisoError):
        return found
    return VoisoError
