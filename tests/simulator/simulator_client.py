"""The least client that can ask the simulator; it follows the vendor's page word by word."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.simulator import Simulator

UTC = timezone.utc
CDR = "/api/v2/cdr"
DAY = {"start_date": "2024-05-01", "end_date": "2024-05-01"}
START, END = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC)


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def uuids(self) -> list[str]:
        return [record["uuid"] for record in self.json["records"]]


def connect(simulator: Simulator) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=120)


def send(
    simulator: Simulator,
    path: str = CDR,
    params: Mapping[str, object] | None = None,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Got:
    connection = connect(simulator)
    try:
        target = f"{path}?{urlencode(params)}" if params else path
        connection.request(method, target, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return Got(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def ask(simulator: Simulator, **params: object) -> Got:
    return send(simulator, CDR, {"key": simulator.key, **params})


def walk(simulator: Simulator, **params: object) -> list[Got]:
    """Repeat the request with page 1 and the newest token until there is none."""
    answers = [ask(simulator, page=1, **params)]
    while token := answers[-1].json.get("search_token"):
        answers.append(ask(simulator, page=1, search_token=token, **params))
        assert len(answers) < 200, "the search does not end"
    return answers


def all_uuids(answers: list[Got]) -> list[str]:
    return [uuid for answer in answers for uuid in answer.uuids]


def newest_first(records: Mapping[str, bytes]) -> list[str]:
    """The order of the answers by default: by time, and by uuid where the time is the same."""
    newest = sorted(
        (json.loads(raw) for raw in records.values()), key=lambda record: str(record["uuid"])
    )
    newest.sort(key=lambda record: str(record["timestamp"]), reverse=True)
    return [record["uuid"] for record in newest]


def truth(simulator: Simulator, filters: Mapping[str, object] | None = None) -> dict[str, bytes]:
    return simulator.truth(START, END, filters)


def command_line(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_voiso.simulator", *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
