"""``airflow dags test`` runs a trigger in its own process, without a triggerer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.commands import several_commands
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

    commands = ("db migrate", "dags reserialize", "dags test deferred 2024-11-11")
    program = several_commands(*map(str.split, commands))
    run = subprocess.run(program, env=env, check=True, timeout=900, capture_output=True, text=True)
    log = run.stdout + run.stderr

    assert done.exists(), log
    assert "in the triggerer" in log
    assert "Two looks found the same records" in log
    assert sim.key not in log
    assert sim.requests
