"""The same arguments come to the same end in every mode of the sensor."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoError, VoisoServerError
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor
from tests.sensors.modes import MODES, defer, finish, resume, run, sensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
CONTEXT = {"data_interval_start": START, "data_interval_end": START + DAY}
INBOUND = {"type": "inbound"}

ONE_LOOK: dict[str, Any] = {"timeout": 0, "poke_interval": 0}
LOOKS: dict[str, Any] = {"timeout": 600, "poke_interval": 0}

every_mode = pytest.mark.parametrize("mode", MODES)


def count(sim: Simulator, filters: dict[str, Any] | None = None) -> int:
    return len(sim.truth(START, START + DAY, filters))


@every_mode
@pytest.mark.parametrize(
    ("more", "soft_fail", "expected"),
    [
        (0, False, "settled"),
        (1, False, "AirflowSensorTimeout"),
        (1, True, "AirflowSkipException"),
    ],
)
@pytest.mark.parametrize("filters", [None, INBOUND])
def test_min_records(
    filters: dict[str, Any] | None,
    more: int,
    soft_fail: bool,
    expected: str,
    mode: str,
    simulate: Simulate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = count(simulate(), filters) + more
    options = {"min_records": wanted, "filters": filters, "soft_fail": soft_fail}

    assert finish(mode, CONTEXT, monkeypatch, **options, **ONE_LOOK) == expected


@every_mode
def test_settle_looks_twice(mode: str, simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate()

    assert finish(mode, CONTEXT, monkeypatch, settle=timedelta(0), **LOOKS) == "settled"


@every_mode
def test_settle_not_due(mode: str, simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = simulate()
    end = datetime.now(timezone.utc) - timedelta(minutes=10)
    window = {"window_start": end - DAY, "window_end": end}

    ended = finish(mode, {}, monkeypatch, settle=HOUR, **window, **ONE_LOOK)

    assert ended == "AirflowSensorTimeout"
    assert sim.requests == ()


@every_mode
def test_open_window_is_not_asked_for(
    mode: str, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = simulate()
    end = datetime.now(timezone.utc) + DAY
    window = {"window_start": end - DAY, "window_end": end}

    assert finish(mode, {}, monkeypatch, **window, **ONE_LOOK) == "AirflowSensorTimeout"
    assert sim.requests == ()


@every_mode
def test_open_window_ends(mode: str, simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate()
    end = datetime.now(timezone.utc) + timedelta(seconds=1)
    window = {"window_start": end - DAY, "window_end": end}

    assert finish(mode, {}, monkeypatch, **window, **LOOKS) == "settled"
    assert datetime.now(timezone.utc) >= end


@every_mode
def test_open_window_allowed(
    mode: str, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate()
    now = datetime.now(timezone.utc)
    window = {"window_start": now - DAY, "window_end": now + DAY, "allow_open_window": True}

    assert finish(mode, {}, monkeypatch, **window, **ONE_LOOK) == "settled"


@every_mode
@pytest.mark.parametrize(
    ("skips", "expected"),
    [
        ({}, None),
        ({"soft_fail": True}, None),
        ({"never_fail": True}, "AirflowSkipException"),
    ],
)
@pytest.mark.parametrize(
    "failure",
    [
        "VoisoAuthenticationError",
        "VoisoPermissionError",
        "VoisoServerError",
        "VoisoTransportError",
        "VoisoNoWindowError",
        "VoisoConfigurationError",
    ],
)
def test_errors(
    failure: str,
    skips: dict[str, bool],
    expected: str | None,
    mode: str,
    simulate: Simulate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sim = simulate(forbidden_keys=["forbidden-key"])
    context: dict[str, Any] = CONTEXT
    key = sim.key
    options: dict[str, Any] = {**skips, **ONE_LOOK}
    if failure == "VoisoAuthenticationError":
        key = "another-key"
    elif failure == "VoisoPermissionError":
        key = "forbidden-key"
    elif failure == "VoisoServerError":
        sim.faults.add("status", status=500, times=None)
    elif failure == "VoisoTransportError":
        sim.faults.add("reset_before", times=None)
    elif failure == "VoisoNoWindowError":
        context = {}
    else:
        options["voiso_conn_id"] = "missing"
    connection = {
        "conn_type": "voiso",
        "host": sim.url,
        "password": key,
        "extra": {"max_retries": 0},
    }
    monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))

    assert finish(mode, context, monkeypatch, **options) == (expected or failure)


def test_messages_are_the_same(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = simulate()
    sim.faults.add("status", status=500, times=None)
    messages = set()
    windows = set()

    for mode in MODES:
        with pytest.raises(VoisoServerError) as caught:
            run(mode, CONTEXT, monkeypatch, **ONE_LOOK)
        messages.add(str(caught.value))
        windows.add(caught.value.window)

    assert len(messages) == 1
    assert windows == {"[2024-11-10T00:00:00+00:00, 2024-11-11T00:00:00+00:00)"}
    assert sim.key not in messages.pop()


@every_mode
def test_silent_fail_goes_on(
    mode: str, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = simulate()
    sim.faults.add("status", status=500, times=1)

    assert finish(mode, CONTEXT, monkeypatch, silent_fail=True, **LOOKS) == "settled"


def test_open_window_defers(simulate: Simulate) -> None:
    sim = simulate()
    end = datetime.now(timezone.utc) + DAY

    deferred = defer({}, window_start=end - DAY, window_end=end)

    assert deferred.trigger.serialize()[1]["allow_open_window"] is False
    assert sim.requests == ()


@pytest.mark.parametrize("of_airflow", ["Trigger timeout", "Trigger/execution timeout"])
def test_timeout_without_triggerer(of_airflow: str) -> None:
    task = sensor(deferrable=True)

    with pytest.raises(AirflowSensorTimeout, match=r"the window \[2024-11-10T00:00"):
        task.resume_execution("__fail__", {"error": of_airflow}, CONTEXT)


def test_soft_timeout_without_triggerer() -> None:
    task = sensor(deferrable=True, soft_fail=True)

    with pytest.raises(AirflowSkipException):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, CONTEXT)


@pytest.mark.parametrize("soft_fail", [False, True])
def test_broken_trigger_fails(soft_fail: bool) -> None:
    task = sensor(deferrable=True, soft_fail=soft_fail)

    with pytest.raises(Exception, match="Trigger failure") as caught:
        task.resume_execution("__fail__", {"error": "Trigger failure"}, CONTEXT)

    assert type(caught.value).__name__ == "TaskDeferralError"


def test_unknown_error_is_a_voiso_error(simulate: Simulate) -> None:
    simulate()
    event = {
        "status": "error",
        "error": "VoisoTomorrowError",
        "message": "Later.",
        "window": None,
        "failure": "",
    }

    with pytest.raises(VoisoError, match="Later") as caught:
        resume(defer(CONTEXT), event, CONTEXT)

    assert type(caught.value) is VoisoError


def test_trigger_gets_rendered_arguments(simulate: Simulate) -> None:
    simulate()
    task = sensor(
        deferrable=True,
        filters={"type": ["inbound", "outbound"]},
        settle=timedelta(hours=2),
        min_records=7,
        poke_interval=30,
        timeout=3_600,
    )
    before = datetime.now(timezone.utc)

    with pytest.raises(TaskDeferred) as caught:
        task.execute(CONTEXT)
    deferred = caught.value
    path, arguments = deferred.trigger.serialize()

    assert path == "airflow_provider_voiso.triggers.cdr.VoisoCdrTrigger"
    deadline = datetime.fromisoformat(arguments.pop("deadline"))
    assert deadline >= before + HOUR
    assert arguments == {
        "voiso_conn_id": "voiso_default",
        "window_start": "2024-11-10T00:00:00+00:00",
        "window_end": "2024-11-11T00:00:00+00:00",
        "filters": {"type": "inbound,outbound"},
        "min_records": 7,
        "settle": 7_200.0,
        "allow_open_window": False,
        "poke_interval": 30.0,
        "silent_fail": False,
    }
    assert deferred.timeout == HOUR
    assert deferred.method_name == "execute_complete"


def test_deferrable_is_a_bool() -> None:
    with pytest.raises(VoisoConfigurationError, match="deferrable must be True or False"):
        sensor(deferrable="no")


def test_deferrable_is_off_by_default() -> None:
    assert VoisoCdrSensor(task_id="wait").deferrable is False
