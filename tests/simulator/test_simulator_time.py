from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_voiso.simulator import Readings, Simulator
from tests.simulator.simulator_client import END, START, UTC, all_uuids, walk

SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
PAIR = {"start_datetime": "2024-05-01T00:00:00", "end_datetime": "2024-05-01T12:00:00"}
NOON = START + timedelta(hours=12)


def simulator(**readings: Any) -> Simulator:
    return Simulator(seed=8, records_per_day=600, readings=Readings(**readings))


def found(voiso: Simulator, **params: str) -> set[str]:
    return set(all_uuids(walk(voiso, per_page=10_000, **params)))


@pytest.mark.parametrize(
    ("bounds", "resolution", "start", "end"),
    [
        ("inclusive", "second", START, NOON + SECOND),
        ("inclusive", "millisecond", START, NOON + MILLISECOND),
        ("exclusive_end", "second", START, NOON),
        ("exclusive_end", "millisecond", START, NOON),
        ("exclusive", "second", START + SECOND, NOON),
        ("exclusive", "millisecond", START + MILLISECOND, NOON),
    ],
)
def test_bounds_of_the_datetime_pair(
    bounds: str, resolution: str, start: datetime, end: datetime
) -> None:
    with simulator(bounds=bounds, resolution=resolution) as voiso:
        assert found(voiso, **PAIR) == voiso.truth(start, end).keys()
        assert (
            voiso.truth(START, NOON + SECOND).keys()
            != voiso.truth(START, NOON + MILLISECOND).keys()
            != set()
        )


def test_edges_hold_records() -> None:
    voiso = simulator()
    for low, high in (
        (NOON, NOON + MILLISECOND),
        (START, START + MILLISECOND),
        (START, START + SECOND),
    ):
        assert voiso.truth(low, high)


@pytest.mark.parametrize(
    ("clock", "hours"), [("UTC", 0), ("America/Sao_Paulo", 3), ("Europe/Berlin", -2)]
)
def test_server_clock_reads_the_dates(clock: str, hours: int) -> None:
    shift = timedelta(hours=hours)
    with simulator(clock=clock) as voiso:
        assert found(voiso, **PAIR) == voiso.truth(START + shift, NOON + SECOND + shift).keys()
        dates = {"start_date": "2024-05-01", "end_date": "2024-05-02"}
        assert (
            found(voiso, **dates)
            == voiso.truth(START + shift, END + timedelta(days=1) + shift).keys()
        )


def test_clock_change_shortens_the_day() -> None:
    with simulator(clock="Europe/Berlin") as voiso:
        day = voiso.truth(
            datetime(2024, 3, 30, 23, tzinfo=UTC), datetime(2024, 3, 31, 22, tzinfo=UTC)
        )
        assert found(voiso, start_date="2024-03-31", end_date="2024-03-31") == day.keys()


def test_dates_may_mean_the_start() -> None:
    with simulator(acts_on="start") as voiso:
        expected = set()
        for uuid, raw in voiso.truth(START, END + timedelta(days=4)).items():
            record = json.loads(raw)
            hours, minutes, seconds = map(int, record["duration"].split(":"))
            began = datetime.fromisoformat(record["timestamp"]) - timedelta(
                hours=hours, minutes=minutes, seconds=seconds
            )
            if START <= began < END:
                expected.add(uuid)
        assert found(voiso, start_date="2024-05-01", end_date="2024-05-01") == expected
        assert expected != voiso.truth(START, END).keys()


def test_both_pairs_together() -> None:
    dates = {"start_date": "2024-05-01", "end_date": "2024-05-01"}
    moments = {"start_datetime": "2024-05-01T18:00:00", "end_datetime": "2024-05-02T06:00:00"}
    evening, morning = START + timedelta(hours=18), END + timedelta(hours=6) + SECOND
    for reading, start, end in (
        ("datetime", evening, morning),
        ("date", START, END),
        ("intersection", evening, END),
    ):
        with simulator(both_pairs=reading) as voiso:
            assert found(voiso, **dates, **moments) == voiso.truth(start, end).keys(), reading


def test_open_ends_have_defaults() -> None:
    with Simulator(records_per_day=20, now=END) as voiso:
        assert found(voiso) == voiso.truth(END - timedelta(days=31), END).keys()
        assert found(voiso, start_date="2024-05-01") == voiso.truth(START, END).keys()
    with pytest.raises(ValueError, match="needs an offset"):
        Simulator(now=datetime(2024, 5, 1))  # noqa: DTZ001
