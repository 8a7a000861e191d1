"""Many exports in parallel, and many in sequence; ``make soak`` does more of both."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.s3 import SeaweedS3
from tests.soak.backfill import backfill
from tests.soak.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("soak")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("soak") / "s3") as server:
        yield server


def test_exports_share_a_limited_api(s3: SeaweedS3, tmp_path: Path) -> None:
    found = load(tmp_path, s3, exports=8, records_per_day=300, requests_per_second=6)
    assert [export.error for export in found.exports] == [None] * 8
    assert found.equal == 8
    assert found.refused
    pauses = [pause for export in found.exports for pause in export.pauses]
    assert len(pauses) == found.refused
    assert min(pauses) >= 1, "the API asks for a second"


def test_backfill_memory_does_not_grow(s3: SeaweedS3, tmp_path: Path) -> None:
    file = tmp_path / "warehouse.db"

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute(statement).fetchall()

    sqlite = json.dumps({"conn_type": "sqlite", "host": str(file)})
    found = backfill(tmp_path, s3, sql=sqlite, execute=execute, count=6, records_per_day=2_000)
    assert [export.error for export in found.exports] == [None] * 12
    assert (found.equal_in_s3, found.equal_in_sql) == (6, 6)
    settled, last = found.exports[5], found.exports[-1]
    assert last.files <= settled.files
    assert last.threads <= settled.threads
    assert last.peak - settled.peak < 10 << 20
    assert last.temp_files == []
