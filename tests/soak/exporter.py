"""Run exports by the real operators, in parallel or in sequence.

Use it as ``python -m tests.soak.exporter``.

Standard input holds a list of exports as JSON: ``kind`` (``s3`` or ``sql``), ``start``, ``end`` and
``options`` of the operator. For each, one line of JSON comes out; its fields are those of
:class:`tests.soak.exports.Export`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

OPERATORS: dict[str, Any] = {"s3": VoisoCdrToS3Operator, "sql": VoisoCdrToSqlOperator}
HEAVY = (
    "airflow.providers.amazon.aws.hooks.s3", "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.sqlite.hooks.sqlite", "boto3.s3.transfer",
)  # fmt: skip
_PAUSE = re.compile(r"\(status 429\).* Trying again in ([0-9.]+) s")


class Pauses(logging.Handler):
    """Notes how long the package waits after it was told that it asks too often."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note a pause."""
        self.seconds += map(float, _PAUSE.findall(record.getMessage()))


def export(order: dict[str, Any]) -> dict[str, Any]:
    """Run one export; return its outcome and the memory and files of the process afterwards."""
    pauses = Pauses()
    logger = logging.getLogger("airflow_provider_voiso")
    logger.addHandler(pauses)
    task = OPERATORS[order["kind"]](task_id="export", **order["options"])
    context = {
        f"data_interval_{edge}": datetime.fromisoformat(order[edge]) for edge in ("start", "end")
    }
    manifest, error = None, None
    try:
        manifest = task.execute(context)
    except Exception as failure:  # noqa: BLE001 - told to the test
        error = f"{type(failure).__name__}: {failure}"
    logger.removeHandler(pauses)
    process = psutil.Process()
    return {
        "manifest": manifest,
        "error": error,
        "pauses": pauses.seconds,
        "rss": process.memory_info().rss,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "files": process.num_fds(),
        "threads": threading.active_count(),
        "temp_files": [path.name for path in Path(tempfile.gettempdir()).iterdir()],
    }


def together(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run each export in a process of its own, all at once, as a worker does with mapped tasks."""
    pipes = []
    for order in orders:
        source, sink = os.pipe()
        if os.fork():
            os.close(sink)
            pipes.append(source)
            continue
        try:
            with open(sink, "w") as pipe:  # noqa: PTH123 - a descriptor
                pipe.write(json.dumps(export(order)))
        finally:
            os._exit(0)
    results = []
    for source in pipes:
        with open(source) as pipe:  # noqa: PTH123 - a descriptor
            results.append(json.loads(pipe.read()))
    for _ in orders:
        os.wait()
    return results


def main() -> None:
    """Carry out the orders on standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # logs go to standard error
    for name in HEAVY:
        with suppress(ImportError):
            import_module(name)
    orders = json.load(sys.stdin)
    results = together(orders) if "--together" in sys.argv else map(export, orders)
    for result in results:
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
