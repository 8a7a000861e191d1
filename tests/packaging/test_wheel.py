"""What is published: the wheel that `make dist` builds from the source distribution."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_voiso"
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="build is in the development environment alone")
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(directory)]
    done = subprocess.run(
        [*command, str(ROOT)], capture_output=True, text=True, check=False, cwd=directory
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.mark.xdist_group("dist")
def test_wheel_holds_the_package_alone(dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    information = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    assert names == sources | {f"{information}/{name}" for name in METADATA}
    assert {path.suffix for path in map(Path, sources)} >= {".py", ".typed", ".html", ".js", ".css"}


@pytest.mark.xdist_group("dist")
def test_source_distribution_can_be_developed(dist: Path) -> None:
    [source] = dist.glob("*.tar.gz")

    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    needed = {"Makefile", ".ci/run", "CONTRIBUTING.md", "tests/conftest.py", "docs/architecture.md"}
    assert needed <= names
    assert not [name for name in names if "__pycache__" in name or ".venv" in name]
