"""What people write by hand with Airflow's own hooks and operators."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import requests
from airflow.providers.common.compat.sdk import BaseHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measure import Task

    Export = Callable[[], dict[str, Any]]

CONN_ID = "warehouse"
_COLUMNS = {
    "agent": "agent",
    "agent_id": "agent_id",
    "queue": "queue",
    "from_party": "from",
    "to_party": "to",
    "disposition": "disposition",
    "wrapup_code": "wrapup_code",
    "cpc": "cpc",
    "sid": "sid",
    "text": "text",
    "related_call": "related_call",
    "num_segments": "num_segments",
    "destination_name": "destination_name",
}
_SLA = {
    "sla_first_response_seconds": "time_to_first_response",
    "sla_resolution_seconds": "time_to_resolution",
    "sla_reply_seconds": "time_to_reply",
}


def _records(task: Task) -> Iterator[dict[str, Any]]:
    params: dict[str, Any] = {**task.params, "page": 1, "per_page": task.per_page}
    with requests.Session() as session:
        while True:
            response = session.get(f"{task.url}/api/v2/cdr", params=params, timeout=60)
            response.raise_for_status()
            answer = json.loads(response.content)
            yield from answer["records"]
            if not answer["search_token"]:
                return
            params["search_token"] = answer["search_token"]


def hand_written_s3(task: Task) -> Export:
    """Use requests, json, gzip as it comes, and S3Hook."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415 - not for SQL

    def export() -> dict[str, Any]:
        lines = [json.dumps(record, ensure_ascii=False) for record in _records(task)]
        data = gzip.compress("\n".join(lines).encode())
        S3Hook().load_bytes(data, f"{task.prefix}/calls.ndjson.gz", task.bucket, replace=True)
        return {"records": len(lines), "bytes": len(data)}

    return export


def http_operator(task: Task) -> Export:
    """HttpOperator with a paging function, and S3Hook."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415 - not for SQL
    from airflow.providers.http.operators.http import HttpOperator  # noqa: PLC0415 - not for SQL

    first = {**task.params, "page": 1, "per_page": task.per_page}

    def following(response: requests.Response) -> dict[str, Any] | None:
        token = response.json()["search_token"]
        return {"data": {"search_token": token}} if token else None

    def to_lines(responses: list[requests.Response]) -> list[str]:
        return [
            json.dumps(record, ensure_ascii=False)
            for response in responses
            for record in response.json()["records"]
        ]

    def export() -> dict[str, Any]:
        operator = HttpOperator(
            task_id="read",
            http_conn_id="bench_http",
            endpoint="api/v2/cdr",
            method="GET",
            data=first,
            pagination_function=following,
            response_filter=to_lines,
        )
        lines = operator.execute({})
        data = gzip.compress("\n".join(lines).encode())
        S3Hook().load_bytes(data, f"{task.prefix}/calls.ndjson.gz", task.bucket, replace=True)
        return {"records": len(lines), "bytes": len(data)}

    return export


def insert_rows(task: Task) -> Export:
    """Delete the window's rows and insert rows by the hook's ``insert_rows``, as it comes."""
    hook: Any = BaseHook.get_hook(CONN_ID)
    hook.get_conn().close()

    def export() -> dict[str, Any]:
        hook.run(
            f"DELETE FROM {task.table} WHERE ended_at >= '{task.start[:10]}' AND ended_at < "
            f"'{task.end[:10]}'"
        )
        rows = [_row(record) for record in _records(task)]
        fields = ["uuid", "type", "ended_at", "duration_seconds", *_COLUMNS, *_SLA]
        hook.insert_rows(task.table, rows, target_fields=fields)
        return {"records": len(rows)}

    return export


def _row(record: dict[str, Any]) -> tuple[Any, ...]:
    sla = record.get("sla") or {}
    return (
        record["uuid"],
        record["type"],
        _in_utc(record["timestamp"]),
        _seconds(record["duration"]),
        *(record.get(name) for name in _COLUMNS.values()),
        *(_seconds(sla.get(name)) for name in _SLA.values()),
    )


def _in_utc(timestamp: str) -> str:
    return (
        datetime.fromisoformat(timestamp)
        .astimezone(timezone.utc)
        .replace(tzinfo=None)
        .isoformat(" ")
    )


def _seconds(duration: str | None) -> int | None:
    if duration is None:
        return None
    hours, minutes, seconds = duration.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)
