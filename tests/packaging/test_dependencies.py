"""Every package that is imported when the code runs is declared."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_provider_voiso

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(airflow_provider_voiso.__file__).parent
PROVIDERS = {
    "airflow.providers.amazon": "apache-airflow-providers-amazon",
    "airflow.providers.common.compat": "apache-airflow-providers-common-compat",
    "airflow.providers.common.sql": "apache-airflow-providers-common-sql",
    "airflow.providers.openlineage": "apache-airflow-providers-openlineage",
}
BROUGHT_BY = {
    "MySQLdb": "apache-airflow-providers-mysql",
    "airflow": "apache-airflow",
    "boto3": "apache-airflow-providers-amazon",
    "botocore": "apache-airflow-providers-amazon",
    "dateutil": "python-dateutil",
    "psycopg": "apache-airflow-providers-postgres",
    # The connection form of Airflow 2.
    "flask_appbuilder": "apache-airflow",
    "flask_babel": "apache-airflow",
    "wtforms": "apache-airflow",
    # The API server of Airflow 3.
    "starlette": "apache-airflow",
}
# Imported by pytest alone.
UNDECLARED = {("simulator/fixtures.py", "pytest")}


def test_every_import_is_declared() -> None:
    declared = set(distributions())

    undeclared = {
        (file.relative_to(PACKAGE).as_posix(), distribution_of(module))
        for file in PACKAGE.rglob("*.py")
        for module in imported(ast.parse(file.read_text()))
        if distribution_of(module) not in declared
    }

    assert undeclared == UNDECLARED


def test_all_holds_every_extra() -> None:
    text = (PACKAGE.parent / "pyproject.toml").read_text()
    section = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    extras = set(re.findall(r"^([a-z]+) = ", section, re.MULTILINE))

    [everything] = re.findall(r'^all = \["airflow-provider-voiso\[(.*)\]"\]', section, re.MULTILINE)

    assert set(everything.split(",")) == extras - {"all"}


def distributions() -> Iterator[str]:
    """Return the declared distributions, those of the extras too."""
    try:
        declared = requires("airflow-provider-voiso") or []
    except PackageNotFoundError:
        pytest.skip("the package is not installed in this environment (pip install -e .)")
    for requirement in declared:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name
        yield name[0].lower()


def distribution_of(module: str) -> str:
    for package, provider in PROVIDERS.items():
        if module.startswith(package):
            return provider
    top = module.partition(".")[0]
    return BROUGHT_BY.get(top, top)


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules of other packages that are imported at run time."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and not child.level and child.module:
            names = [child.module]
        own = sys.stdlib_module_names | {PACKAGE.name}
        yield from (name for name in names if name.partition(".")[0] not in own)
        yield from imported(child)
