from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_voiso.api.v2.clock import ZoneClock
from airflow_provider_voiso.api.v2.record_times import RecordTimes
from airflow_provider_voiso.api.window import epoch_us

BERLIN = ZoneClock(ZoneInfo("Europe/Berlin"))


def times(hour: int, minute: int, duration: int = 60) -> RecordTimes:
    """Return a record of the day on which Berlin's clock shows 02:00 to 03:00 twice."""
    ended = datetime(2026, 10, 25, hour, minute, tzinfo=timezone.utc)
    return RecordTimes("a", epoch_us(ended), duration * 1_000_000, timedelta(0))


@pytest.mark.parametrize(("hour", "minute"), [(0, 0), (0, 30), (1, 0), (1, 59)])
def test_hour_shown_twice_proves_nothing(hour: int, minute: int) -> None:
    assert not times(hour, minute).is_conclusive(BERLIN)


@pytest.mark.parametrize(("hour", "minute"), [(2, 0), (12, 0), (23, 59)])
def test_hour_shown_once_proves(hour: int, minute: int) -> None:
    assert times(hour, minute).is_conclusive(BERLIN)


@pytest.mark.parametrize("duration", [0, 4, 896, 900, 3_600])
def test_start_near_a_quarter_proves_nothing(duration: int) -> None:
    """Its start could be taken for its end under another offset."""
    assert not times(12, 0, duration).is_conclusive(BERLIN)
