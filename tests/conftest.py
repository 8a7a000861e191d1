"""Settings that must be in place before Airflow is imported anywhere, and the servers that tests
share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.servers.mariadb import Mariadb
    from tests.servers.postgres import Postgres
    from tests.servers.s3 import SeaweedS3

_HOME = "VOISO_TESTS_HOME"
_LOCK = ".lockfile"
"""Shared by all embedded PostgreSQLs of the machine, so that none of them can remove it."""
_OF_SERVERS = ("voiso-postgres-", "mariadb-")
"""Directories of servers, which may end a moment after pytest; they go with the directory above."""
_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def _make_home() -> Path:
    """Make a directory for all that the tests and their processes put into AIRFLOW_HOME and
    TMPDIR."""
    # Servers run as users of their own, who must be able to pass through it.
    home = Path(tempfile.mkdtemp(prefix="voiso-tests-"))
    temporary = home / "tmp"
    temporary.mkdir()
    for path in (home, temporary):
        path.chmod(0o755)
    os.environ.setdefault(
        "PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir()
    )  # what pytest keeps stays there
    os.environ.setdefault("AIRFLOW_HOME", str(home / "airflow"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    return home


# The processes of pytest-xdist share the directory of the one that started them.
if not _IS_WORKER:
    os.environ[_HOME] = str(_make_home())
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

# Speed is not tested: a busy machine must not fail a test. CI draws the same examples for the same
# code.
settings.register_profile(
    "voiso",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("voiso")

WORLDS = int(os.environ.get("WORLDS", "100"))
"""How many APIs the proofs draw; CI draws 300 and ``make prove`` thousands."""

ALL_FAULTS = "ALL_FAULTS" in os.environ
"""Whether every fault is tried at every position; ``make faults`` does."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves files in the temporary directory; remove them, and AIRFLOW_HOME, in
    any case."""
    if _IS_WORKER:
        return
    home = Path(os.environ[_HOME])
    names = {path.name for path in (home / "tmp").iterdir()} - {_LOCK}
    left = sorted(name for name in names if not name.startswith(_OF_SERVERS))
    shutil.rmtree(home, ignore_errors=True)
    if left:
        writer = session.config.get_terminal_writer()
        writer.line(f"\nLeft in the temporary directory: {', '.join(left)}", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    """Return an S3 server for all tests of one process."""
    from tests.servers.s3 import SeaweedS3  # noqa: PLC0415 - slow, and not every test needs a server

    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Return a PostgreSQL for all tests of one process."""
    from tests.servers.postgres import Postgres  # noqa: PLC0415 - slow, and not every test needs a server

    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Mariadb]:
    """Return a MariaDB for all tests of one process."""
    from tests.servers.mariadb import Mariadb, missing  # noqa: PLC0415 - not every test needs a server

    if reason := missing():
        pytest.skip(reason)
    with Mariadb() as server:
        yield server


# Not for the whole run: while Playwright runs, no other test of the process may start a loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium for all tests of one module."""
    from tests.servers.browser import chromium, missing  # noqa: PLC0415 - not every test needs one

    if reason := missing():
        pytest.skip(reason)
    with chromium() as running:
        yield running
