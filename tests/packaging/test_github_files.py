"""Workflows and forms of the repository, as far as they can be tried without GitHub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = [
    path for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"
]
DOCUMENTS = [ROOT / "CONTRIBUTING.md", GITHUB / "PULL_REQUEST_TEMPLATE.md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
TITLE = {"name", "description", "body"}
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def name_of(path: Path) -> str:
    return path.name


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def assert_commands_exist(text: str) -> None:
    for target in re.findall(r"\bmake ([a-z-]+)", text):
        assert target in TARGETS, target
    for script in re.findall(r"(?<![\w/])\.ci/[a-z-]+", text):
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_workflows_run_existing_commands(workflow: Path) -> None:
    commands = [step["run"] for step in steps(workflow) if "run" in step]

    assert any("make " in command for command in commands)
    for command in commands:
        assert_commands_exist(command)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    actions = [step["uses"] for step in steps(workflow) if "uses" in step]

    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


def test_only_publishing_may_identify_itself() -> None:
    granted = {
        (path.name, name)
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
        if "write" in (job.get("permissions") or {}).values()
    }

    assert granted == {("release.yml", "publish")}


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_forms_ask_for_the_manifest(form: Path) -> None:
    content = yaml.safe_load(form.read_text())

    assert content.keys() >= TITLE
    assert {field["type"] for field in content["body"]} <= KINDS
    asked = [field["id"] for field in content["body"] if field["type"] != "markdown"]
    assert "manifest" in asked
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_forms_refuse_keys_and_records(form: Path) -> None:
    first, *others = yaml.safe_load(form.read_text())["body"]

    assert re.search(r"Never post an API key.*record", first["attributes"]["value"])
    labels = " ".join(field["attributes"].get("label", "") for field in others).lower()
    assert "key" not in labels
    assert "record" not in labels


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_documents_name_existing_commands(document: Path) -> None:
    assert_commands_exist(document.read_text())


def test_recipes_name_existing_files() -> None:
    recipes = (ROOT / "CONTRIBUTING.md").read_text().partition("## Six errands")[2]
    paths = re.findall(r"`((?:\.?[\w-]+/)+(?:[\w.-]+\.\w+)?)`", recipes.partition("## Code")[0])

    assert recipes.count("\n### ") == 6
    assert len(paths) > 20
    for path in paths:
        places = (ROOT / path, ROOT / "airflow_provider_voiso" / path)
        assert any(place.exists() for place in places) or path == "v2/", path


def test_pre_commit_calls_installed_tools() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    [repository] = config["repos"]
    pinned = (ROOT / "requirements-dev.txt").read_text()

    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        tool = hook["entry"].split()[0].rpartition("/")[2].replace("lint-imports", "import-linter")
        assert re.search(rf"^{tool}==", pinned, re.MULTILINE), tool
