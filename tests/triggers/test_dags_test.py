"""``airflow dags test`` runs a trigger in its own process, without a triggerer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.simulator import Simulator

pytestmark = [pytest.mark.slow_airflow, pytest.mark.xdist_group("airflow")]

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

    def airflow(*arguments: str) -> str:
        program = [sys.executable, "-m", "airflow", *arguments]
        run = subprocess.run(
            program, env=env, check=True, timeout=600, capture_output=True, text=True
        )
        return run.stdout + run.stderr

    airflow("db", "migrate")
    airflow("dags", "reserialize")
    log = airflow("dags", "test", "deferred", "2024-11-11")

    assert done.exists(), log
    assert "in the triggerer" in log
    assert "Two looks found the same records" in log
    assert sim.key not in log
    assert sim.requests
