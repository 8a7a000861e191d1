"""Every Python block of the README and the pages runs, DAGs by Airflow, against real servers."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_voiso.simulator import Simulator
from tests.docs.pages import ROOT, Block, blocks
from tests.servers.process import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.s3 import SeaweedS3

pytestmark = [pytest.mark.whole_airflow, pytest.mark.xdist_group("airflow")]

PYTHON = blocks("python")
DAGS = [block for block in PYTHON if re.search(r"^with DAG\(", block.code, re.MULTILINE)]
TESTS = [block for block in PYTHON if re.search(r"^def test_", block.code, re.MULTILINE)]
OTHERS = [block for block in PYTHON if block not in {*DAGS, *TESTS}]

PLUGINS = "pytest_plugins ="
"""What a block of a ``conftest.py`` holds; the tests of the same page need it."""

NEEDS = re.compile(r"# Airflow (\d+)\.(\d+) and later\n")
"""The first line of a block that needs a newer Airflow than the oldest one."""

LOGICAL = "2026-03-05"
START, END = (datetime(2026, 3, day, tzinfo=timezone.utc) for day in (4, 5))
CONF = {"from": START.isoformat(), "to": END.isoformat()}

RUN_DAGS = """
import json, sys, traceback
from airflow.__main__ import main

def run(*arguments):
    sys.argv = ["airflow", *arguments]
    main()

run("db", "migrate")
run("dags", "reserialize")
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag()
found = {"errors": bag.import_errors, "failed": [], "dags": {}}
for dag in bag.dags.values():
    found["dags"][dag.dag_id] = dag.fileloc
    try:
        run("dags", "test", dag.dag_id, sys.argv_date, "--conf", sys.argv_conf)
    except BaseException:
        traceback.print_exc()
        found["failed"].append(dag.dag_id)
with open(sys.argv_out, "w") as file:
    json.dump(found, file)
"""


class World:
    """A Voiso, a bucket and a table that the snippets of all pages share, and what came of them.

    :param env: the connections that the pages name
    """

    def __init__(self, voiso: Simulator, s3: SeaweedS3, home: Path) -> None:
        self.voiso = voiso
        self.s3 = s3.with_bucket("my-lake")
        self.warehouse = home / "warehouse.db"
        self.home = home
        self.env = {
            "AIRFLOW_CONN_VOISO_DEFAULT": json.dumps(
                {"conn_type": "voiso", "host": voiso.url, "password": voiso.key}
            ),
            "AIRFLOW_CONN_AWS_DEFAULT": s3.connection(),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(self.warehouse)}
            ),
        }

    def run_dags(self) -> dict[str, Any]:
        """Let Airflow parse all DAGs and run each once."""
        dags = self.home / "dags"
        dags.mkdir()
        for block in DAGS:
            (dags / f"{block.module}.py").write_text(block.code)
        out = self.home / "found.json"
        variables = {"argv_date": LOGICAL, "argv_conf": json.dumps(CONF), "argv_out": str(out)}
        setting = "\n".join(f"sys.{name} = {value!r}" for name, value in variables.items())
        done = subprocess.run(
            [sys.executable, "-c", f"import sys\n{setting}\n{RUN_DAGS}"],
            env=clean_environment(
                {
                    **self.env,
                    "AIRFLOW_HOME": str(self.home),
                    "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
                    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                    "PYTHONPATH": str(ROOT),
                }
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr[-5000:]
        found: dict[str, Any] = json.loads(out.read_text())
        found["log"] = done.stdout + done.stderr
        return found


@pytest.fixture(scope="module")
def world(s3_server: SeaweedS3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Simulator(records_per_day=500) as voiso:
        yield World(voiso, s3_server, tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def ran(world: World) -> dict[str, Any]:
    """Return what Airflow found in the DAGs and what failed."""
    return world.run_dags()


@pytest.mark.parametrize("block", DAGS, ids=lambda block: block.place)
def test_dag_of_a_page_succeeds(ran: dict[str, Any], block: Block) -> None:
    own = [dag_id for dag_id, file in ran["dags"].items() if Path(file).stem == block.module]

    assert ran["errors"] == {}
    assert own
    assert [dag_id for dag_id in own if dag_id in ran["failed"]] == [], ran["log"][-20_000:]


def test_dags_export_the_day(ran: dict[str, Any], world: World) -> None:
    assert ran["failed"] == []

    with closing(sqlite3.connect(world.warehouse)) as connection:
        rows = connection.execute("SELECT uuid FROM cdr").fetchall()

    assert {uuid for (uuid,) in rows} == world.voiso.truth(START, END).keys()
    assert any("dt=2026-03-04" in key for key in world.s3.objects())


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("block", OTHERS, ids=lambda block: block.place)
def test_code_of_a_page_runs(block: Block, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    if needed := NEEDS.match(block.code):
        have = tuple(map(int, airflow_version.split(".")[:2]))
        if have < (int(needed[1]), int(needed[2])):
            pytest.skip(needed[0])
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)

    exec(compile(block.code, block.place, "exec"), {"__name__": block.module})  # noqa: S102


@pytest.mark.parametrize("block", TESTS, ids=lambda block: block.place)
def test_test_of_a_page_passes(block: Block, tmp_path: Path) -> None:
    file = tmp_path / f"test_{block.module}.py"
    file.write_text(block.code)
    plugins = [other.code for other in OTHERS if other.page == block.page and PLUGINS in other.code]
    (tmp_path / "conftest.py").write_text("".join(plugins))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
