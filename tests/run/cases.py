"""The window of each kind of run: tests on real Airflows assert it, docs/windows.md shows it.

All instants are Berlin's wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DATED = "manual, with a logical date"
UNDATED = "manual, without a logical date"
KEYED = "manual, with a partition key"
TESTED = "`airflow dags test`"
SCHEDULED = "scheduled"
BACKFILL = "backfill"
ASSET = "asset-triggered"
CLEARED = ", cleared"
RETRIED = ", retried"

# On the day of a run whose instant a test cannot choose.
YESTERDAY = ("yesterday 00:00", "today 00:00")
NOW = "now"


@dataclass(frozen=True)
class Case:
    """One run, what Airflow stores with it, and its window.

    :param since: the first Airflow that has such a run: 2.11 (which is followed by 3.0 only), 3.0
        or 3.2
    :param schedule: id of the DAG in the DAG file that has this schedule
    :param run: what made it run
    :param window: the bounds, or part of the error's message
    :param run_after: only where the run has neither a logical date nor a partition
    :param arguments: whether the operator was given the window
    """

    since: str
    schedule: str
    run: str
    window: tuple[str, str] | str
    logical_date: str | None = None
    interval: tuple[str, str] | None = None
    partition_key: str | None = None
    partition_date: str | None = None
    run_after: str | None = None
    arguments: bool = False


# Berlin's clocks change on these Sundays: the first has 23 hours, the second 25.
SPRING, SPRING_MONDAY = "2025-03-30 00:00", "2025-03-31 00:00"
AUTUMN, AUTUMN_MONDAY = "2025-10-26 00:00", "2025-10-27 00:00"
SPRING_DAY, AUTUMN_DAY = (SPRING, SPRING_MONDAY), (AUTUMN, AUTUMN_MONDAY)
MORNING = "2025-03-31 10:17"
SUNDAY_MORNING = "2025-03-30 10:17"
SATURDAY = ("2025-03-29 00:00", SPRING)
AUTUMN_MORNING = "2025-10-27 10:17"
# The DAG whose tasks only commands run.
PAUSED = "paused"
NO_PERIODS = "its DAG's schedule has no periods"


def tick(
    since: str, schedule: str, run: str, window: tuple[str, str] | str, date: str, **others: Any
) -> Case:
    """Return a run whose interval is of zero width."""
    return Case(since, schedule, run, window, logical_date=date, interval=(date, date), **others)


def interval(since: str, schedule: str, run: str, window: tuple[str, str], date: str = "") -> Case:
    """Return a run whose interval is the window; it is dated with its start by default."""
    return Case(since, schedule, run, window, logical_date=date or window[0], interval=window)


def undated(
    since: str, schedule: str, run: str, window: tuple[str, str] | str, run_after: str
) -> Case:
    """Return a run with ``run_after`` alone."""
    return Case(since, schedule, run, window, run_after=run_after)


def partition(schedule: str, run: str, day: tuple[str, str]) -> Case:
    """Return a run for the partition that starts with the window."""
    return Case("3.2", schedule, run, day, partition_key=day[0][:10], partition_date=day[0])


CASES = (
    tick("3.0", "cron", SCHEDULED, SPRING_DAY, SPRING_MONDAY),
    tick("3.0", "cron", SCHEDULED + CLEARED, SPRING_DAY, SPRING_MONDAY),
    tick("3.0", "cron", BACKFILL, AUTUMN_DAY, AUTUMN_MONDAY),
    tick("3.0", "cron", DATED, SPRING_DAY, MORNING),
    undated("3.0", "cron", UNDATED, AUTUMN_DAY, AUTUMN_MORNING),
    undated("3.0", "cron", UNDATED + CLEARED, AUTUMN_DAY, AUTUMN_MORNING),
    undated("3.0", "cron", UNDATED + RETRIED, AUTUMN_DAY, AUTUMN_MORNING),
    tick("3.0", PAUSED, TESTED, AUTUMN_DAY, AUTUMN_MORNING),
    interval("3.0", "cron_interval", SCHEDULED, SPRING_DAY),
    interval("3.0", "cron_interval", BACKFILL, AUTUMN_DAY),
    interval("3.0", "cron_interval", DATED, SATURDAY, SUNDAY_MORNING),
    undated("3.0", "cron_interval", UNDATED, AUTUMN_DAY, AUTUMN_MORNING),
    interval("3.0", "cron_trigger_interval", SCHEDULED, ("2025-03-30 06:00", "2025-03-31 06:00")),
    undated(
        "3.0",
        "cron_trigger_interval",
        UNDATED,
        ("2025-10-26 06:00", "2025-10-27 06:00"),
        AUTUMN_MORNING,
    ),
    tick(
        "3.0", "two_crons", SCHEDULED, ("2025-03-29 18:00", "2025-03-30 06:00"), "2025-03-30 06:00"
    ),
    tick(
        "3.0", "two_crons", SCHEDULED, ("2025-03-30 06:00", "2025-03-30 18:00"), "2025-03-30 18:00"
    ),
    undated("3.0", "two_crons", UNDATED, ("2025-10-26 18:00", "2025-10-27 06:00"), AUTUMN_MORNING),
    tick("3.0", "delta", SCHEDULED, ("2025-03-29 23:00", SPRING_MONDAY), SPRING_MONDAY),
    tick("3.0", "delta", DATED, ("2025-03-30 10:17", MORNING), MORNING),
    undated("3.0", "delta", UNDATED, ("2025-10-25 11:17", "2025-10-26 10:17"), "2025-10-26 10:17"),
    tick("3.0", "months", SCHEDULED, "as months differ in length", SPRING),
    tick("3.0", "asset_or_time", SCHEDULED, SPRING_DAY, SPRING_MONDAY),
    undated("3.0", "asset_or_time", ASSET, YESTERDAY, NOW),
    undated("3.0", "asset", ASSET, NO_PERIODS, NOW),
    tick("3.0", "unscheduled", DATED, NO_PERIODS, MORNING),
    undated("3.0", "unscheduled", UNDATED, NO_PERIODS, AUTUMN_MORNING),
    tick("3.0", "given", DATED, AUTUMN_DAY, MORNING, arguments=True),
    tick("3.0", "once", SCHEDULED, NO_PERIODS, SPRING_MONDAY),
    partition("partition", SCHEDULED, SPRING_DAY),
    partition("partition", BACKFILL, AUTUMN_DAY),
    partition("partition", KEYED, ("2025-07-01 00:00", "2025-07-02 00:00")),
    partition("partition_of_asset", ASSET, SPRING_DAY),
    partition("partition_of_asset", ASSET, AUTUMN_DAY),
    partition("partition_of_asset", ASSET, ("2025-07-01 00:00", "2025-07-02 00:00")),
    interval("2.11", "cron", SCHEDULED, SPRING_DAY),
    interval("2.11", "cron", SCHEDULED + CLEARED, SPRING_DAY),
    interval("2.11", PAUSED, BACKFILL, AUTUMN_DAY),
    interval("2.11", "cron", DATED, SATURDAY, SUNDAY_MORNING),
    interval("2.11", "cron", DATED + RETRIED, SATURDAY, SUNDAY_MORNING),
    interval("2.11", PAUSED, TESTED, AUTUMN_DAY, AUTUMN_MORNING),
    interval("2.11", "cron_interval", SCHEDULED, SPRING_DAY),
    tick("2.11", "cron_trigger", SCHEDULED, SPRING_DAY, SPRING_MONDAY),
    tick("2.11", "paused_trigger", BACKFILL, AUTUMN_DAY, AUTUMN_MONDAY),
    tick("2.11", "paused_trigger", TESTED, AUTUMN_DAY, AUTUMN_MORNING),
    interval("2.11", "cron_trigger_interval", SCHEDULED, ("2025-03-30 06:00", "2025-03-31 06:00")),
    interval("2.11", "delta", SCHEDULED, (SPRING, "2025-03-31 01:00")),
    interval("2.11", "months", SCHEDULED, (SPRING, "2025-04-30 01:00")),
    tick("2.11", "dataset_or_time", SCHEDULED, YESTERDAY, "today 00:00"),
    tick("2.11", "dataset_or_time", UNDATED, YESTERDAY, NOW),
    Case(
        "2.11", "dataset_or_time", ASSET, YESTERDAY, logical_date=NOW, interval=(MORNING, MORNING)
    ),
    Case("2.11", "asset", ASSET, NO_PERIODS, logical_date=NOW, interval=(MORNING, MORNING)),
    interval("2.11", "asset_of_intervals", ASSET, SPRING_DAY, NOW),
    tick("2.11", "unscheduled", DATED, NO_PERIODS, MORNING),
    tick("2.11", "given", DATED, AUTUMN_DAY, MORNING, arguments=True),
    tick("2.11", "once", SCHEDULED, NO_PERIODS, SPRING_MONDAY),
)
