"""One task that meets every fault with every key, and says so; the connections are made by the
tests."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, get_args
from urllib.request import Request, urlopen

import psutil
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator

from airflow_provider_voiso.exceptions import VoisoError
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor
from airflow_provider_voiso.simulator.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START = datetime(2026, 3, 10, tzinfo=timezone.utc)
WINDOW: dict[str, Any] = {"window_start": START, "window_end": START + timedelta(days=1)}
SLOW = {"drip", "drip_headers", "endless", "large", "gzip_bomb"}
FAULTS: list[dict[str, Any]] = [
    *({"kind": kind} for kind in get_args(FaultKind) if kind not in {"status", "gone", *SLOW}),
    *({"kind": "status", "status": status} for status in (400, 401, 403, 404, 429, 500)),
    {"kind": "gone"},  # nobody listens from there on
]


class EveryFault(BaseOperator):
    """Exports with every key, in peace and after every fault, and logs each failure with its
    traceback."""

    def execute(self, context: Mapping[str, Any]) -> list[Any]:  # noqa: ARG002 - Airflow's signature
        """Return what the exports returned, and what a connection test says."""
        http.client.HTTPConnection.debuglevel = 1
        found: list[Any] = []
        for name in sorted(os.environ):
            if name.startswith("AIRFLOW_CONN_VOISO_KEY_"):
                found += self._meet(name.removeprefix("AIRFLOW_CONN_").lower())
        here = psutil.Process()
        self.log.info("Processes: %s", [each.cmdline() for each in (here, *here.parents())])
        self.log.info("Temporary files: %s", os.listdir(tempfile.gettempdir()))  # noqa: PTH208 - names are enough
        return found

    def _meet(self, conn_id: str) -> list[Any]:
        url = str(BaseHook.get_connection(conn_id).host)
        exports: list[Any] = [
            VoisoCdrToS3Operator(
                task_id="s3",
                voiso_conn_id=conn_id,
                s3_bucket="voiso-cdr",
                s3_key=f"secrets/{conn_id}",
                **WINDOW,
            ),
            VoisoCdrToSqlOperator(
                task_id="sql",
                voiso_conn_id=conn_id,
                sql_conn_id="postgres",
                table=f"secrets_{conn_id}",
                **WINDOW,
            ),
        ]
        sensor = VoisoCdrSensor(task_id="sensor", voiso_conn_id=conn_id, **WINDOW)
        found = [
            VoisoHook(conn_id).test_connection(),
            sensor.poke({}),
            *(export.execute({}) for export in exports),
        ]
        for fault in FAULTS:
            _control(url, "DELETE")
            _control(url, "POST", {"times": None, **fault})
            self._fail(exports[0].execute)
            self._fail(sensor.poke)
            found.append(VoisoHook(conn_id).test_connection())
        return found

    def _fail(self, run: Callable[[Mapping[str, Any]], Any]) -> None:
        try:
            run({})
        except VoisoError:
            self.log.exception("As expected:")


def _control(url: str, method: str, fault: Mapping[str, Any] | None = None) -> None:
    body = None if fault is None else json.dumps(fault).encode()
    with urlopen(Request(f"{url}/_simulator/faults", body, method=method)):  # noqa: S310 - a local simulator
        pass


with DAG(
    "secrets", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False
):
    EveryFault(task_id="every_fault")
