"""How often a request is retried, and how long to wait before each retry."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_voiso.exceptions import (
    VoisoRateLimitError,
    VoisoResponseError,
    VoisoServerError,
    VoisoTlsError,
    VoisoTransportError,
)

LONGEST_WAIT = 120.0
"""Seconds; an absurd Retry-After must not hold a worker for hours."""
_LONGEST_SPREAD = 16.0
"""Seconds over which tasks spread their retries after a 429; more would leave the API idle."""
_REFUSALS_PER_RETRY = 4
"""A 429 proves the API is up, so it gets four times the retries."""
_RETRIED = (VoisoRateLimitError, VoisoServerError, VoisoTransportError, VoisoResponseError)


def is_tried_again(error: BaseException) -> bool:
    """Tell whether a request is retried after this error."""
    return isinstance(error, _RETRIED) and not isinstance(error, VoisoTlsError)


@dataclass(slots=True)
class _Retries:
    """The retries after one kind of error.

    :param most: number of retries allowed
    :param longest: upper bound, in seconds, of the pause that doubles with each retry
    :param used: number of retries used
    """

    most: int
    longest: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Retry:
    """One retry.

    :param pause: seconds to wait before it
    :param number: its number, from 1
    :param most: number of retries allowed
    """

    pause: float
    number: int
    most: int


class RetryBudget:
    """The retries of one request, counted apart for refusals (429) and for failures.

    :param max_retries: number of retries after failures
    """

    def __init__(self, max_retries: int) -> None:
        self._failures = _Retries(max_retries, LONGEST_WAIT)
        self._refusals = _Retries(max_retries * _REFUSALS_PER_RETRY, _LONGEST_SPREAD)

    def take(self, error: BaseException, retry_after: float | None) -> Retry | None:
        """Use up one retry.

        :param error: why the last try failed
        :param retry_after: seconds of the answer's Retry-After, or None
        :return: the retry, or None if none is left or the error is permanent
        """
        if not is_tried_again(error):
            return None
        retries = self._refusals if isinstance(error, VoisoRateLimitError) else self._failures
        if retries.used >= retries.most:
            return None
        spread = min(2.0**retries.used, retries.longest)
        retries.used += 1
        return Retry(_pause(spread, retry_after), retries.used, retries.most)


def _pause(spread: float, retry_after: float | None) -> float:
    """Return the seconds of Retry-After plus a random share of ``spread``.

    Other tasks got the same Retry-After; the random share keeps them from returning together.
    """
    if retry_after is None:
        return random.uniform(spread / 2, spread)  # noqa: S311 - no secret
    return min(retry_after + random.uniform(0, spread), LONGEST_WAIT)  # noqa: S311 - no secret
