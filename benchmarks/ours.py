"""This package's operators, run as Airflow runs them, with the least that a context holds."""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.exceptions import VoisoConfigurationError
from benchmarks.measure import SkipError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Task

    Export = Callable[[], dict[str, Any]]

CONN_ID = "warehouse"


def s3(task: Task) -> Export:
    """Run the operator for S3."""
    from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator  # noqa: PLC0415 - not for SQL

    needed = ["boto3.s3.transfer", "airflow.providers.amazon.aws.hooks.s3"]
    if task.file_format in {"parquet", "csv"}:
        needed.append(f"airflow_provider_voiso.destinations.files.{task.file_format}_format")
    for name in needed:
        importlib.import_module(name)

    def export() -> dict[str, Any]:
        operator = VoisoCdrToS3Operator(
            task_id="export",
            s3_bucket=task.bucket,
            s3_key=task.prefix + "/calls.{extension}",
            file_format=task.file_format,  # type: ignore[arg-type]
            compression=task.compression,  # type: ignore[arg-type]
        )
        return operator.execute(_context(task))

    return export


def sql(task: Task) -> Export:
    """Run the operator for SQL, which replaces the window."""
    from airflow.providers.common.compat.sdk import BaseHook  # noqa: PLC0415 - not for S3

    from airflow_provider_voiso.destinations.sql.databases import dialect_of  # noqa: PLC0415
    from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator  # noqa: PLC0415

    hook: Any = BaseHook.get_hook(CONN_ID)
    try:
        dialect_of(hook)
    except VoisoConfigurationError as error:
        raise SkipError(str(error)) from None
    hook.get_conn().close()

    def export() -> dict[str, Any]:
        operator = VoisoCdrToSqlOperator(task_id="export", sql_conn_id=CONN_ID, table=task.table)
        return operator.execute(_context(task))

    return export


def sql_write(task: Task) -> Export:
    """Read the window beforehand, and only write it as the operator for SQL does."""
    from airflow_provider_voiso.api.window import Window  # noqa: PLC0415 - not for S3
    from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator  # noqa: PLC0415

    operator = VoisoCdrToSqlOperator(task_id="export", sql_conn_id=CONN_ID, table=task.table)
    window = Window(datetime.fromisoformat(task.start), datetime.fromisoformat(task.end))
    destination = operator.destination(_context(task), window)
    destination.check()
    read = operator.hook.client.read(window)

    def write() -> dict[str, Any]:
        destination.write(read)
        return {"records": read.records}

    return write


def _context(task: Task) -> dict[str, Any]:
    return {
        "data_interval_start": datetime.fromisoformat(task.start),
        "data_interval_end": datetime.fromisoformat(task.end),
    }
