from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.exceptions import (
    VoisoAuthenticationError,
    VoisoNoWindowError,
    VoisoServerError,
)
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor
from airflow_provider_voiso.simulator import Drift, Readings

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)
CONTEXT = {"data_interval_start": START, "data_interval_end": START + DAY}


class Store(dict[str, str]):
    """What a task of Airflow 3.3 keeps between two tries."""

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def sensor(**options: Any) -> VoisoCdrSensor:
    return VoisoCdrSensor(task_id="wait", **options)


def test_a_window_with_records(simulate: Simulate) -> None:
    simulate()
    assert sensor().poke(CONTEXT) is True


def test_a_window_without_records(simulate: Simulate) -> None:
    simulate(records_per_day=0)
    assert sensor().poke(CONTEXT) is False


@pytest.mark.parametrize("more", [0, 1])
def test_min_records_is_met_exactly(more: int, simulate: Simulate) -> None:
    sim = simulate()
    there = len(sim.truth(START, START + DAY))
    assert sensor(min_records=there + more).poke(CONTEXT) is (more == 0)


def test_no_records_are_enough_if_none_are_wanted(simulate: Simulate) -> None:
    simulate(records_per_day=0)
    assert sensor(min_records=0).poke(CONTEXT) is True


def test_only_records_of_the_filters_count(simulate: Simulate) -> None:
    sim = simulate()
    filters = {"type": ["viber"]}
    there = len(sim.truth(START, START + DAY, {"type": "viber"}))
    assert 0 < there < 100
    assert sensor(filters=filters, min_records=there).poke(CONTEXT) is True
    assert sensor(filters=filters, min_records=there + 1).poke(CONTEXT) is False


def test_duplicates_do_not_count(simulate: Simulate) -> None:
    sim = simulate(readings=Readings(duplicates=0.5))
    there = len(sim.truth(START, START + DAY))
    assert sensor(min_records=there + 1).poke(CONTEXT) is False


def test_arguments_are_templates(simulate: Simulate) -> None:
    sim = simulate()
    filters = {"type": "{{ kind }}"}
    task = sensor(
        voiso_conn_id="voiso_{{ what }}",
        filters=filters,
        window_start="{{ start }}",
        window_end="{{ end }}",
    )
    hour = timedelta(hours=1)
    values = {
        "what": "default",
        "kind": "inbound",
        "start": START.isoformat(),
        "end": (START + hour).isoformat(),
    }
    task.render_template_fields(values)  # type: ignore[arg-type]
    assert task.poke({}) is bool(sim.truth(START, START + hour, {"type": "inbound"}))
    assert all(
        request.params["type"] == "inbound" for request in sim.requests if "type" in request.params
    )


def test_open_window_is_waited_for(simulate: Simulate) -> None:
    sim = simulate()
    now = datetime.now(timezone.utc)
    window = {"window_start": now - DAY, "window_end": now + DAY}

    assert sensor(**window).poke({}) is False
    assert sim.requests == ()
    assert sensor(**window, allow_open_window=True).poke({}) is True


def test_a_run_without_a_window(simulate: Simulate) -> None:
    sim = simulate()
    with pytest.raises(VoisoNoWindowError, match="Set window_start and window_end"):
        sensor().poke({})
    assert sim.requests == ()


def test_errors_are_not_taken_for_an_empty_window(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = simulate()
    sim.faults.add("status", status=500, times=None)
    with pytest.raises(VoisoServerError):
        sensor().poke(CONTEXT)
    connection = {
        "conn_type": "voiso",
        "host": sim.url,
        "password": "another-key",
        "extra": {"max_retries": 0},
    }
    monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
    sim.faults.clear()
    with pytest.raises(VoisoAuthenticationError):
        sensor().poke(CONTEXT)


def test_settle_waits_until_the_window_is_over_for_long_enough(simulate: Simulate) -> None:
    sim = simulate()
    end = datetime.now(timezone.utc) - timedelta(minutes=10)
    window = {"window_start": end - DAY, "window_end": end}
    patient = sensor(**window, settle=timedelta(hours=1))
    assert patient.poke({}) is False
    assert patient.poke({}) is False
    assert sim.requests == ()
    hasty = sensor(**window, settle=timedelta(minutes=5))
    assert [hasty.poke({}) for _ in range(2)] == [False, True]


def test_settle_counts_months_on_calendar(simulate: Simulate) -> None:
    sim = simulate()
    end = datetime.now(timezone.utc) - timedelta(days=27)
    window = {"window_start": end - DAY, "window_end": end}

    assert sensor(**window, settle=relativedelta(months=1)).poke({}) is False
    assert sim.requests == ()

    due = sensor(**window, settle=relativedelta(weeks=3))
    assert [due.poke({}) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("stores", [False, True])
def test_settle_wants_two_looks_that_find_the_same(stores: bool, simulate: Simulate) -> None:
    simulate()
    context = {**CONTEXT, "task_state_store": Store()} if stores else CONTEXT
    task = sensor(settle=timedelta(0))
    assert [task.poke(context) for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    "drift",
    [
        Drift(appear=0.1),
        Drift(change=0.1),
        Drift(move=0.1, move_seconds=60),
        Drift(move=0.1, move_seconds=86_400),
    ],
)
@pytest.mark.parametrize("stores", [False, True])
def test_settle_notices_whatever_differs_between_two_looks(
    stores: bool, drift: Drift, simulate: Simulate
) -> None:
    sim = simulate(drift=drift)
    context = {**CONTEXT, "task_state_store": Store()} if stores else CONTEXT
    task = sensor(settle=timedelta(0))
    assert task.poke(context) is False
    sim.drift_now()
    assert [task.poke(context) for _ in range(2)] == [False, True]


def test_a_look_is_remembered_by_the_next_process(simulate: Simulate) -> None:
    simulate()
    store = Store()
    context = {**CONTEXT, "task_state_store": store}
    assert sensor(settle=timedelta(0), mode="reschedule").poke(context) is False
    [kept] = store.values()
    assert len(kept) < 200
    assert sensor(settle=timedelta(0), mode="reschedule").poke(context) is True
    assert store == {}, "a cleared run must look twice again"


def test_looks_of_two_windows_are_not_mixed_up(simulate: Simulate) -> None:
    simulate(records_per_day=0)
    store = Store()
    for day in range(2):
        context = {
            "data_interval_start": START + day * DAY,
            "data_interval_end": START + (day + 1) * DAY,
            "task_state_store": store,
        }
        assert sensor(settle=timedelta(0), min_records=0).poke(context) is False


@pytest.mark.parametrize("changes", [False, True])
def test_one_poke_looks_twice_where_nothing_is_remembered(
    changes: bool, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = simulate(drift=Drift(change=0.1))
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if changes:
            sim.drift_now()

    monkeypatch.setattr("airflow_provider_voiso.sensors.cdr.time.sleep", pause)
    task = sensor(settle=timedelta(0), mode="reschedule", poke_interval=3_600)
    assert task.poke(CONTEXT) is not changes
    assert pauses == [60]


def test_records_of_other_filters_do_not_unsettle(simulate: Simulate) -> None:
    sim = simulate(drift=Drift(change=0.5))
    truth = sim.truth(START, START + DAY, state="before")
    changed = {
        uuid
        for uuid, raw in sim.truth(START, START + DAY, state="after").items()
        if truth[uuid] != raw
    }
    steady = next(uuid for uuid in truth if uuid not in changed)
    task = sensor(settle=timedelta(0), filters={"uuid": steady})
    assert task.poke(CONTEXT) is False
    sim.drift_now()
    assert task.poke(CONTEXT) is True
