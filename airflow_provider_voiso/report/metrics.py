"""What an export adds to Airflow's metrics."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.report.manifest import Manifest


class Metrics:
    """The metrics of one export, all of them named ``voiso.cdr.*``.

    :param context: the task's context, which names DAG and task
    :param destination: kind of destination, such as ``s3``
    """

    def __init__(self, context: Mapping[str, Any], destination: str) -> None:
        task = getattr(context.get("ti"), "stats_tags", {})
        self._tags: dict[str, str] = {**task, "destination": destination}

    @contextmanager
    def reading(self, client: CdrClient) -> Iterator[None]:
        """Time a read, and count its requests and retries, whether it fails or not."""
        requests, retries = client.requests, client.retries
        try:
            with self._timed("read_duration"):
                yield
        finally:
            self._count("requests", client.requests - requests)
            self._count("retries", client.retries - retries)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Time a write, whether it fails or not."""
        with self._timed("write_duration"):
            yield

    def exported(self, manifest: Manifest) -> None:
        """Count what an export that succeeded has written."""
        self._count("records", manifest.records)
        self._count("bytes", manifest.bytes)

    def _count(self, name: str, count: int) -> None:
        Stats.incr(f"voiso.cdr.{name}", count, tags=self._tags)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            passed = timedelta(seconds=time.monotonic() - began)
            Stats.timing(f"voiso.cdr.{name}", passed, tags=self._tags)
