"""A run of the tests leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(file: Path) -> subprocess.CompletedProcess[str]:
    """Run one test file as the suite would, without the settings of this run."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "VOISO", "AIRFLOW"))
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-c",
        str(ROOT / "pyproject.toml"),
        str(file),
    ]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("statement", "code"),
    [("pass", 0), ("tempfile.mkdtemp(prefix='forgotten-')", 1)],
    ids=["clean", "forgotten"],
)
def test_forgotten_files_fail_a_run(statement: str, code: int, tmp_path: Path) -> None:
    file = tmp_path / "test_sample.py"
    file.write_text(f"import tempfile\n\ndef test_one():\n    {statement}\n")

    done = run(file)

    assert done.returncode == code, done.stdout
    assert ("Left in the temporary directory: forgotten-" in done.stdout) is bool(code)
    assert list(Path(os.environ["TMPDIR"]).glob("voiso-tests-*")) == []
