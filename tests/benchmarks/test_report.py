"""The tables of the benchmarks' report."""

from __future__ import annotations

import re

from benchmarks.measure import Measurement
from benchmarks.report import Results, Series, render

PACKAGE = [Measurement(seconds=each, cpu=1, peak_mb=200) for each in (1, 2, 4)]


def lines(results: Results) -> list[str]:
    text = render(
        results, arguments="--only s3", records=100_000, large=1_000_000, rounds=3, latency=0.2
    )
    return [re.sub(" +", " ", line) for line in text.splitlines() if line.startswith("| ")]


def test_times_are_compared_by_round() -> None:
    floor = Series(
        "S3", "floor", [Measurement(seconds=each, cpu=0.5, peak_mb=50) for each in (0.8, 1, 2)]
    )
    peer = Series(
        "S3", "peer", [Measurement(seconds=each, cpu=9, peak_mb=900) for each in (8, 20, 36)]
    )
    absent = Series("S3", "absent", skipped="not installed")
    _, _, *rows = lines(
        Results([[Series("S3", "this package", PACKAGE), floor, peer, absent]], [], [])
    )
    assert rows == [
        "| S3 | this package | 2.00 | 1.00 | 200 | 0.0 | 1 | |",
        "| | floor | 1.00 | 0.50 | 50 | 0.0 | 0.50 / 0.50 / 0.80 | 50% of the floor |",
        "| | peer | 20.00 | 9.00 | 900 | 0.0 | 8.00 / 9.00 / 10.00 | 9.0 times slower |",
        "| | absent | | | | | | skipped: not installed |",
    ]


def test_skipped_group_says_why() -> None:
    assert (
        "skipped: not installed"
        in lines(Results([[Series("S3", "this package", skipped="not installed")]], [], []))[-1]
    )


def test_latency_counts_requests_and_probes() -> None:
    told = {"requests": 13, "probes": 2}
    series = Series(
        "latency", "defaults", [Measurement(seconds=each, told=told) for each in (3, 3.5, 5)]
    )
    assert lines(Results([], [series], []))[-1] == "| defaults | 3.00 / 3.50 / 5.00 | 13 | 2 |"


def test_memory_is_ratio_of_peaks() -> None:
    few = Series("memory", "SQLite", [Measurement(peak_mb=each) for each in (200, 100)])
    many = Series("memory", "SQLite", [Measurement(seconds=9, peak_mb=each) for each in (220, 120)])
    absent = Series("memory", "DuckDB", skipped="not installed")
    rows = lines(Results([], [], [(few, many), (absent, Series("memory", "DuckDB"))]))
    assert rows[-2:] == [
        "| SQLite | 150 | 170 | 1.10 / 1.15 / 1.20 | 9.0 | |",
        "| DuckDB | | | | | skipped: not installed |",
    ]


def test_reload_is_compared_by_round() -> None:
    first = Series("first load", "SQLite", [Measurement(seconds=each) for each in (2, 4)])
    again = Series("reload", "SQLite", [Measurement(seconds=each) for each in (1, 3)])
    absent = Series("first load", "DuckDB", skipped="not installed")
    results = Results([], [], [])
    results.reload.extend([(first, again), (absent, Series("reload", "DuckDB"))])

    assert lines(results)[-2:] == [
        "| SQLite | 3.00 | 2.00 | 0.50 / 0.62 / 0.75 | |",
        "| DuckDB | | | | skipped: not installed |",
    ]
