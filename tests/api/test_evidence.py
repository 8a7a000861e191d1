"""When the answers of a window alone prove the API's clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.api.v2.clock import DateRule, ZoneClock
from airflow_provider_voiso.api.v2.evidence import Proof
from airflow_provider_voiso.api.window import Window

UTC_CLOCK = ZoneClock(ZoneInfo("UTC"))
START = datetime(2026, 11, 10, tzinfo=timezone.utc)
DAY = Window(START, START + timedelta(days=1))


def proof_of(*records: tuple[int, str], window: Window = DAY) -> Proof:
    """Return the proof after one answer with records that ended so many seconds into the window."""
    rows = [
        {
            "uuid": str(number),
            "timestamp": (window.start + timedelta(seconds=seconds)).isoformat(),
            "duration": duration,
        }
        for number, (seconds, duration) in enumerate(records)
    ]
    page = parse_page(json.dumps({"records": rows}).encode()).in_order()
    proof = Proof(UTC_CLOCK, window)
    proof.take(page, DateRule(UTC_CLOCK).span(window))
    return proof


def test_both_quarters_prove_the_clock() -> None:
    proof = proof_of((60, "00:05:00"), (86_000, "00:01:00"))

    assert proof.is_open
    assert proof.is_done


def test_no_proof_without_earlier_start() -> None:
    """The API may as well select by the start."""
    proof = proof_of((60, "00:00:00"), (86_000, "00:01:00"))

    assert proof.is_open
    assert not proof.is_done


def test_one_quarter_leaves_it_open() -> None:
    proof = proof_of((40_000, "10:00:00"), (86_000, "00:01:00"))

    assert proof.is_open
    assert not proof.is_done


def test_middle_records_prove_nothing() -> None:
    assert not proof_of((40_000, "12:00:00"), (50_000, "00:01:00")).is_open


def test_record_behind_the_window_speaks_against() -> None:
    assert not proof_of((60, "00:05:00"), (86_000, "00:01:00"), (88_000, "00:01:00")).is_open


def test_clock_change_hides_the_offset() -> None:
    """London's clock, which shows UTC in winter, is turned that day."""
    start = datetime(2026, 10, 25, tzinfo=timezone.utc)
    window = Window(start, start + timedelta(days=1))

    proof = proof_of((60, "00:05:00"), (86_000, "00:01:00"), window=window)

    assert not proof.is_open
    assert not proof.is_done
