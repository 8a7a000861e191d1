"""Kill exports at random moments, and write docs/kills.md: ``python -m tests.kills --help``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import airflow

from tests.kills.killing import Kill, kills
from tests.kills.parts import parts
from tests.kills.worker import SIGNALS
from tests.servers.process import PartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.kills.worker import Worker

DOCUMENT = Path(__file__).parents[2] / "docs" / "kills.md"
START = "<!-- result of make kills -->\n"
END = "<!-- end of the result -->\n"


def main() -> int:
    """Kill, tell and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument(
        "--kills", type=int, default=20, help="kills per destination (default: %(default)s)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="tasks at once (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=int.from_bytes(os.urandom(3), "big"), help="of the moments"
    )
    parser.add_argument("--write", action="store_true", help="write the result to docs/kills.md")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="voiso-kills-") as home,
        parts(Path(home), asked.workers) as found,
    ):
        destinations, workers = found
        idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers:
            idle.put(worker)
        numbers: Counter[str] = Counter()
        lock = threading.Lock()

        def kill(name: str) -> list[Kill]:
            worker = idle.get()

            def tell(kill: Kill) -> None:
                with lock:
                    numbers[name] += 1
                    print(
                        f"{name} {numbers[name]}: {kill.signal} while {kill.phase}, left "
                        f"{kill.left}",
                        flush=True,
                    )
                    for problem in kill.problems:
                        print(f"    PROBLEM {problem}", flush=True)

            try:
                return kills(destinations[name], worker, asked.kills, asked.seed, tell)
            finally:
                idle.put(worker)

        with ThreadPoolExecutor(len(workers)) as pool:
            results = dict(zip(destinations, pool.map(kill, destinations), strict=True))
    text = render(results, asked.seed, time.monotonic() - started)
    print(text)
    if asked.write:
        before, _, rest = DOCUMENT.read_text().partition(START)
        DOCUMENT.write_text(before + START + text + END + rest.partition(END)[2])
    return any(kill.problems for done in results.values() for kill in done)


def render(results: Mapping[str, Sequence[Kill]], seed: int, seconds: float) -> str:
    """Return the result as Markdown."""
    machine = f"{os.cpu_count()} cores ({platform.system()} {platform.machine()})"
    lines = [
        (
            f"{datetime.now(timezone.utc):%Y-%m-%d}, Airflow {airflow.__version__}, Python "
            f"{platform.python_version()}, "
        ),
        f"{machine}, seed {seed}, {seconds / 60:.0f} minutes.\n\n",
        (
            "| destination | SIGTERM | SIGKILL | old state kept | new state reached | longest from "
            "SIGTERM to the end "
        ),
        (
            "| lost | doubled | leftovers | other problems "
            "|\n|---|---|---|---|---|---|---|---|---|---|\n"
        ),
    ]
    for name, done in results.items():
        signals = Counter(kill.signal for kill in done)
        left = Counter(kill.left for kill in done)
        longest = max((kill.seconds_to_end for kill in done if kill.signal == "SIGTERM"), default=0)
        lost, doubled = sum(kill.lost for kill in done), sum(kill.doubled for kill in done)
        leftovers = sum(len(kill.leftovers) for kill in done)
        problems = sum(len(kill.problems) for kill in done) - leftovers
        survived = (
            *(signals[each] for each in SIGNALS),
            left["old"],
            left["new"],
            f"{longest:.1f} s",
        )
        lines.append(
            f"| {' | '.join(map(str, (name, *survived, lost, doubled, leftovers, problems)))} |\n"
        )
    lines.append("\nWhere they hit (SIGTERM + SIGKILL):\n\n")
    lines.append(f"| while | {' | '.join(results)} |\n|---|{'---|' * len(results)}\n")
    phases = {
        name: Counter((kill.phase, kill.signal) for kill in done) for name, done in results.items()
    }
    totals = Counter(kill.phase for done in results.values() for kill in done)
    for phase, _ in totals.most_common():
        hits = [
            " + ".join(str(phases[name][phase, signal]) for signal in SIGNALS) for name in results
        ]
        lines.append(
            f"| {phase} | {' | '.join('' if cell == '0 + 0' else cell for cell in hits)} |\n"
        )
    return "".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartError as error:
        sys.exit(str(error))
