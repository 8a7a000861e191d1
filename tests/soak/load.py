"""Many exports in parallel against an API with a rate limit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_voiso.simulator import Simulator
from tests.soak.exports import S3_KEY, Export, days, order, run, s3_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_voiso.simulator import Request
    from tests.servers.s3 import SeaweedS3

HERD = 0.1
"""Seconds within which requests count as made together."""


@dataclass(frozen=True)
class Load:
    """What came of the exports.

    :param equal: how many days are in S3 as Voiso has them, line by line
    :param together: most requests that came within :data:`HERD` of one another, once the first had
        been refused
    """

    exports: Sequence[Export]
    equal: int
    seconds: float
    answered: int
    refused: int
    together: int


def load(
    home: Path, s3: SeaweedS3, *, exports: int, records_per_day: int, requests_per_second: float
) -> Load:
    """Export that many days at once, each in a process of its own and in several pages."""
    windows = days(exports)
    with Simulator(
        exact=True, records_per_day=records_per_day, requests_per_second=requests_per_second
    ) as voiso:
        truths = [list(voiso.truth(*window).values()) for window in windows]
        extra = {"per_page": records_per_day // 3}
        connections = {
            "aws_default": s3.connection(),
            "voiso_default": json.dumps(
                {"conn_type": "voiso", "host": voiso.url, "password": voiso.key, "extra": extra}
            ),
        }
        orders = [order("s3", window, s3_bucket=s3.bucket, s3_key=S3_KEY) for window in windows]
        done = run(home, connections, orders, together=True)
        requests = voiso.requests
    client = s3.client()
    equal = sum(
        s3_lines(client, s3.bucket, window) == truth
        for window, truth, export in zip(windows, truths, done, strict=True)
        if export.error is None
    )
    times = [request.at for request in requests]
    return Load(
        done,
        equal,
        seconds=max(times) - min(times),
        answered=sum(request.status == 200 for request in requests),
        refused=sum(request.status == 429 for request in requests),
        together=_together(requests),
    )


def _together(requests: Sequence[Request]) -> int:
    """Return how many requests came together after the first wave, which always does."""
    times = sorted(request.at for request in requests)
    later = [at for at in times if at > times[0] + 1]
    return max((sum(at <= other < at + HERD for other in later) for at in later), default=0)
