"""Command line of the simulator: ``python -m airflow_provider_voiso.simulator --help``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from dataclasses import fields
from datetime import datetime

from .drift import Drift
from .readings import Readings, choices
from .server import ready_line
from .simulator import DEMO_KEY, Simulator

_COMMAND_LINE_DEFAULTS = {"duplicates": 0.003}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_voiso.simulator",
        description="Serve a local Voiso CDR API until SIGTERM or SIGINT. Print one line of JSON "
        "with the url when ready. GET /_simulator/truth?start=..&end=.. returns the uuids of a "
        "window.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--port",
        type=int,
        default=0,
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="decides every record (default: %(default)s)")
    add(
        "--records-per-day",
        type=int,
        default=3000,
        help="average number of records a day (default: %(default)s)",
    )
    add("--exact", action="store_true", help="every UTC day has exactly --records-per-day records")
    add("--key", default=DEMO_KEY, help="key that sees everything (default: %(default)s)")
    add(
        "--team-key",
        action="append",
        default=[],
        metavar="KEY=1,2",
        help="key that sees only some teams' records",
    )
    add("--forbidden-key", action="append", default=[], metavar="KEY", help="key that gets a 403")
    add(
        "--now",
        type=datetime.fromisoformat,
        help="end of a search that names none, with offset (default: now)",
    )
    add("--latency", type=float, default=0.0, metavar="MS", help="milliseconds before each answer")
    add("--requests-per-second", type=float, help="answer 429 above this rate")
    add("--certificate", help="PEM certificate; turns on TLS")
    add("--private-key", help="PEM key of the certificate, if not in the same file")
    add(
        "--fault",
        action="append",
        default=[],
        type=json.loads,
        metavar="JSON",
        help="a fault as JSON, such as "
        '\'{"kind": "status", "status": 429, "times": 2}\'; repeatable',
    )
    _add_drift(parser.add_argument_group("records that differ between two looks"))
    _add_readings(parser.add_argument_group("readings of open points of the vendor's page"))
    return parser


def _add_drift(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--drift-appear", type=float, default=0.0, help="share of records that appear late")
    add("--drift-change", type=float, default=0.0, help="share of records that change")
    add("--drift-move", type=float, default=0.0, help="share of records whose timestamp moves")
    add(
        "--drift-move-seconds",
        type=_seconds,
        default=3600,
        metavar="SECONDS",
        help="distance: a number, or the lowest and the highest as in "
        "--drift-move-seconds=-60,86400 (default: %(default)s)",
    )
    add("--drift-leave", type=float, default=0.0, help="share of records that vanish")
    add(
        "--drift-steps",
        type=int,
        default=1,
        help="number of moments at which they differ (default: %(default)s)",
    )
    add(
        "--drift-after",
        type=int,
        help="number of answers before each step (default: wait for POST /_simulator/drift)",
    )


def _seconds(text: str) -> int | tuple[int, int]:
    low, comma, high = text.partition(",")
    return (int(low), int(high)) if comma else int(low)


def _team_key(text: str) -> tuple[str, list[int]]:
    key, _, ids = text.rpartition("=")
    return key, [int(team_id) for team_id in ids.split(",")]


def _add_readings(group: argparse._ArgumentGroup) -> None:
    kinds = {"cap": int, "per_page_cap": int, "duplicates": float}
    for item in fields(Readings):
        flag = "--" + item.name.replace("_", "-")
        default = _COMMAND_LINE_DEFAULTS.get(item.name, item.default)
        text = f"{item.metadata['help']} (default: {default})".replace("%", "%%")
        if isinstance(default, bool):
            group.add_argument(flag, action="store_true", help=text)
            continue
        allowed = choices().get(item.name)
        kind = type(allowed[0]) if allowed else kinds.get(item.name, str)
        group.add_argument(flag, type=kind, choices=allowed, default=default, help=text)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop.

    :param arguments: arguments of the command line, or None for those of the process
    """
    asked = _parser().parse_args(arguments)
    drift = Drift(
        appear=asked.drift_appear,
        change=asked.drift_change,
        move=asked.drift_move,
        move_seconds=asked.drift_move_seconds,
        leave=asked.drift_leave,
        steps=asked.drift_steps,
        after=asked.drift_after,
    )
    simulator = Simulator(
        seed=asked.seed,
        records_per_day=asked.records_per_day,
        exact=asked.exact,
        readings=Readings(**{item.name: getattr(asked, item.name) for item in fields(Readings)}),
        drift=drift if drift.appear or drift.change or drift.move or drift.leave else None,
        key=asked.key,
        team_keys=dict(_team_key(text) for text in asked.team_key),
        forbidden_keys=asked.forbidden_key,
        now=asked.now,
        latency=asked.latency / 1000,
        requests_per_second=asked.requests_per_second,
        host=asked.host,
        port=asked.port,
        certificate=asked.certificate,
        private_key=asked.private_key,
    )
    for fault in asked.fault:
        simulator.faults.add(**fault)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with simulator:
        sys.stdout.write(ready_line(simulator.url) + "\n")
        sys.stdout.flush()
        done.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
