"""Measures this package, its floors and its peers in turn; ``make bench`` runs it."""

from __future__ import annotations

import argparse
import fcntl
import json
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import GROUPS, LATENCY, MEMORY, ODD, RELOAD, Contestant, Group
from benchmarks.data import END, START, Day, Odd
from benchmarks.destinations import DESTINATIONS, Database, Destination
from benchmarks.measure import Measurement, SkipError, Task
from benchmarks.report import Results, Series, render
from tests.servers.process import LOOPBACK, Server, answers, clean_environment, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".bench"
DLT_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
_MEMORY_ROUNDS = 2
_WARM_UP_RECORDS = 1_000


class BenchApi(Server):
    """The benchmark's server of records, in a process of its own.

    :param directory: of the files with the records
    :param records: number of records of the day
    :param latency: seconds before each answer
    :param odd: which records hold an undocumented field
    :param logs: directory of its log
    """

    def __init__(
        self, directory: Path, records: int, latency: float = 0, odd: Odd = "none", *, logs: Path
    ) -> None:
        port = free_ports(1)[0]
        self.url = f"http://{LOOPBACK}:{port}"
        self.day = Day(directory, records, odd)
        options = {"records": records, "port": port, "latency": latency, "odd": odd}
        command = [sys.executable, "-m", "benchmarks.server", str(directory)]
        super().__init__(
            f"api-{records}-{latency:g}-{odd}",
            [*command, *(f"--{name}={value}" for name, value in options.items())],
            logs=logs,
            ready=lambda: answers(f"{self.url}/health"),
            env=clean_environment({"PYTHONPATH": str(ROOT)}),
        )


