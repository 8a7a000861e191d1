"""Every day, the names of agents and wrap-up codes, and a view that joins them to the calls."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, Asset
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.operators.reference_to_sql import VoisoReferenceToSqlOperator

WAREHOUSE = "voiso_warehouse"
LISTS = ("agents", "deleted_agents", "wrapup_codes")

# Names change and agents are deleted, so calls are counted by number. The statement is standard
# SQL, which SQLite, PostgreSQL, MySQL and DuckDB understand alike. Names stay in the warehouse: an
# XCom would show them to everyone who may open Airflow.
CALLS_PER_AGENT = """
    CREATE VIEW voiso_calls_per_agent AS
    SELECT people.id, people.name, people.is_deleted, codes.description AS wrapup,
        count(*) AS calls, sum(calls.duration_seconds) AS seconds
    FROM voiso_cdr AS calls
    JOIN (
        SELECT id, name, 0 AS is_deleted FROM voiso_agents
        UNION ALL
        SELECT id, name, 1 AS is_deleted FROM voiso_deleted_agents
    ) AS people ON people.id = calls.agent_id
    LEFT JOIN voiso_wrapup_codes AS codes ON codes.code = calls.wrapup_code
    GROUP BY people.id, people.name, people.is_deleted, codes.description
"""

with DAG(
    dag_id="voiso_reference_lists",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["voiso"],
):
    calls = VoisoCdrToSqlOperator(task_id="export_calls", sql_conn_id=WAREHOUSE, table="voiso_cdr")
    lists = [
        VoisoReferenceToSqlOperator(
            task_id=f"load_{name}",
            reference=name,
            sql_conn_id=WAREHOUSE,
            table=f"voiso_{name}",
            outlets=[Asset(f"voiso_{name}")],
        )
        for name in LISTS
    ]
    show = SQLExecuteQueryOperator(
        task_id="calls_per_agent",
        conn_id=WAREHOUSE,
        sql=["DROP VIEW IF EXISTS voiso_calls_per_agent", CALLS_PER_AGENT],
        do_xcom_push=False,
    )
    [calls, *lists] >> show
