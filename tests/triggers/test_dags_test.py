"""``airflow dags test`` runs a trigger in its own process, without a triggerer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.commands import several_commands
from tests.servers.process import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.simulator import Simulator

pytestmark = [pytest.mark.whole_airflow, pytest.mark.xdist_group("airflow")]

ROOT = Path(__file__).parents[2]


def test_dags_test_runs_the_trigger(simulate: Callable[..., Simulator], tmp_path: Path) -> None:
    sim = simulate()
    done = tmp_path / "done"
    env = clean_environment(
        {
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
            "AIRFLOW_CONN_VOISO_DEFAULT": os.environ["AIRFLOW_CONN_VOISO_DEFAULT"],
            "DEFERRED_DONE": str(done),
            "PYTHONPATH": str(ROOT),
        }
    )

    prepare = several_commands(["db", "migrate"], ["dags", "reserialize"])
    subprocess.run(prepare, env=env, check=True, timeout=600, capture_output=True)
    # On its own: what migrates the database of Airflow 2 also sets up logging anew.
    test = [sys.executable, "-m", "airflow", "dags", "test", "deferred", "2024-11-11"]
    run = subprocess.run(test, env=env, check=True, timeout=600, capture_output=True, text=True)
    log = run.stdout + run.stderr

    assert done.exists(), log
    assert "in the triggerer" in log
    assert "Two looks found the same records" in log
    assert sim.key not in log
    assert sim.requests
