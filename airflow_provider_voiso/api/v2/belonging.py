"""Selects the records of an answer that belong to the window."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from airflow_provider_voiso.exceptions import VoisoOutOfWindowError

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.read import OutOfWindow
    from airflow_provider_voiso.api.v2.clock import DateRule, Span
    from airflow_provider_voiso.api.window import Window


class Belonging:
    """Keeps the window's records, and applies the policy to records outside of the requested dates.

    The requested dates are a little wider than the window: by seconds, or by more where the clock
    changes. Records in that margin belong to the neighbouring windows and are left out.

    :param window: the records' ``timestamp`` must lie in it
    :param rule: how the API applies the dates of a span
    :param policy: what to do with a record outside of the requested dates
    """

    def __init__(self, window: Window, rule: DateRule, policy: OutOfWindow) -> None:
        self._window = window
        self._rule = rule
        self._policy = policy
        self._outside: set[int] = set()

    @property
    def outside(self) -> int:
        """Number of records outside of the requested dates."""
        return len(self._outside)

    def keep(self, page: Page, span: Span) -> Page:
        """Return the window's records of an answer.

        :param page: records in the order of time
        :param span: the requested seconds
        :raises VoisoOutOfWindowError: if a record lies outside of them and the policy is ``fail``
        """
        first = bisect_left(page.ended, self._window.start)
        after = bisect_left(page.ended, self._window.end)
        if after - first == len(page):
            return page
        earliest, latest = self._rule.timestamps(span)
        low = min(first, bisect_left(page.ended, earliest))
        high = max(after, bisect_left(page.ended, latest))
        outside = low + len(page) - high
        if outside and self._policy == "fail":
            raise VoisoOutOfWindowError(
                f"{outside} of {len(page)} records of one answer lie outside of the window "
                f"{self._window}, though the API reads dates in {self._rule}. Look at the "
                "timestamps of what it returns for this window. Set out_of_window to 'drop' or "
                "'keep' on the task only if you know why they are there."
            )
        self._outside.update(hash(uuid) for uuid in (*page.uuids[:low], *page.uuids[high:]))
        kept = page.between(first, after)
        if outside and self._policy == "keep":
            return page.between(0, low).joined(kept, page.between(high, len(page)))
        return kept
