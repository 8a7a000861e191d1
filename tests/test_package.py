from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

import pytest

import airflow_provider_voiso
from airflow_provider_voiso.provider_info import get_provider_info

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(airflow_provider_voiso.__path__, "airflow_provider_voiso.")
    if not module.name.endswith("__main__")
)
PUBLIC = {
    "airflow_provider_voiso.hooks.voiso": "VoisoHook",
    "airflow_provider_voiso.operators.cdr_to_s3": "VoisoCdrToS3Operator",
    "airflow_provider_voiso.operators.cdr_to_sql": "VoisoCdrToSqlOperator",
    "airflow_provider_voiso.sensors.cdr": "VoisoCdrSensor",
    "airflow_provider_voiso.run.sub_windows": "sub_windows",
}
FLOORS = {"api": ("export", "hooks", "operators", "sensors"), "export": ("hooks", "operators", "sensors")}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_stand_where_they_are_promised(module: str) -> None:
    assert getattr(importlib.import_module(module), PUBLIC[module]).__doc__


def test_the_version_is_the_newest_of_the_changelog() -> None:
    released = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released
    assert released[1] == airflow_provider_voiso.__version__


def test_types_are_shipped() -> None:
    assert files("airflow_provider_voiso").joinpath("py.typed").is_file()


def test_what_is_installed_is_what_is_here() -> None:
    try:
        installed = distribution("airflow-provider-voiso")
    except PackageNotFoundError:
        pytest.skip("the package is not installed in this environment (pip install -e .)")
    assert installed.version == airflow_provider_voiso.__version__
    assert installed.metadata["Name"] == get_provider_info()["package-name"] == "airflow-provider-voiso"
    [entry] = installed.entry_points.select(group="apache_airflow_provider")
    assert entry.load() is get_provider_info
    assert {"amazon", "postgres", "parquet"} <= set(installed.metadata.get_all("Provides-Extra", []))


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_nothing_from_above(floor: str) -> None:
    above = "|".join(FLOORS[floor])
    for path in Path(str(files("airflow_provider_voiso") / floor)).rglob("*.py"):
        assert not re.search(rf"airflow_provider_voiso\.({above})\b", path.read_text()), path


def test_importing_what_a_dag_file_imports_loads_nothing_optional() -> None:
    program = "\n".join(
        [
            "import sys",
            *(f"from {module} import {name}" for module, name in PUBLIC.items()),
            "print(*sorted({'boto3', 'botocore', 'pyarrow', 'pandas', 'psycopg2', 'psycopg'} & set(sys.modules)))",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
