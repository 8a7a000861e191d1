"""What the proof on two Celery workers stands on."""

from __future__ import annotations

import shutil
import socket
from collections import Counter
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.celery_stack import Redis
from demo.two_workers import is_fair
from tests.servers.process import LOOPBACK, PartError, is_free

if TYPE_CHECKING:
    from pathlib import Path

S3, SQL = "voiso_cdr_to_s3_daily", "voiso_cdr_to_sql_daily"


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_redis_listens_on_loopback_only(tmp_path: Path) -> None:
    with Redis(tmp_path) as redis:
        listening = {
            connection.laddr.ip
            for connection in psutil.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == redis.port
        }
        assert listening == {LOOPBACK}
        with socket.create_connection((LOOPBACK, redis.port)) as client:
            client.sendall(b"SET a b\r\n")
            assert client.recv(16) == b"+OK\r\n"
    assert is_free(redis.port)
    assert [path.name for path in tmp_path.iterdir()] == ["redis.log"]


def test_missing_redis_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartError, match="redis-server is missing: apt-get install redis-server"):
        Redis(tmp_path)


@pytest.mark.parametrize(
    ("found", "fair"),
    [
        ({("w1", S3): 30, ("w2", S3): 30, ("w1", SQL): 15, ("w2", SQL): 45}, True),
        ({("w1", S3): 30, ("w2", S3): 30, ("w1", SQL): 14, ("w2", SQL): 46}, False),
        ({("w1", S3): 30, ("w2", S3): 30, ("w1", SQL): 60}, False),
        (
            {("w1", S3): 30, ("w2", S3): 30, ("w1", SQL): 30, ("w2", SQL): 29, ("host", SQL): 1},
            False,
        ),
        ({}, False),
    ],
)
def test_fair_spread_needs_a_quarter(found: dict[tuple[str, str], int], fair: bool) -> None:
    assert is_fair(Counter(found)) is fair
