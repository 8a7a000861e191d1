"""Every command that the README and the pages name exists, with the options that they give it."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
from typing import TYPE_CHECKING

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_voiso.simulator.__main__ import _parser as simulator_parser
from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHELL = blocks("bash")
MAKEFILE = (ROOT / "Makefile").read_text()
MAKE = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
PYPROJECT = (ROOT / "pyproject.toml").read_text()
ON_AIRFLOW_2 = airflow_version.startswith("2.")


def commands(block: Block) -> list[list[str]]:
    """Return the commands of a block, each as its words."""
    text = block.code.replace("\\\n", " ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set(";&|\n"):
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


def check_make(words: list[str]) -> None:
    assert {word for word in words if "=" not in word} <= {*MAKE}


def check_airflow(words: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 - slow

    if ON_AIRFLOW_2 and words[0] == "backfill":
        pytest.skip("The command is of Airflow 3.")
    get_parser().parse_args(words)


def check_pip(words: list[str]) -> None:
    assert words[0] == "install"
    for extras in re.findall(r"airflow-provider-voiso\[([\w,]+)\]", " ".join(words)):
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", PYPROJECT, re.MULTILINE), extra


def check_python(words: list[str]) -> None:
    assert words[0] == "-m"
    assert importlib.util.find_spec(words[1])
    if words[1] == "airflow_provider_voiso.simulator":
        simulator_parser().parse_args(words[2:])


def check_export(words: list[str]) -> None:
    assert all(re.match(r"[A-Z_]+=", word) for word in words)


def check_docker(words: list[str]) -> None:
    assert words[0] == "compose"
    if words[1] == "exec":
        assert re.search(
            rf"^  {words[2]}:$", (ROOT / "docker-compose.yaml").read_text(), re.MULTILINE
        )
        check(words[3:])


def check_git(words: list[str]) -> None:
    assert words[0] == "clone"


def check_cd(words: list[str]) -> None:
    assert len(words) == 1


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "airflow": check_airflow,
    "cd": check_cd,
    "docker": check_docker,
    "export": check_export,
    "git": check_git,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
}


def check(words: list[str]) -> None:
    """Refuse a command that is not known, or that does not know its arguments."""
    assert words[0] in CHECKS, f"How to check {words[0]!r} is not known."
    CHECKS[words[0]](words[1:])


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_commands_of_a_block_exist(block: Block) -> None:
    assert commands(block)
    for words in commands(block):
        check(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    named = re.findall(r"`make ([a-z]+)", page.read_text())

    assert {*named} <= {*MAKE}


def test_development_page_lists_targets() -> None:
    page = (DOCS / "development.md").read_text()
    described = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)

    assert {name for name in described if f"`make {name}`" not in page} <= {"help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_airflow_commands_exist(page: Path) -> None:
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 - slow

    named = re.findall(r"`airflow ([^`]+)`", page.read_text())
    for command in named:
        parser: argparse.ArgumentParser = get_parser()
        for word in shlex.split(command):
            if word.startswith("-") or command.startswith(old_or_new()):
                break
            groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
            if not groups:
                break
            assert word in groups[0].choices, command
            parser = groups[0].choices[word]


def old_or_new() -> str:
    """Return the command for backfills that this Airflow does not have."""
    return "backfill" if ON_AIRFLOW_2 else "dags backfill"


def test_both_kinds_of_blocks_are_found() -> None:
    assert len(SHELL) > 5
    assert len(blocks("python")) > 5
