from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Connection

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make_connection() -> Callable[..., Connection]:
    def make(**fields: Any) -> Connection:
        given = {"host": "cc-ams03", "password": "a387aaf1f101fcfe284aaf61", **fields}
        return Connection(conn_id="voiso_test", conn_type="voiso", **given)

    return make


@pytest.fixture(scope="session")
def installed() -> None:
    """Require the package's entry point: Airflow finds a provider by nothing else."""
    if entry_points(group="apache_airflow_provider", module="airflow_provider_voiso.provider_info"):
        return
    reason = "the package is not installed in this environment (pip install -e .)"
    if os.environ.get("CI"):
        pytest.fail(f"CI must install the package: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("airflow")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "COLUMNS": "400",
    }


@pytest.fixture(scope="session")
def airflow_cli(
    airflow_environment: dict[str, str],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    program = Path(sys.executable).with_name("airflow")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *arguments],
            env=airflow_environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=True,
        )

    return run
