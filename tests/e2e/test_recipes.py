"""Retries by class of error, a deadline, and news with counts, on a real scheduler."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.world import needs_retry_policies, on_airflow_3
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = [*on_airflow_3, needs_retry_policies]

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def late_run(world: World) -> str:
    """Return the id of a run whose deadline was over before it began."""
    run_id = world.airflow.api.trigger(
        "voiso_cdr_watched", logical_date="2026-03-11T00:00:00+01:00"
    )
    world.succeed("voiso_cdr_watched", run_id)
    return run_id


def test_policy_decides_by_error(world: World) -> None:
    api = world.airflow.api
    run_id = api.trigger("retried")

    assert api.wait_for_run("retried", run_id) == "failed"

    tries = {task["task_id"]: task["try_number"] for task in api.task_instances("retried", run_id)}
    assert tries == {"gone": 2, "malformed": 1, "wrong_key": 1}
    decision = "Retry policy decision"
    assert decision in api.task_log("retried", run_id, "gone")
    assert decision in api.task_log("retried", run_id, "malformed")
    assert decision not in api.task_log("retried", run_id, "wrong_key")


@pytest.mark.usefixtures("late_run")
def test_missed_deadline_is_told(world: World) -> None:
    expected = "The records of the day before 2026-03-10T23:00:00Z are not there by eight."

    wait_for("the alert", lambda: expected in world.webhook.texts, timeout=300, interval=0.5)


@pytest.mark.usefixtures("late_run")
def test_counts_are_told(world: World) -> None:
    start, end = datetime(2026, 3, 10, tzinfo=BERLIN), datetime(2026, 3, 11, tzinfo=BERLIN)
    truth = world.voiso.truth(start, end)
    line = f"{len(truth):,} records from 2026-03-09T23:00:00+00:00 to 2026-03-10T23:00:00+00:00, "

    # Airflow calls back once it was told of the success.
    wait_for(
        "the counts",
        lambda: any(text.startswith(line) for text in world.webhook.texts),
        timeout=300,
        interval=0.5,
    )
