"""What every error of the package has in common."""

from __future__ import annotations

import pickle
import re
from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_voiso import exceptions
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoNoWindowError,
    VoisoOpenWindowError,
    VoisoServerError,
    VoisoWindowError,
)

DAY = Window(
    datetime(2024, 11, 10, tzinfo=timezone.utc), datetime(2024, 11, 11, tzinfo=timezone.utc)
)
SHOWN = "[2024-11-10T00:00:00+00:00, 2024-11-11T00:00:00+00:00)"


def test_error_names_its_window() -> None:
    error = VoisoServerError("Status 500.")

    named = error.for_window(DAY, "could not be read")

    assert named is error
    assert str(named) == f"The window {SHOWN} could not be read. Status 500."
    assert named.window == SHOWN


def test_error_names_one_window_only() -> None:
    error = VoisoServerError("Status 500.").for_window(DAY, "could not be read")

    error.for_window(
        Window(DAY.end, datetime(2024, 11, 12, tzinfo=timezone.utc)), "was not exported"
    )

    assert str(error) == f"The window {SHOWN} could not be read. Status 500."


def test_window_survives_pickling() -> None:
    error = VoisoServerError("Status 500.").for_window(DAY, "could not be read")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - it was pickled here

    assert (str(again), again.window) == (str(error), SHOWN)


def test_error_without_window() -> None:
    error = VoisoServerError("Status 500.")

    assert (str(error), error.window) == ("Status 500.", None)


def test_open_window_is_retried() -> None:
    error = VoisoOpenWindowError("not over yet")

    assert isinstance(error, (VoisoWindowError, ValueError))
    assert not isinstance(error, AirflowFailException)


def test_no_window_is_not_retried() -> None:
    error = VoisoNoWindowError("reversed")

    assert isinstance(error, VoisoWindowError)
    assert isinstance(error, VoisoConfigurationError)
    assert isinstance(error, AirflowFailException)


def test_exceptions_import_no_room() -> None:
    source = Path(exceptions.__file__).read_text()

    imports = re.findall(r"^\s*(?:from|import) (\S+)", source, re.MULTILINE)

    assert "airflow.providers.common.compat.sdk" in imports
    assert not [name for name in imports if name.startswith("airflow_provider_voiso")]
