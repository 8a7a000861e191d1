from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.servers.process import clean_environment

ROOT = Path(__file__).parents[2]
CONFTEST = 'pytest_plugins = ["airflow_provider_voiso.simulator.fixtures"]\n'
TESTS = """
import os
import socket
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_voiso import VoisoHook, VoisoPermissionError

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
END = START + timedelta(hours=6)
URLS = []


def test_window_is_read_whole(voiso_simulator):
    URLS.append(voiso_simulator.url)

    uuids = [record["uuid"] for record in VoisoHook().iter_cdrs(START, END)]

    assert len(uuids) > 100
    assert sorted(uuids) == sorted(voiso_simulator.truth(START, END))


def test_fault_reaches_the_hook(voiso_simulator):
    voiso_simulator.faults.add("status", status=403)

    with pytest.raises(VoisoPermissionError):
        list(VoisoHook().iter_cdrs(START, END))


def test_other_simulator_is_closed():
    assert "AIRFLOW_CONN_VOISO_DEFAULT" not in os.environ
    port = int(URLS[0].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
"""


def test_fixture_works_in_an_empty_project(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_calls.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    home = {"AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."],
        cwd=tmp_path,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
