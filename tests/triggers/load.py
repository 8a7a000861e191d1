"""A thousand waiting triggers in one event loop: memory, and how late the loop is.

``AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR python -m tests.triggers.load`` prints figures; they are
those of the machine it runs on.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_voiso.triggers.cdr import VoisoCdrTrigger
from tests.servers.voiso import SimulatorProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from airflow_provider_voiso.run.settling import Look, Settling

TRIGGERS = 1_000
HOUR = timedelta(hours=1)
_TICK = 0.01


def trigger(end: datetime) -> VoisoCdrTrigger:
    """Return a trigger for an hour that ends then, which waits for more records than there are."""
    return Counted(
        voiso_conn_id="voiso_load",
        window_start=(end - HOUR).isoformat(),
        window_end=end.isoformat(),
        min_records=10**6,
        poke_interval=3_600,
    )


async def first_event(waiting: VoisoCdrTrigger) -> object:
    """Run a trigger until its event."""
    async for event in waiting.run():
        return event.payload
    return None


async def lags(stop: asyncio.Event) -> list[float]:
    """Return how many seconds late each tick of the loop was, until told to stop."""
    late = []
    while not stop.is_set():
        begin = time.perf_counter()
        await asyncio.sleep(_TICK)
        late.append(time.perf_counter() - begin - _TICK)
    return late


async def measure(title: str, triggers: list[VoisoCdrTrigger], until: Awaitable[None]) -> None:
    """Run triggers beside each other, and print what the loop and the process make of it."""
    before = resident()
    stop = asyncio.Event()
    watch = asyncio.create_task(lags(stop))
    running = [asyncio.create_task(first_event(one)) for one in triggers]
    begin = time.perf_counter()
    await until
    seconds = time.perf_counter() - begin
    after = resident()
    stop.set()
    late = sorted(await watch)
    for task in running:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*running)
    kilobytes = (after - before) / 1024 / max(len(triggers), 1)
    print(
        f"{title}: {len(triggers)} triggers, {seconds:.1f} s, "
        f"{(after - before) / 2**20:.1f} MiB more ({kilobytes:.1f} KiB a trigger); loop late by "
        f"{late[len(late) // 2] * 1e3:.1f} ms (median), "
        f"{late[len(late) * 99 // 100] * 1e3:.1f} ms (99 of 100), {late[-1] * 1e3:.0f} ms (worst)"
    )


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


class Counted(VoisoCdrTrigger):
    """Counts the looks of all triggers."""

    looks: ClassVar[int] = 0

    async def _look(self, settling: Settling) -> Look | None:
        look = await super()._look(settling)
        Counted.looks += 1
        return look


async def looked(number: int) -> None:
    """Wait until all triggers together have looked so often."""
    Counted.looks = 0
    while Counted.looks < number:  # noqa: ASYNC110 - simpler than an event for a measurement
        await asyncio.sleep(0.1)


async def load(logs: Path) -> None:
    """Measure the states in which triggers wait."""
    past = datetime(2024, 11, 10, tzinfo=timezone.utc)
    future = datetime.now(timezone.utc) + 24 * HOUR
    over = [trigger(past + HOUR * number) for number in range(TRIGGERS)]
    await measure("nothing", [], asyncio.sleep(10))
    await measure("window not over", [trigger(future)] * TRIGGERS, asyncio.sleep(10))
    for milliseconds, looks in ((1_000, 40), (0, TRIGGERS)):
        options = ["--records-per-day", "2400", "--latency", str(milliseconds)]
        with SimulatorProcess(logs, options) as voiso:
            os.environ["AIRFLOW_CONN_VOISO_LOAD"] = voiso.connection()
            title = f"window over, answers after {milliseconds} ms, {looks} looks"
            await measure(title, over, looked(looks))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(load(Path(directory)))
