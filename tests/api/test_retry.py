from __future__ import annotations

import pytest

from airflow_provider_voiso.api.retry import LONGEST_WAIT, Retry, RetryBudget, is_tried_again
from airflow_provider_voiso.exceptions import (
    VoisoBadRequestError,
    VoisoError,
    VoisoRateLimitError,
    VoisoResponseError,
    VoisoServerError,
    VoisoTlsError,
    VoisoTransportError,
)

FAILURE = VoisoServerError("status 503")
REFUSAL = VoisoRateLimitError("status 429")


def take_all(budget: RetryBudget, error: VoisoError) -> list[Retry]:
    """Return the retries that are left after an error, a thousand at most."""
    taken: list[Retry] = []
    while len(taken) < 1_000 and (retry := budget.take(error, None)):
        taken.append(retry)
    return taken


def test_failures_have_max_retries() -> None:
    taken = take_all(RetryBudget(3), FAILURE)

    assert [retry.number for retry in taken] == [1, 2, 3]
    assert {retry.most for retry in taken} == {3}


def test_refusals_get_four_times_more() -> None:
    taken = take_all(RetryBudget(3), REFUSAL)

    assert [retry.number for retry in taken] == list(range(1, 13))
    assert {retry.most for retry in taken} == {12}


def test_refusals_leave_failures_their_retries() -> None:
    budget = RetryBudget(2)

    assert len(take_all(budget, REFUSAL)) == 8
    assert len(take_all(budget, FAILURE)) == 2
    assert budget.take(REFUSAL, None) is None
    assert budget.take(FAILURE, None) is None


def test_no_retries_are_none() -> None:
    assert RetryBudget(0).take(FAILURE, None) is None
    assert RetryBudget(0).take(REFUSAL, 1.0) is None


def test_pauses_double_up_to_limit() -> None:
    failures = [retry.pause for retry in take_all(RetryBudget(12), FAILURE)]
    refusals = [retry.pause for retry in take_all(RetryBudget(3), REFUSAL)]

    for number, pause in enumerate(failures):
        spread = min(2**number, LONGEST_WAIT)
        assert spread / 2 <= pause <= spread
    for number, pause in enumerate(refusals):
        spread = min(2**number, 16)
        assert spread / 2 <= pause <= spread


def test_pause_covers_retry_after() -> None:
    pauses = [RetryBudget(1).take(REFUSAL, 7.0) for _ in range(100)]

    assert all(retry is not None and 7 <= retry.pause <= 8 for retry in pauses)
    assert len({retry.pause for retry in pauses if retry is not None}) > 50


def test_pause_never_exceeds_longest_wait() -> None:
    retry = RetryBudget(1).take(REFUSAL, LONGEST_WAIT)

    assert retry is not None
    assert retry.pause == LONGEST_WAIT


@pytest.mark.parametrize("error", [VoisoBadRequestError, VoisoTlsError, VoisoError])
def test_hopeless_errors_use_up_nothing(error: type[VoisoError]) -> None:
    budget = RetryBudget(1)

    assert not is_tried_again(error("no"))
    assert budget.take(error("no"), None) is None
    assert budget.take(FAILURE, None) is not None


@pytest.mark.parametrize("error", [VoisoTransportError, VoisoResponseError, VoisoServerError])
def test_passing_errors_are_tried_again(error: type[VoisoError]) -> None:
    assert is_tried_again(error("no"))
    assert not is_tried_again(KeyboardInterrupt())
