"""A client of Airflow's public REST API, for the demo and the tests."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.servers.process import PartError, local_session, wait_for

FINAL_STATES = {"success", "failed"}


class AirflowApi:
    """A client of ``/api/v2`` that signs in without a password, as the all-admins mode allows.

    :param url: address of the api-server, without a trailing slash
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = local_session()

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """Send one request and return its JSON.

        :param path: what follows ``/api/v2``, with a leading slash
        :raises PartError: with the answer's text if the status is not 2xx
        """
        if "Authorization" not in self._session.headers:
            token = self._session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
        response = self._session.request(method, f"{self.url}/api/v2{path}", timeout=60, **kwargs)
        if not response.ok:
            raise PartError(
                f"{method} /api/v2{path}: status {response.status_code}: {response.text[:2000]}"
            )
        return response.json() if response.content else None

    def get(self, path: str, **params: Any) -> Any:
        """GET one path."""
        return self.request("GET", path, params=params)

    def unhealthy(self) -> list[str]:
        """Return the names of the components that do not report a recent heartbeat."""
        health = self.get("/monitor/health")
        components = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return [name for name in components if (health.get(name) or {}).get("status") != "healthy"]

    def wait_for_dags(self, *dag_ids: str, timeout: float = 300) -> None:
        """Wait until Airflow knows these DAGs.

        :raises PartError: with the traceback, if a DAG file fails to import
        """

        def known() -> bool:
            if errors := self.get("/importErrors")["import_errors"]:
                raise PartError(
                    "\n".join(f"{error['filename']}: {error['stack_trace']}" for error in errors)
                )
            return set(dag_ids) <= {dag["dag_id"] for dag in self.get("/dags", limit=100)["dags"]}

        wait_for(f"the DAGs {', '.join(dag_ids)}", known, timeout=timeout, interval=0.5)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.request("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(
        self, dag_id: str, *, logical_date: str | None = None, conf: dict[str, Any] | None = None
    ) -> str:
        """Start a manual run and return its run id.

        :param logical_date: ISO 8601 with an offset, or None
        """
        body = {"logical_date": logical_date, "conf": conf or {}}
        run: dict[str, str] = self.request("POST", f"/dags/{dag_id}/dagRuns", json=body)
        return run["dag_run_id"]

    def clear(self, dag_id: str, run_id: str) -> None:
        """Let a run that has ended run again."""
        body = {"dry_run": False, "only_failed": False}
        self.request("POST", f"{_run(dag_id, run_id)}/clear", json=body)

    def backfill(self, dag_id: str, from_date: str, to_date: str, **options: Any) -> int:
        """Create a backfill and return its id.

        :param from_date: first logical date, ISO 8601 with an offset
        :param to_date: last logical date, which is included
        :param options: further fields of the request, such as ``max_active_runs`` or
            ``reprocess_behavior``
        """
        body = {"dag_id": dag_id, "from_date": from_date, "to_date": to_date, **options}
        created: dict[str, int] = self.request("POST", "/backfills", json=body)
        return created["id"]

    def wait_for_backfill(self, backfill_id: int, timeout: float = 600) -> None:
        """Wait until every run of a backfill has ended, in whatever state."""
        wait_for(
            f"the backfill {backfill_id} to end",
            lambda: self.get(f"/backfills/{backfill_id}")["completed_at"] is not None,
            timeout=timeout,
            interval=0.5,
        )

    def runs(self, dag_id: str, **params: Any) -> list[dict[str, Any]]:
        """Return up to 100 runs of a DAG, the oldest first."""
        found: list[dict[str, Any]] = self.get(
            f"/dags/{dag_id}/dagRuns", **{"limit": 100, "order_by": "run_after", **params}
        )["dag_runs"]
        return found

    def manifests(self) -> dict[str, list[dict[str, Any]]]:
        """Return the manifests in the events of each asset, in the order of time."""
        found: dict[str, list[dict[str, Any]]] = {}
        events = self.get("/assets/events", order_by="timestamp", limit=100)["asset_events"]
        for event in events:
            if "voiso" in event["extra"]:
                found.setdefault(event["uri"], []).append(event["extra"]["voiso"])
        return found

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of one run."""
        found: list[dict[str, Any]] = self.get(f"{_run(dag_id, run_id)}/taskInstances", limit=100)[
            "task_instances"
        ]
        return found

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return the value of one XCom of an unmapped task."""
        return self.get(f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}")[
            "value"
        ]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the log of one try of a task: messages and errors, each on a line."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        lines = []
        for message in self.get(path, full_content=True)["content"]:
            lines.append(str(message.get("event")))
            lines += [
                f"{error['exc_type']}: {error['exc_value']}"
                for error in message.get("error_detail", [])
            ]
        return "\n".join(lines)

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 600) -> str:
        """Wait until a run has ended and return its state, ``success`` or ``failed``."""

        def state() -> str | None:
            found: str = self.get(_run(dag_id, run_id))["state"]
            return found if found in FINAL_STATES else None

        return wait_for(
            f"the run {run_id} of {dag_id} to end", state, timeout=timeout, interval=0.5
        )


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
