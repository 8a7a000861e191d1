"""The results as tables of Markdown, which are read on a terminal as well."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.data import Odd
    from benchmarks.measure import Measurement

_PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-amazon",
    "psycopg",
    "mysqlclient",
    "pyarrow",
    "msgspec",
    "isal",
)

_DOCUMENT = """\
# Benchmarks

Written by `make bench BENCH_ARGS="{arguments}"` on {date}.

{machine}

A server in a process of its own (`benchmarks/server.py`) sends {records:,} ready-made records of
one day, about 310 bytes each, in answers of 10,000. Contestants take turns, round by round
({rounds} rounds), each run in a fresh process, against the same records, object storage (SeaweedFS)
and databases. Time is that of the export alone, after imports; memory is the highest resident of
the whole process. In the first round the content of every destination is compared with the
server's.

{tables}"""

_THROUGHPUT = """\
## Throughput

`time` is a contestant's own, divided by this package's in the same round: 9 is nine times slower,
and at a floor of 0.7 this package reaches 0.7 of what the machine allows. Floors check nothing;
those for S3 upload nothing, and those for databases load ready-made data into an empty table.

"""
_ODD = """\
## Undocumented fields

The same {records:,} records, with one more field in every record or in one of a hundred. The ratio
is the time divided by that of documented records in the same round.

"""
_RELOAD = """\
## Reload

The same {records:,} records twice into a table that holds another day: first into the empty window,
then again, when nothing has changed. The seconds are those of the load alone, its records read
beforehand; the ratio is that of the two loads in the same round.

"""
_LATENCY = """\
## Latency

{latency:g} ms before each answer, {records:,} records to S3 as NDJSON.

"""
_MEMORY = """\
## Memory

Highest resident memory at {large:,} records against {records:,}.

