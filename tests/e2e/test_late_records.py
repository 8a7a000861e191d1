"""A sensor that waits in front of an export, in mode ``reschedule``."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

import airflow

from tests.e2e.world import DAY, on_airflow_3

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3


def test_sensor_waits_until_looks_agree(world: World) -> None:
    dag_id = "late_records"
    assert world.late.truth(*DAY) == {}
    run_id = world.airflow.api.trigger(dag_id)
    world.wait_for_state(dag_id, run_id, "wait", "up_for_reschedule")
    assert world.task(dag_id, run_id, "to_s3")["state"] is None
    assert world.objects(dag_id) == {}
    world.late.drift_now()
    world.succeed(dag_id, run_id)
    truth = world.late.truth(*DAY)
    assert truth
    assert world.lines(dag_id) == list(truth.values())
    tries = world.airflow.home.glob(f"logs/dag_id={dag_id}/*/task_id=wait/attempt=*.log")
    log = "\n".join(path.read_text() for path in sorted(tries))
    looks = re.findall(
        r"Found (0|at least \d+) records in |Two looks (found the same)|(other records) than", log
    )
    # A busy scheduler may cut a poke off and start it again, which then looks again.
    told = [words for words, _ in groupby("".join(look) for look in looks)]
    found = next(words for words in told if words.startswith("at least"))
    if airflow.__version__.startswith(("3.0.", "3.1.", "3.2.")):
        expected = [found, "found the same"]
    else:
        expected = [found, "other records", found, "found the same"]
    assert told[: told.index(found)] == ["0"]
    assert told[told.index(found) :] == expected
