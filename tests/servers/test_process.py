"""Servers end with the process that holds them, however it ends; ports are free when taken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers import process
from tests.servers.process import LOOPBACK, PartError, Server, free_ports, is_free, wait_for

ROOT = Path(__file__).parents[2]
FEW_PORTS = range(31_000, 31_008)  # nothing else uses them

# A server with a child that leaves its process group, as the tasks of Airflow do; each tells its
# pid.
FAMILY = """
import os, pathlib, signal, socket, subprocess, sys, time
directory, port, *flags = sys.argv[1:]
if "stubborn" in flags:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "child" not in flags:
    subprocess.Popen([sys.executable, __file__, directory, port, *flags, "child"])
    listener = socket.create_server(("127.0.0.1", int(port)))
else:
    os.setpgid(0, 0)
pathlib.Path(directory, f"{os.getpid()}.pid").touch()
print("the family is up", flush=True)
time.sleep(600)
"""


def pids(directory: Path) -> set[int]:
    return {int(path.stem) for path in directory.glob("*.pid")}


def family(directory: Path, port: int, *flags: str, grace: float = 15) -> Server:
    script = directory / "family.py"
    script.write_text(FAMILY)
    return Server(
        "family",
        [sys.executable, str(script), str(directory), str(port), *flags],
        logs=directory,
        ready=lambda: len(pids(directory)) == 2,
        grace=grace,
        timeout=120,
    )


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def nothing_left(directory: Path, port: int) -> bool:
    return not any(is_running(pid) for pid in pids(directory)) and is_free(port)


@pytest.mark.parametrize("flags", [(), ("stubborn",)], ids=["obedient", "ignores SIGTERM"])
def test_stopped_server_leaves_nothing_behind(flags: tuple[str, ...], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with family(tmp_path, port, *flags, grace=0.5):
        assert all(is_running(pid) for pid in pids(tmp_path))
        assert not is_free(port)
    assert len(pids(tmp_path)) == 2
    assert nothing_left(tmp_path, port)


@pytest.mark.parametrize("last_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_server_ends_with_its_holder(last_signal: signal.Signals, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    # A shell's background jobs ignore SIGINT, and so would the holder.
    holder = f"""
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(ROOT)!r})
from tests.servers.test_process import family
with family(Path({str(tmp_path)!r}), {port}):
    Path({str(tmp_path)!r}, "holds").touch()
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", holder], stderr=subprocess.DEVNULL) as held:
        wait_for("the holder", (tmp_path / "holds").exists, timeout=120)
        held.send_signal(last_signal)
    wait_for("the family to end", lambda: nothing_left(tmp_path, port), timeout=120)


def test_server_can_start_again(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    server = family(tmp_path, port)
    with server:
        first = pids(tmp_path)
        server.stop()
        for path in tmp_path.glob("*.pid"):
            path.unlink()
        server.start()
        server.wait_ready()
        assert not pids(tmp_path) & first
    assert nothing_left(tmp_path, port)
    assert server.log.read_text().count("the family is up") == 4


def test_dead_server_reports_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such volume')"]
    with (
        pytest.raises(PartError, match=r"(?s)broken ended with exit code 1.*no such volume"),
        Server("broken", command, logs=tmp_path, ready=lambda: False),
    ):
        pytest.fail("it was entered")


def test_silent_server_is_ended(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    server = family(tmp_path, port)
    server.ready, server.timeout = lambda: False, 0.3
    with pytest.raises(PartError, match=r"0\.3 seconds in vain for family"), server:
        pytest.fail("it was entered")
    assert nothing_left(tmp_path, port)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_choose_different_ports(workers: int) -> None:
    shares = [process.ports_of(f"gw{number}", workers) for number in range(workers)]
    ports = [port for share in shares for port in share]
    assert len(set(ports)) == len(ports) > 9_900
    assert max(ports) + 10_000 < 32_768


@pytest.mark.xdist_group("few_ports")
@given(
    taken=st.sets(st.sampled_from(FEW_PORTS)),
    far=st.sets(st.sampled_from(FEW_PORTS)),
    count=st.integers(1, 8),
)
def test_free_ports_are_chosen_once(taken: set[int], far: set[int], count: int) -> None:
    distance = 1_000
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setattr(process, "PORTS", FEW_PORTS)
        for port in {*taken, *(port + distance for port in far)}:
            held.enter_context(closing(socket.create_server((LOOPBACK, port), reuse_port=False)))
        usable = set(FEW_PORTS) - taken - far
        if len(usable) < count:
            with pytest.raises(PartError, match=f"Fewer than {count} ports"):
                free_ports(count, partners=[distance])
            return
        chosen = free_ports(count, partners=[distance])
    assert len(set(chosen)) == count
    assert set(chosen) <= usable


@pytest.mark.xdist_group("few_ports")
def test_partners_are_no_ports_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    distance = 2
    monkeypatch.setattr(process, "PORTS", FEW_PORTS)
    for _ in range(20):
        chosen = free_ports(2, partners=[distance])
        assert len({*chosen, *(port + distance for port in chosen)}) == 4


def test_environment_omits_user_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "theirs")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("NO_PROXY", "intranet")
    env = process.clean_environment({"AIRFLOW_HOME": "ours"})
    assert {name: value for name, value in env.items() if name.startswith(("AIRFLOW", "AWS"))} == {
        "AIRFLOW_HOME": "ours"
    }
    assert env["NO_PROXY"].split(",") == ["intranet", "127.0.0.1", "localhost"]
    assert env["PATH"] == os.environ["PATH"]
