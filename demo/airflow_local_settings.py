"""Imports for all tasks at once what they need: the LocalExecutor forks them from the scheduler.

Airflow imports this file from ``config`` in AIRFLOW_HOME. Without it each task, and each look at a
DAG file, takes a second more.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORKING = {"scheduler", "dag-processor"}
NEEDED = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.openlineage.plugins.listener",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.sqlite.hooks.sqlite",
    "airflow.providers.standard.operators.python",
    "airflow.sdk.execution_time.task_runner",
    "airflow_provider_voiso.operators.cdr_to_s3",
    "airflow_provider_voiso.operators.cdr_to_sql",
    "airflow_provider_voiso.sensors.cdr",
    "airflow_provider_voiso.triggers.cdr",
    "boto3.s3.transfer",
    "openlineage.client",
    "psycopg2",
    "sqlparse",
)


def import_what_is_there(names: Iterable[str]) -> None:
    """Import modules, of which older Airflows lack some."""
    for name in names:
        with suppress(ImportError):
            import_module(name)


if not _FORKING.isdisjoint(sys.argv):
    import_what_is_there(NEEDED)
