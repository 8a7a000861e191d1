"""What the coverage page shows: asset events and runs, as exports leave them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dateutil.parser import isoparse

from airflow_provider_voiso.report.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.servers.airflow import AirflowApiServer

DAY = timedelta(days=1)
TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


def manifest(start: datetime, end: datetime, records: int = 100, **other: Any) -> dict[str, Any]:
    """Return the extra of an event, as an export of this window leaves it."""
    values: dict[str, Any] = {
        "window_start": start.isoformat(),
        "window_end": end.isoformat(),
        "records": records,
        "duplicates": 0,
        "out_of_window": 0,
        "unfinished": 0,
        "requests": 3,
        "probes": 1,
        "clock": "UTC",
        "bytes": 250 * records,
        "table": "cdr",
        **other,
    }
    return {"voiso": Manifest(**values).as_dict()}


class Feed:
    """Writes into the metadata database of an Airflow what tasks and its scheduler would write.

    :param airflow: an api-server that knows the DAGs of ``dags/``
    """

    def __init__(self, airflow: AirflowApiServer) -> None:
        self.airflow = airflow

    def asset_id(self, uri: str) -> int:
        """Return the id of an asset."""
        [(found,)] = self.airflow.postgres.execute("SELECT id FROM asset WHERE uri = %s", uri)
        return int(found)

    def events(
        self, uri: str, events: Iterable[tuple[Mapping[str, Any], datetime, str | None]]
    ) -> None:
        """Add events of the task ``export`` of the DAG that has the asset's name.

        :param events: extra, time, and the run that caused it; without one, nobody did
        """
        dag = uri.removeprefix("x-cdr://")
        rows = [
            {"extra": extra, "at": at.isoformat(), "run": run, "dag": run and dag}
            for extra, at, run in events
        ]
        self.airflow.postgres.execute(
            "INSERT INTO asset_event"
            " (asset_id, extra, timestamp, source_run_id, source_dag_id, source_task_id,"
            " source_map_index)"
            " SELECT %s, extra, at, run, dag, CASE WHEN dag IS NULL THEN NULL ELSE 'export' END, -1"
            " FROM json_to_recordset(%s) AS row(extra json, at timestamptz, run text, dag text)",
            self.asset_id(uri),
            json.dumps(rows),
        )

    def runs(self, dag_id: str, first: datetime, last: datetime) -> dict[datetime, str]:
        """Create runs by a backfill, which no scheduler will start.

        :return: their ids by the logical date
        """
        self.airflow.api.backfill(dag_id, first.isoformat(), last.isoformat())
        found = self.airflow.api.runs(dag_id)
        return {isoparse(run["logical_date"]): run["dag_run_id"] for run in found}

    def end_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Set the state of a run and of its task."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        task = {"new_state": state}
        self.airflow.api.request("PATCH", f"{path}/taskInstances/export", json=task)
        self.airflow.api.request("PATCH", path, json={"state": state})
