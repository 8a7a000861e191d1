"""Which records of an answer are kept, and which no search should have returned."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.api.v2.belonging import Belonging
from airflow_provider_voiso.api.v2.clock import DateRule, ZoneClock
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoOutOfWindowError

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.read import OutOfWindow

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=1))
RULE = DateRule(ZoneClock(ZoneInfo("UTC")))
SPAN = RULE.span(WINDOW)


def page(**seconds: float) -> Page:
    """Return an answer with a record for each name, that many seconds behind the window's start."""
    records = [
        {
            "uuid": uuid,
            "timestamp": (START + timedelta(seconds=at)).isoformat(timespec="milliseconds"),
        }
        for uuid, at in seconds.items()
    ]
    return parse_page(json.dumps({"records": records}).encode()).in_order()


NEIGHBOURS = {"before": -0.001, "after": 86_400, "after_too": 86_400.999}
OUTSIDE = {"long_before": -50_000, "long_after": 200_000}
INSIDE = {"first": 0, "last": 86_399.999}


@pytest.mark.parametrize("policy", ["fail", "keep", "drop"])
def test_neighbours_are_left_out(policy: OutOfWindow) -> None:
    belonging = Belonging(WINDOW, RULE, policy)

    kept = belonging.keep(page(**NEIGHBOURS, **INSIDE), SPAN)

    assert kept.uuids == ["first", "last"]
    assert belonging.outside == 0


@pytest.mark.parametrize("outside", OUTSIDE)
def test_outside_fails_with_its_number(outside: str) -> None:
    answer = page(**INSIDE, **{outside: OUTSIDE[outside]})

    with pytest.raises(VoisoOutOfWindowError, match=r"1 of 3 records .*out_of_window") as caught:
        Belonging(WINDOW, RULE, "fail").keep(answer, SPAN)

    assert "long" not in str(caught.value)


def test_outside_is_dropped() -> None:
    belonging = Belonging(WINDOW, RULE, "drop")

    kept = belonging.keep(page(**OUTSIDE, **INSIDE), SPAN)

    assert kept.uuids == ["first", "last"]
    assert belonging.outside == 2


def test_outside_is_kept_in_order() -> None:
    belonging = Belonging(WINDOW, RULE, "keep")

    kept = belonging.keep(page(**OUTSIDE, **INSIDE, **NEIGHBOURS), SPAN)

    assert kept.uuids == ["long_before", "first", "last", "long_after"]
    assert belonging.outside == 2


def test_outside_counts_each_record_once() -> None:
    belonging = Belonging(WINDOW, RULE, "drop")

    belonging.keep(page(**OUTSIDE), SPAN)
    belonging.keep(page(**OUTSIDE), SPAN)

    assert belonging.outside == 2
