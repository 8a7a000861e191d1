"""The commands of the Makefile."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.defpath, "HOME": os.environ.get("HOME", "/")}
    command = ["make", "--file", str(ROOT / "Makefile"), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def commands() -> list[str]:
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    found = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert found
    return found.group(1).split()


def test_help_lists_every_command() -> None:
    listed = re.findall(r"^make (\S+) +\S", make("help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(commands())


def test_make_alone_shows_help() -> None:
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize("command", commands())
def test_commands_run_from_fresh_clone(command: str, tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    for name in (
        "requirements-dev.txt",
        "requirements-overrides.txt",
        "pyproject.toml",
        "benchmarks/requirements.txt",
    ):
        (tmp_path / name).touch()
    planned = make("--dry-run", command, cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr


def test_old_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("requirements-dev.txt", "requirements-overrides.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    refused = make("env", f"PYTHON={old}", cwd=tmp_path)
    assert refused.returncode != 0
    assert "Python 3.10 to 3.14 is needed: make PYTHON=" in refused.stderr
    assert not (tmp_path / ".venv").exists()
