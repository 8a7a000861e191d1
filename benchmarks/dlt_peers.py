"""The same exports by dlt, in an environment of its own (``benchmarks/requirements.txt``)."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import requests
from dlt.destinations import filesystem
from dlt.destinations import postgres as postgres_destination
from dlt.sources.rest_api import rest_api_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measure import Task

    Export = Callable[[], dict[str, Any]]


def jsonl(task: Task) -> Export:
    """Bring the rest_api source to compressed JSON lines in S3."""
    return _pipeline(
        task,
        _s3(task),
        lambda: _rest_api(task),
        loader_file_format="jsonl",
        write_disposition="replace",
    )


def parquet(task: Task) -> Export:
    """Bring the rest_api source to Parquet in S3."""
    return _pipeline(
        task,
        _s3(task),
        lambda: _rest_api(task),
        loader_file_format="parquet",
        write_disposition="replace",
    )


def arrow(task: Task) -> Export:
    """Bring Arrow tables, made of the answers, to Parquet in S3."""

    def tables() -> Iterator[pa.Table]:
        params: dict[str, Any] = {**task.params, "page": 1, "per_page": task.per_page}
        with requests.Session() as session:
            while True:
                answer = session.get(f"{task.url}/api/v2/cdr", params=params, timeout=60).json()
                if answer["records"]:
                    yield pa.Table.from_pylist(answer["records"])
                if not answer["search_token"]:
                    return
                params["search_token"] = answer["search_token"]

    return _pipeline(
        task,
        _s3(task),
        lambda: dlt.resource(tables, name="cdr"),
        loader_file_format="parquet",
        write_disposition="replace",
    )


def merge(task: Task) -> Export:
    """Have the rest_api source merged into PostgreSQL by uuid."""
    destination = postgres_destination(credentials=task.address["dlt"])
    return _pipeline(
        task, destination, lambda: _rest_api(task), write_disposition="merge", primary_key="uuid"
    )


def _s3(task: Task) -> Any:
    return filesystem(bucket_url=f"s3://{task.bucket}", credentials=task.address)


def _rest_api(task: Task) -> Any:
    return rest_api_source(
        {
            "client": {
                "base_url": f"{task.url}/api/v2/",
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "search_token",
                    "cursor_param": "search_token",
                },
            },
            "resources": [
                {
                    "name": "cdr",
                    "endpoint": {
                        "path": "cdr",
                        "params": {**task.params, "page": 1, "per_page": task.per_page},
                        "data_selector": "records",
                    },
                }
            ],
        }
    )


def _pipeline(task: Task, destination: Any, source: Callable[[], Any], **options: Any) -> Export:
    def export() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="bench-dlt-") as directory:
            pipeline = dlt.pipeline(
                "bench",
                pipelines_dir=directory,
                destination=destination,
                dataset_name=task.prefix or task.table,
            )
            pipeline.run(source(), **options).raise_on_failed_jobs()
            rows = pipeline.last_trace.last_normalize_info.row_counts["cdr"]
        return {"records": rows}

    return export
