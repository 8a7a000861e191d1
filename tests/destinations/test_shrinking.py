"""The gate against exports that would lose records."""

from __future__ import annotations

import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_voiso.destinations.shrinking import check_not_shrunk, check_share
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoShrunkError
from tests.destinations.conftest import WINDOW


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [(100, 90, 0.9), (100, 7, 0.07), (100, 1, None), (0, 0, 1), (3, 4, 1), (None, 0, 1)],
)
def test_enough_records_pass(before: int | None, now: int, share: float | None) -> None:
    check_not_shrunk(before, now, share, "calls", WINDOW)


@pytest.mark.parametrize(("now", "share"), [(89, 0.9), (99, 1), (0, 0.001)])
def test_too_few_are_refused(now: int, share: float) -> None:
    with pytest.raises(VoisoShrunkError) as raised:
        check_not_shrunk(100, now, share, "calls", WINDOW)

    assert f"calls holds 100 records of {WINDOW} and would hold {now}" in str(raised.value)
    assert f"fail_if_fewer_than={share}" in str(raised.value)
    assert isinstance(raised.value, AirflowFailException)


def test_fewer_records_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    check_not_shrunk(100, 99, None, "calls", WINDOW)

    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert f"calls held 100 records of {WINDOW} and is to hold 99: 1 fewer." in caplog.text


def test_more_records_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    check_not_shrunk(100, 100, 0.9, "calls", WINDOW)

    assert not caplog.records


@pytest.mark.parametrize("share", [None, 0.9, 1, 0.001])
def test_shares_are_taken(share: float | None) -> None:
    check_share(share)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, 90, True, "0.9", float("nan")])
def test_other_shares_are_refused(share: object) -> None:
    with pytest.raises(VoisoConfigurationError, match="fail_if_fewer_than must be"):
        check_share(share)
