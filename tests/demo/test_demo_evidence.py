"""The demo calls a day equal only when it is."""

from __future__ import annotations

import gzip
import json
import sqlite3
from datetime import date
from typing import TYPE_CHECKING

import psycopg2
import pytest

from demo.evidence import (
    Coverage,
    Day,
    covered,
    uuids_in_postgres,
    uuids_in_s3,
    uuids_in_sqlite,
)
from tests.servers.postgres import Postgres
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("simulator", "s3", "sql", "equal"),
    [
        ({"a", "b"}, ["a", "b"], ["b", "a"], True),
        ({"a", "b"}, ["a"], ["a", "b"], False),
        ({"a", "b"}, ["a", "b"], ["b"], False),
        ({"a", "b"}, ["a", "b", "b"], ["a", "b"], False),
        ({"a", "b"}, ["a", "b"], ["a", "a"], False),
        ({"a"}, ["a", "c"], ["a"], False),
        (set(), [], [], False),
    ],
)
def test_equal_day_has_each_once(
    simulator: set[str], s3: list[str], sql: list[str], equal: bool
) -> None:
    assert Day(DAY, simulator, s3, sql).is_equal is equal


def test_s3_day_is_its_folder(tmp_path: Path) -> None:
    objects = {
        "voiso/cdr/dt=2026-11-22/first.ndjson.gz": ["a", "b"],
        "voiso/cdr/dt=2026-11-22/second.ndjson.gz": ["b"],
        "voiso/cdr/dt=2026-11-21/first.ndjson.gz": ["c"],
    }
    with SeaweedS3(tmp_path / "s3") as s3:
        client = s3.client()
        for key, uuids in objects.items():
            body = gzip.compress(
                b"".join(json.dumps({"uuid": uuid}).encode() + b"\n" for uuid in uuids)
            )
            client.put_object(Bucket=s3.bucket, Key=key, Body=body)
        assert sorted(uuids_in_s3(client, s3.bucket, DAY)) == ["a", "b", "b"]


def test_sqlite_day_is_in_utc(tmp_path: Path) -> None:
    database = tmp_path / "warehouse.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE voiso_cdr (uuid TEXT, ended_at TEXT)")
        rows = [
            ("a", "2026-11-22 00:00:00.000000"),
            ("b", "2026-11-22 23:59:59.999000"),
            ("c", "2026-11-23 00:00:00"),
        ]
        connection.executemany("INSERT INTO voiso_cdr VALUES (?, ?)", rows)
    connection.close()
    assert uuids_in_sqlite(database, "voiso_cdr", DAY) == ["a", "b"]


def test_postgres_day_is_in_utc(tmp_path: Path) -> None:
    with Postgres(tmp_path) as server:
        connection = psycopg2.connect(server.uri)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE voiso_cdr (uuid text, ended_at timestamptz)")
            rows = [
                ("a", "2026-11-22 00:00+00"),
                ("b", "2026-11-23 00:59+01"),
                ("c", "2026-11-22 00:30+01"),
            ]
            cursor.executemany("INSERT INTO voiso_cdr VALUES (%s, %s)", rows)
        connection.close()
        assert uuids_in_postgres(server.uri, "voiso_cdr", DAY) == ["a", "b"]


def test_holes_and_changes_are_found() -> None:
    events = [("2026-11-20", True), ("2026-11-22", True), ("2026-11-23", True)]
    events += [("2026-11-22", False), ("2026-11-23", True)]
    manifests = [
        {"window_start": f"{day}T00:00:00+00:00", "changed": changed} for day, changed in events
    ]

    assert covered(manifests) == Coverage(holes={date(2026, 11, 21)}, changed={date(2026, 11, 23)})
