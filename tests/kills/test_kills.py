"""Exports killed at random moments leave the old state or the new one, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.world import on_airflow_3
from tests.servers.mariadb import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kills.destinations import Destination
    from tests.kills.worker import Worker

    Parts = tuple[dict[str, Destination], list[Worker]]

pytestmark = [on_airflow_3[0], pytest.mark.xdist_group("kills")]
SAMPLE = 4


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    from tests.kills.parts import parts  # noqa: PLC0415 - the older Airflow lacks its parts

    with parts(tmp_path_factory.mktemp("kills"), workers=1) as found:
        yield found


@pytest.mark.parametrize("name", ["S3", "PostgreSQL", "MariaDB", "SQLite", "DuckDB"])
def test_killed_export_is_atomic(started: Parts, name: str) -> None:
    from tests.kills.killing import kills  # noqa: PLC0415

    destinations, [worker] = started
    if name == "MariaDB" and (reason := missing()):
        pytest.skip(reason)
    seed = int.from_bytes(os.urandom(3), "big")
    done = kills(destinations[name], worker, SAMPLE, seed)
    assert [kill for kill in done if kill.problems] == [], f"seed {seed}"
    assert {kill.signal for kill in done} == {"SIGTERM", "SIGKILL"}
