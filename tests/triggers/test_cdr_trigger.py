from __future__ import annotations

import asyncio
import json
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.simulator import Drift
from airflow_provider_voiso.triggers import cdr
from airflow_provider_voiso.triggers.cdr import LOOKS_AT_ONCE, VoisoCdrTrigger
from tests.sensors.modes import fired, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.run.settling import Look, Settling
    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)


class Drifting(VoisoCdrTrigger):
    """Lets the account's records drift once, after the first look."""

    sim: Simulator
    looks = 0

    async def _look(self, settling: Settling) -> Look | None:
        look = await super()._look(settling)
        self.looks += 1
        if self.looks == 1:
            self.sim.drift_now()
        return look


def arguments(**others: Any) -> dict[str, Any]:
    return {
        "voiso_conn_id": "voiso_default",
        "window_start": START.isoformat(),
        "window_end": (START + DAY).isoformat(),
        "poke_interval": 0.0,
        **others,
    }


def run(**others: Any) -> dict[str, Any]:
    return asyncio.run(fired(rebuilt(VoisoCdrTrigger(**arguments(**others)))))


@pytest.mark.parametrize(
    "drift",
    [
        Drift(appear=0.1),
        Drift(change=0.1),
        Drift(move=0.1, move_seconds=60),
        Drift(move=0.1, move_seconds=86_400),
    ],
)
def test_settle_notices_drift(drift: Drift, simulate: Simulate) -> None:
    trigger = Drifting(**arguments(settle=0.0))
    trigger.sim = simulate(drift=drift)

    event = asyncio.run(fired(trigger))

    assert event["status"] == "settled"
    assert trigger.looks == 3


def test_settle_without_drift_looks_twice(simulate: Simulate) -> None:
    trigger = Drifting(**arguments(settle=0.0))
    trigger.sim = simulate()

    event = asyncio.run(fired(trigger))

    assert event["status"] == "settled"
    assert trigger.looks == 2


def test_no_request_before_the_end(simulate: Simulate) -> None:
    sim = simulate()
    end = datetime.now(timezone.utc) + timedelta(seconds=1)
    window = {"window_start": (end - DAY).isoformat(), "window_end": end.isoformat()}
    before_first_look: list[tuple[bool, int]] = []

    class Watched(VoisoCdrTrigger):
        async def _look(self, settling: Settling) -> Look | None:
            is_over = datetime.now(timezone.utc) >= end
            before_first_look.append((is_over, len(sim.requests)))
            return await super()._look(settling)

    event = asyncio.run(fired(Watched(**arguments(**window))))

    assert event["status"] == "settled"
    assert before_first_look == [(True, 0)]


@pytest.mark.parametrize("settle", [None, 3_600.0])
def test_deadline_before_the_window_is_due(settle: float | None, simulate: Simulate) -> None:
    sim = simulate()
    now = datetime.now(timezone.utc)
    end = now + timedelta(days=1)
    window = {"window_start": (end - DAY).isoformat(), "window_end": end.isoformat()}

    event = run(**window, settle=settle, deadline=now.isoformat())

    assert event["status"] == "timeout"
    assert f"the window [{(end - DAY).isoformat()}" in event["message"]
    assert sim.requests == ()


def test_killed_triggerer(simulate: Simulate) -> None:
    simulate()
    first_look = asyncio.Event()

    class Watched(VoisoCdrTrigger):
        async def _look(self, settling: Settling) -> Look | None:
            look = await super()._look(settling)
            first_look.set()
            return look

    trigger = Watched(**arguments(settle=0.0))

    async def kill_after_a_look() -> None:
        task = asyncio.ensure_future(fired(trigger))
        await first_look.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(kill_after_a_look())

    assert asyncio.run(fired(rebuilt(trigger)))["status"] == "settled"


def test_nothing_secret_is_told(simulate: Simulate) -> None:
    sim = simulate()
    sim.faults.add("status", status=500, times=None)
    trigger = VoisoCdrTrigger(**arguments(filters={"number": "49301234567"}))

    event = asyncio.run(fired(trigger))

    assert event["error"] == "VoisoServerError"
    told = json.dumps(event) + json.dumps(trigger.serialize())
    assert sim.key not in told
    assert "49301234567" not in json.dumps(event)


def test_at_most_some_looks_at_once(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = simulate(records_per_day=24, latency=0.05)
    triggers = [VoisoCdrTrigger(**arguments()) for _ in range(40)]
    clients = 0
    most = 0
    lock = threading.Lock()
    make_client, look_and_close = cdr._client, cdr._look_and_close

    def made(conn_id: str) -> CdrClient:
        nonlocal clients, most
        with lock:
            clients += 1
            most = max(most, clients)
        return make_client(conn_id)

    def closed(*args: Any) -> Look:
        nonlocal clients
        look = look_and_close(*args)
        with lock:
            clients -= 1
        return look

    async def all_at_once() -> list[dict[str, Any]]:
        return await asyncio.gather(*(fired(trigger) for trigger in triggers))

    monkeypatch.setattr(cdr, "_client", made)
    monkeypatch.setattr(cdr, "_look_and_close", closed)
    events = asyncio.run(all_at_once())

    assert [event["status"] for event in events] == ["settled"] * len(triggers)
    assert 1 <= most <= LOOKS_AT_ONCE
    assert len(sim.requests) >= len(triggers)


def test_loop_goes_on_during_a_look(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(records_per_day=24)
    is_looking, loop_went_on = threading.Event(), threading.Event()
    look_and_close = cdr._look_and_close

    def waiting(*args: Any) -> Look:
        is_looking.set()
        assert loop_went_on.wait(20), "the loop stood still during the look"
        return look_and_close(*args)

    async def beside() -> dict[str, Any]:
        task = asyncio.ensure_future(fired(VoisoCdrTrigger(**arguments())))
        while not is_looking.is_set():  # noqa: ASYNC110 - the event is another thread's
            await asyncio.sleep(0)
        loop_went_on.set()
        return await task

    monkeypatch.setattr(cdr, "_look_and_close", waiting)
    event = asyncio.run(beside())

    assert event["status"] == "settled"
