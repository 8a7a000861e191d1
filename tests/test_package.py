from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from inspect import isclass, isfunction
from pathlib import Path

import pytest

import airflow_provider_voiso
from airflow_provider_voiso import exceptions
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
    "airflow_provider_voiso.operators.reference_to_s3": "VoisoReferenceToS3Operator",
    "airflow_provider_voiso.operators.reference_to_sql": "VoisoReferenceToSqlOperator",
    "airflow_provider_voiso.sensors.cdr": "VoisoCdrSensor",
    "airflow_provider_voiso.run.last_windows": "last_windows",
    "airflow_provider_voiso.run.sub_windows": "sub_windows",
    "airflow_provider_voiso.run.window": "resolve_window",
}
ROOMS_OF_AIRFLOW = ("hooks", "operators", "sensors", "triggers")
AIRFLOW_FLOOR = ("hooks", "operators", "sensors", "run", "report", "connection")
FLOORS = {
    "api": ("destinations", "compat", *AIRFLOW_FLOOR),
    # Databases and stores are Airflow's connections, so that compat may stand below them.
    "destinations": AIRFLOW_FLOOR,
}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_importable(module: str) -> None:
    assert getattr(importlib.import_module(module), PUBLIC[module]).__doc__


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_at_the_top(module: str) -> None:
    name = PUBLIC[module]

    assert getattr(airflow_provider_voiso, name) is getattr(importlib.import_module(module), name)
    assert name in airflow_provider_voiso.__all__


def test_functions_are_no_modules() -> None:
    for module in MODULES:
        importlib.import_module(module)

    assert isfunction(airflow_provider_voiso.sub_windows)
    assert isfunction(airflow_provider_voiso.resolve_window)


def test_every_error_is_at_the_top() -> None:
    errors = {
        name
        for name, value in vars(exceptions).items()
        if isclass(value) and name.startswith("Voiso")
    }

    others = {*PUBLIC.values(), "__version__"}
    assert {*airflow_provider_voiso.__all__} == errors | others
    assert all(
        getattr(airflow_provider_voiso, name) is getattr(exceptions, name) for name in errors
    )


def test_types_know_every_public_name() -> None:
    tree = ast.parse(Path(airflow_provider_voiso.__file__).read_text())
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }

    assert {*airflow_provider_voiso.__all__} - {"__version__"} <= imported


def test_star_import_takes_every_public_name() -> None:
    taken: dict[str, object] = {}

    exec("from airflow_provider_voiso import *", taken)  # noqa: S102 - a star import stands in no function

    assert {*airflow_provider_voiso.__all__} <= taken.keys() | {"__version__"}
    assert {*airflow_provider_voiso.__all__} <= {*dir(airflow_provider_voiso)}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'VoisoCdrToNowhereOperator'"):
        airflow_provider_voiso.VoisoCdrToNowhereOperator  # noqa: B018


def test_importing_the_package_is_light() -> None:
    program = (
        "import sys, airflow_provider_voiso; airflow_provider_voiso.__version__; "
        "dir(airflow_provider_voiso)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'airflow', 'requests', "
        "'msgspec', 'pendulum'}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.split() == []


@pytest.mark.parametrize("room", ROOMS_OF_AIRFLOW)
def test_provider_info_lists_every_module(room: str) -> None:
    present = {module for module in MODULES if module.startswith(f"airflow_provider_voiso.{room}.")}
    shared = {
        "airflow_provider_voiso.operators.base",
        "airflow_provider_voiso.operators.reference",
    }

    listed = [
        module for group in get_provider_info().get(room, []) for module in group["python-modules"]
    ]

    assert sorted(listed) == sorted(present - shared)


def test_only_compat_knows_the_releases() -> None:
    """Words that stand for a difference between Airflow releases stand in compat alone."""
    words = (
        "task_state_store|iter_references|secrets_masker|flask_appbuilder|coerce_to_core_timetable|signal\\.SIG"
        "|asset_condition|airflow\\.(sdk|models|utils|serialization)"
    )
    package = Path(airflow_provider_voiso.__file__).parent
    rooms = [
        package / room
        for room in (*ROOMS_OF_AIRFLOW, "run", "report", "connection", "destinations", "api")
    ]

    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for room in rooms
        for path in room.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(words, line)
    ]

    assert found == []


def test_version_heads_the_changelog() -> None:
    released = re.search(
        r"^## \[(\d[\w.]*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert released
    assert released[1] == airflow_provider_voiso.__version__


def test_types_are_shipped() -> None:
    assert files("airflow_provider_voiso").joinpath("py.typed").is_file()


def test_installed_package_is_this_one() -> None:
    try:
        installed = distribution("airflow-provider-voiso")
    except PackageNotFoundError:
        pytest.skip("the package is not installed in this environment (pip install -e .)")
    assert installed.version == airflow_provider_voiso.__version__
    assert (
        installed.metadata["Name"]
        == get_provider_info()["package-name"]
        == "airflow-provider-voiso"
    )
    [entry] = installed.entry_points.select(group="apache_airflow_provider")
    assert entry.load() is get_provider_info
    assert {"amazon", "postgres", "parquet"} <= set(
        installed.metadata.get_all("Provides-Extra", [])
    )


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_nothing_from_above(floor: str) -> None:
    above = "|".join(FLOORS[floor])
    for path in Path(str(files("airflow_provider_voiso") / floor)).rglob("*.py"):
        assert not re.search(rf"airflow_provider_voiso\.({above})\b", path.read_text()), path


def test_dag_imports_load_nothing_optional() -> None:
    program = "\n".join(
        [
            "import sys",
            *(f"from {module} import {name}" for module, name in PUBLIC.items()),
            (
                "print(*sorted({'boto3', 'botocore', 'pyarrow', 'pandas', 'psycopg2', 'psycopg'} & "
                "set(sys.modules)))"
            ),
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
