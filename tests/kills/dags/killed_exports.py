"""The exports that are killed; the connections that they name are made by ``tests.kills.parts``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

DAY: dict[str, Any] = {
    "window_start": datetime(2026, 3, 10, tzinfo=timezone.utc),
    "window_end": datetime(2026, 3, 11, tzinfo=timezone.utc),
}
HOURS: dict[str, Any] = {**DAY, "window_end": datetime(2026, 3, 10, 6, tzinfo=timezone.utc)}

with DAG("killed_exports", schedule=None):
    for state in ("before", "after"):
        for compression, size in ((None, "large"), ("gzip", "small")):
            VoisoCdrToS3Operator(
                task_id=f"s3_{size}_{state}",
                voiso_conn_id=f"voiso_{state}",
                s3_bucket="voiso-cdr",
                s3_key="killed/{window_start:%Y-%m-%d}.{extension}",
                compression=compression,  # type: ignore[arg-type]
                replace_other=True,  # two connections stand for two states of one account
                **DAY,
            )
        for database in ("postgres", "mariadb", "sqlite", "duckdb"):
            VoisoCdrToSqlOperator(
                task_id=f"{database}_{state}",
                voiso_conn_id=f"voiso_{state}",
                sql_conn_id=database,
                table="killed",
                **HOURS,
            )