"""


@dataclass
class Series:
    """The runs of one contestant, in the order of the rounds."""

    group: str
    name: str
    runs: list[Measurement] = field(default_factory=list)
    skipped: str = ""


@dataclass(frozen=True)
class Results:
    """All measurements.

    :param throughput: series in groups, this package's the first of each
    :param latency: series of this package
    :param memory: pairs of series of this package, with few records and with many
    :param odd: series of this package, keyed by the records with an undocumented field
    :param reload: pairs of series of this package, the first load and the second
    """

    throughput: list[list[Series]]
    latency: list[Series]
    memory: list[tuple[Series, Series]]
    odd: list[dict[Odd, Series]] = field(default_factory=list)
    reload: list[tuple[Series, Series]] = field(default_factory=list)


def render(
    results: Results, *, arguments: str, records: int, large: int, rounds: int, latency: float
) -> str:
    """Return the whole document."""
    tables = []
    if results.throughput:
        tables.append(_THROUGHPUT + _throughput(results.throughput))
    if results.odd:
        tables.append(_ODD.format(records=records) + _odd(results.odd))
    if results.reload:
        tables.append(_RELOAD.format(records=records) + _reload(results.reload))
    if results.latency:
        tables.append(
            _LATENCY.format(latency=latency * 1000, records=records) + _latency(results.latency)
        )
    if results.memory:
        tables.append(_MEMORY.format(large=large, records=records) + _memory(results.memory))
    return _DOCUMENT.format(
        arguments=arguments,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        machine=_machine(),
        records=records,
        rounds=rounds,
        tables="\n".join(tables),
    )


def _throughput(groups: Iterable[Sequence[Series]]) -> str:
    rows = []
    for group in groups:
        ours = group[0]
        for series in group:
            row = ["" if series is not ours else series.group, series.name]
            if series.skipped:
                rows.append([*row, *[""] * 5, f"skipped: {series.skipped}"])
                continue
            ratios = [
                run.seconds / base.seconds
                for run, base in zip(series.runs, ours.runs, strict=False)
            ]
            rows.append(
                [
                    *row,
                    f"{_median(run.seconds for run in series.runs):.2f}",
                    f"{_median(run.cpu for run in series.runs):.2f}",
                    f"{_median(run.peak_mb for run in series.runs):.0f}",
                    f"{_median(run.import_seconds for run in series.runs):.1f}",
                    "1" if series is ours else _three(ratios),
                    _relative(series, ratios),
                ]
            )
    header = [
        "destination",
        "contestant",
        "seconds",
        "CPU s",
        "peak MB",
        "imports s",
        "time: min / median / max",
        "",
    ]
    return _table(header, rows)


def _relative(series: Series, ratios: Sequence[float]) -> str:
    middle = _median(ratios) if ratios else 1
    if series.name.startswith("floor"):
        return f"{middle:.0%} of the floor"
    if middle == 1:
        return ""
    return f"{middle:.1f} times slower" if middle > 1 else f"{1 / middle:.1f} times faster"


def _odd(found: Iterable[dict[Odd, Series]]) -> str:
    rows = []
    for days in found:
        documented = days["none"]
        if documented.skipped:
            rows.append([documented.name, *[""] * 5, f"skipped: {documented.skipped}"])
            continue
        row = [documented.name, f"{_median(run.seconds for run in documented.runs):.2f}"]
        for odd in ("every", "hundredth"):
            pairs = zip(days[odd].runs, documented.runs, strict=True)
            row += [
                f"{_median(run.seconds for run in days[odd].runs):.2f}",
                _three([run.seconds / base.seconds for run, base in pairs]),
            ]
        rows.append([*row, ""])
    header = [
        "destination",
        "seconds, documented",
        "in every record",
        "ratio: min / median / max",
        "in one of a hundred",
        "ratio: min / median / max",
        "",
    ]
    return _table(header, rows)


def _reload(found: Iterable[tuple[Series, Series]]) -> str:
    rows = []
    for first, again in found:
        if first.skipped:
            rows.append([first.name, "", "", "", f"skipped: {first.skipped}"])
            continue
        pairs = zip(again.runs, first.runs, strict=True)
        rows.append(
            [
                first.name,
                f"{_median(run.seconds for run in first.runs):.2f}",
                f"{_median(run.seconds for run in again.runs):.2f}",
                _three([run.seconds / base.seconds for run, base in pairs]),
                "",
            ]
        )
    header = [
        "destination",
        "seconds, first load",
        "seconds, reload",
        "ratio: min / median / max",
        "",
    ]
    return _table(header, rows)


def _latency(found: Iterable[Series]) -> str:
    rows = []
    for series in found:
        told = series.runs[0].told if series.runs else {}
        seconds = (
            f"skipped: {series.skipped}"
            if series.skipped
            else _three([run.seconds for run in series.runs])
        )
        rows.append(
            [series.name, seconds, str(told.get("requests", "")), str(told.get("probes", ""))]
        )
    return _table(
        ["connection", "seconds: min / median / max", "requests", "of which probes"], rows
    )


def _memory(found: Iterable[tuple[Series, Series]]) -> str:
    rows = []
    for few, many in found:
        if few.skipped:
            rows.append([few.name, "", "", "", "", f"skipped: {few.skipped}"])
            continue
        ratios = [
            large.peak_mb / small.peak_mb for small, large in zip(few.runs, many.runs, strict=True)
        ]
        rows.append(
            [
                few.name,
                f"{_median(run.peak_mb for run in few.runs):.0f}",
                f"{_median(run.peak_mb for run in many.runs):.0f}",
                _three(ratios),
                f"{_median(run.seconds for run in many.runs):.1f}",
                "",
            ]
        )
    header = [
        "destination",
        "MB at the small day",
        "MB at the large day",
        "ratio: min / median / max",
        "seconds, large",
        "",
    ]
    return _table(header, rows)


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _three(values: Sequence[float]) -> str:
    return f"{min(values):.2f} / {_median(values):.2f} / {max(values):.2f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "".join(f"| {' | '.join(map(str.ljust, line, widths))} |\n" for line in lines)


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = [
        line.partition(": ")[2]
        for line in cpuinfo.read_text().splitlines()
        if line.startswith("model name")
    ]
    processor = names[0] if cpuinfo.exists() and names else platform.processor()
    versions = [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]
    return (
        f"{os.cpu_count()} cores ({processor}), {platform.system()}, Python "
        f"{platform.python_version()}; {', '.join([*versions, f'dlt {_dlt_version()}'])}."
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _dlt_version() -> str:
    pins = Path(__file__).with_name("requirements.txt").read_text().splitlines()
    return next(pin.partition("==")[2] for pin in pins if pin.startswith("dlt=="))