@dataclass
class Bench:
    """Servers, started when they are first needed, and runs against them.

    :param home: for files; removed before, but for the records
    :param stack: ends the servers
    """

    home: Path
    stack: ExitStack

    def __post_init__(self) -> None:
        self._late_imports: dict[str, list[str]] = {}
        self._apis: dict[tuple[int, float, Odd], BenchApi] = {}
        self._destinations: dict[str, Destination | SkipError] = {}

    def api(self, records: int, latency: float = 0, odd: Odd = "none") -> BenchApi:
        """Return the running server of a day with that number of records."""
        key = records, latency, odd
        if key not in self._apis:
            server = BenchApi(HOME / "records", records, latency, odd, logs=self.home / "logs")
            self._apis[key] = self.stack.enter_context(server)
        return self._apis[key]

    def destination(self, name: str) -> Destination:
        """Return the running destination.

        :raises SkipError: if what it needs is not installed
        """
        if name not in self._destinations:
            try:
                self._destinations[name] = DESTINATIONS[name](self.home, self.stack)
            except SkipError as reason:
                self._destinations[name] = reason
        found = self._destinations[name]
        if isinstance(found, SkipError):
            raise found
        return found

    def database(self, name: str) -> Database:
        """Return the running destination, which is a database.

        :raises SkipError: if what it needs is not installed
        """
        found = self.destination(name)
        if not isinstance(found, Database):
            raise TypeError(name)
        return found

    def run(
        self,
        contestant: Contestant,
        name: str,
        api: BenchApi,
        *,
        slug: str | None = None,
        again: bool = False,
        check: bool = False,
        extra: dict[str, Any] | None = None,
    ) -> Measurement:
        """Run a contestant once.

        :param name: of the destination
        :param slug: its place there, if it is not its own
        :param again: leave there what its last run exported
        :param check: compare the destination's content with the server's
        :param extra: of the connection to Voiso
        :raises SkipError: if it cannot run here
        :raises RuntimeError: if it fails, or does not export every record
        """
        slug = slug or contestant.slug
        key = f"{contestant} {name}"
        if key not in self._late_imports:
            # A small first run finds the late imports, so that none is measured as export.
            warm_up = self._run_once(contestant, name, self.api(_WARM_UP_RECORDS), slug)
            self._late_imports[key] = warm_up.late_imports
        measured = self._run_once(
            contestant,
            name,
            api,
            slug,
            again=again,
            extra=extra,
            preload=self._late_imports[key],
        )
        if measured.told.get("records") != len(api.day):
            raise RuntimeError(
                f"{contestant.name} exported {measured.told} where {len(api.day)} records were."
            )
        is_floor = contestant.call.startswith("floors")
        if check and not is_floor and self.destination(name).uuids(slug) != api.day.uuids():
            raise RuntimeError(
                f"{contestant.name} left other records at {name} than the server has."
            )
        return measured

    def _run_once(
        self,
        contestant: Contestant,
        name: str,
        api: BenchApi,
        slug: str,
        *,
        again: bool = False,
        extra: dict[str, Any] | None = None,
        preload: Sequence[str] = (),
    ) -> Measurement:
        destination = self.destination(name)
        if not again:
            destination.empty(slug)
        fields = {**destination.options(slug), **contestant.options, "preload": list(preload)}
        task = Task(contestant.call, api.url, START.isoformat(), END.isoformat(), **fields)
        voiso = {"conn_type": "voiso", "host": api.url, "password": task.key, "extra": extra or {}}
        env = {
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_VOISO_DEFAULT": json.dumps(voiso),
            "AIRFLOW_CONN_BENCH_HTTP": json.dumps({"conn_type": "http", "host": api.url}),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "PYTHONPATH": str(ROOT),
            **destination.env(contestant.extra),
        }
        python = DLT_PYTHON if contestant.call.startswith("dlt") else Path(sys.executable)
        if not python.exists():
            raise SkipError("dlt is not installed; `make bench` does that")
        result, log = self.home / "result.json", self.home / "logs" / f"{contestant.slug}.log"
        command = [
            str(python),
            "-c",
            "from benchmarks.measure import main; main()",
            json.dumps(asdict(task)),
            str(result),
        ]
        with log.open("ab") as output:
            done = subprocess.run(  # noqa: S603
                command,
                stdout=output,
                stderr=output,
                env=clean_environment(env),
                cwd=self.home,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{contestant.name} failed; see the end of {log}.")
        measured = Measurement(**json.loads(result.read_text()))
        if measured.skipped:
            raise SkipError(measured.skipped)
        return measured


def run_group(bench: Bench, group: Group, *, records: int, rounds: int) -> list[Series]:
    """Measure the contestants of a group in turn."""
    found = [Series(group.title, contestant.name) for contestant in group.contestants]
    try:
        destination = bench.destination(group.destination)
        if isinstance(destination, Database):
            bench.run(
                group.contestants[0], group.destination, bench.api(records), slug=Database.template
            )
            destination.keep_ready()
    except SkipError as reason:
        found[0].skipped = str(reason)
        return found[:1]
    for _ in range(rounds):
        for series, contestant in zip(found, group.contestants, strict=True):
            _add(series, bench, contestant, group.destination, bench.api(records))
    return found


def run_latency(bench: Bench, *, records: int, rounds: int, latency: float) -> list[Series]:
    """Measure this package against a server with latency."""
    found = [Series("latency", name) for name in LATENCY]
    contestant = GROUPS["s3-ndjson"].contestants[0]
    for _ in range(rounds):
        for series, extra in zip(found, LATENCY.values(), strict=True):
            _add(series, bench, contestant, "s3", bench.api(records, latency), extra=extra)
    return found


def run_odd(bench: Bench, group: Group, *, records: int, rounds: int) -> dict[Odd, Series]:
    """Measure this package with records that hold an undocumented field."""
    days: tuple[Odd, ...] = ("none", "every", "hundredth")
    found = {odd: Series("odd records", group.title) for odd in days}
    for _ in range(rounds):
        for odd, series in found.items():
            api = bench.api(records, odd=odd)
            _add(series, bench, group.contestants[0], group.destination, api)
    return found


def run_reload(bench: Bench, group: Group, *, records: int, rounds: int) -> tuple[Series, Series]:
    """Measure two loads of a day beside another one: the second time, nothing has changed."""
    first, again = Series("first load", group.title), Series("reload", group.title)
    load = group.contestants[0], group.destination, bench.api(records)
    for _ in range(rounds):
        try:
            bench.run(*load)
        except SkipError as reason:
            first.skipped = str(reason)
            break
        bench.database(group.destination).age(load[0].slug)
        for series in (first, again):
            _add(series, bench, *load, again=True)
    return first, again


def run_memory(bench: Bench, group: Group, *, records: int, large: int) -> tuple[Series, Series]:
    """Measure this package with few records and with many."""
    pair = Series("memory", group.title), Series("memory", group.title)
    for _ in range(_MEMORY_ROUNDS):
        for series, count in zip(pair, (records, large), strict=True):
            _add(series, bench, group.contestants[0], group.destination, bench.api(count))
    return pair


def _add(series: Series, bench: Bench, *run: Any, **options: Any) -> None:
    """Add one run to a series, unless it cannot run here."""
    if series.skipped:
        return
    try:
        # What was left there by other runs is not the server's.
        check = not series.runs and not options.get("again")
        measured = bench.run(*run, check=check, **options)
        series.runs.append(measured)
        outcome = f"{measured.seconds:.2f} s, {measured.peak_mb:.0f} MB"
    except SkipError as reason:
        outcome = series.skipped = str(reason)
    print(f"{series.group}, {series.name}: {outcome}", file=sys.stderr)


def _take_home(stack: ExitStack) -> None:
    """Keep other benchmarks out, and remove the files of the last one but its records."""
    HOME.mkdir(exist_ok=True)
    lock = stack.enter_context((HOME / "lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(
            "Another benchmark runs in this clone. Wait for its end: two at once would measure "
            "each other."
        )
    for path in HOME.glob("*"):
        if path.name not in {"lock", "records"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _measured(bench: Bench, options: argparse.Namespace) -> Results:
    """Run what the command line names."""
    wanted = tuple(filter(None, options.only.split(","))) or ("",)
    left_out = [word for word in options.without.split(",") if word]
    few = {"records": options.records, "rounds": options.rounds}

    def chosen(groups: Mapping[str, Group]) -> list[Group]:
        return [group for name, group in groups.items() if name.startswith(wanted)]

    results = Results([], [], [])
    for group in chosen(GROUPS):
        first, *others = group.contestants
        kept = [each for each in others if not any(word in each.name for word in left_out)]
        results.throughput.append(
            run_group(bench, group._replace(contestants=(first, *kept)), **few)
        )
    results.odd.extend(run_odd(bench, group, **few) for group in chosen(ODD))
    results.reload.extend(run_reload(bench, group, **few) for group in chosen(RELOAD))
    if "latency".startswith(wanted):
        results.latency.extend(run_latency(bench, latency=options.latency, **few))
    results.memory.extend(
        run_memory(bench, group, records=options.records, large=options.large)
        for group in chosen(MEMORY)
    )
    return results


def main() -> None:
    """Run the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        help="comma list of beginnings of "
        + ", ".join([*GROUPS, *ODD, *RELOAD, "latency", *MEMORY]),
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument(
        "--large", type=int, default=1_000_000, help="records of the day for memory"
    )
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument(
        "--without", default="", help="comma list of words; contestants with one are left out"
    )
    parser.add_argument("--write", type=Path, help="file for the tables")
    options = parser.parse_args()
    with ExitStack() as stack:
        _take_home(stack)
        results = _measured(Bench(HOME, stack), options)
    text = render(
        results,
        arguments=shlex.join(sys.argv[1:]),
        records=options.records,
        large=options.large,
        rounds=options.rounds,
        latency=options.latency,
    )
    print(text)
    if options.write:
        options.write.write_text(text)


if __name__ == "__main__":
    main()
