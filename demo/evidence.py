"""What the destinations hold, read without this package and without Airflow."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

PREFIX = "voiso/cdr"


class Day(NamedTuple):
    """The uuids of one UTC day in the three places; lists, so that a record held twice shows."""

    date: date
    simulator: set[str]
    s3: list[str]
    sql: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether both destinations hold each record of the day once and nothing else."""
        expected = sorted(self.simulator)
        return bool(expected) and sorted(self.s3) == expected and sorted(self.sql) == expected


def uuids_in_s3(client: Any, bucket: str, day: date) -> list[str]:
    """Return the uuid of every line of every gzipped object in the day's folder.

    :param client: a boto3 client
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{PREFIX}/dt={day}/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    found = []
    for key in keys:
        lines = gzip.decompress(client.get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines()
        found += [json.loads(line)["uuid"] for line in lines]
    return found


def uuids_in_sqlite(database: Path, table: str, day: date) -> list[str]:
    """Return the uuid of every row whose ``ended_at``, stored in UTC, is on the day."""
    query = f"SELECT uuid FROM {table} WHERE substr(ended_at, 1, 10) = ?"  # noqa: S608  # our own constant
    with closing(sqlite3.connect(database)) as connection:
        return [uuid for (uuid,) in connection.execute(query, [day.isoformat()])]
