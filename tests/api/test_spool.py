from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.records import keys, parse_page
from airflow_provider_voiso.api.spool import OutOfWindow, Spool
from airflow_provider_voiso.api.v2.clock import Reading, Span, ZoneClock
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoOutOfWindowError, VoisoSpoolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_voiso.api.records import Page

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=1))
FIRST = WINDOW.start_us // 1_000_000
SPAN = Span(FIRST, FIRST + 86_399)
READING = Reading(ZoneClock(ZoneInfo("UTC")))


def raw(uuid: str, seconds: float = 0, text: str = "") -> bytes:
    at = START + timedelta(seconds=seconds)
    return json.dumps({"uuid": uuid, "timestamp": at.isoformat(timespec="milliseconds"), "text": text}).encode()


def page(records: Iterable[bytes]) -> Page:
    return parse_page(b'{"records":[' + b",".join(records) + b"]}")


def spool_of(*pages: Sequence[bytes], policy: OutOfWindow = "fail", span: Span = SPAN) -> Spool:
    spool = Spool(WINDOW, READING, out_of_window=policy)
    try:
        for records in pages:
            spool.add(page(records), span)
        spool.seal()
    except BaseException:
        spool.close()
        raise
    return spool


def content(spool: Spool) -> list[bytes]:
    return [record for records in spool for record in records]


moments = st.integers(0, 86_399_999).map(lambda milliseconds: milliseconds / 1000)
drawn = st.lists(st.tuples(st.integers(0, 40), moments, st.sampled_from(["", "changed"])), max_size=60)


def test_records_come_by_timestamp_then_uuid() -> None:
    records = [raw("b", 5), raw("c", 1), raw("a", 5), raw("d", 86_399.999), raw("e", 0)]
    with spool_of(records[:2], records[2:]) as spool:
        assert content(spool) == [records[4], records[1], records[2], records[0], records[3]]
        assert (spool.records, spool.duplicates, spool.changed, spool.out_of_window) == (5, 0, 0, 0)
        assert spool.size == sum(len(record) + 1 for record in records)


@given(st.lists(st.tuples(st.uuids().map(str), moments), unique_by=lambda pair: pair[0], max_size=40), st.data())
def test_the_order_does_not_depend_on_the_order_of_arrival(
    drawn_records: list[tuple[str, float]], data: st.DataObject
) -> None:
    records = [raw(uuid, seconds) for uuid, seconds in drawn_records]
    shuffled = data.draw(st.permutations(records))
    cut = data.draw(st.integers(0, len(records)))
    with spool_of(records) as one, spool_of(shuffled[:cut], shuffled[cut:]) as other:
        assert content(one) == content(other)
        assert content(one) == [record for _, _, record in sorted(zip(*reversed(keys(records)), records, strict=True))]


@given(st.lists(drawn, max_size=5))
def test_a_uuid_is_given_once_in_a_state_that_was_read(pages: list[list[tuple[int, float, str]]]) -> None:
    """Within a page, within a slice of time, across both."""
    answers = [[raw(f"u{number}", seconds, text) for number, seconds, text in records] for records in pages]
    states: dict[str, set[bytes]] = {}
    for answer in answers:
        for uuid, record in zip(keys(answer)[0], answer, strict=True):
            states.setdefault(uuid, set()).add(record)
    with spool_of(*answers) as spool:
        found = content(spool)
        uuids = keys(found)[0]
        assert sorted(uuids) == sorted(states)
        assert spool.records == len(found)
        assert spool.read == sum(map(len, answers))
        assert spool.duplicates == spool.read - len(states)
        assert spool.changed == sum(len(each) > 1 for each in states.values())
        assert all(record in states[uuid] for uuid, record in zip(uuids, found, strict=True))


@given(st.lists(st.tuples(st.integers(0, 9), moments, st.text(max_size=3)), max_size=30))
def test_the_answer_read_last_decides(records: list[tuple[int, float, str]]) -> None:
    answers = [[raw(f"u{number}", seconds, text)] for number, seconds, text in records]
    last = {keys(answer)[0][0]: answer[0] for answer in answers}
    with spool_of(*answers) as spool:
        assert dict(zip(keys(content(spool))[0], content(spool), strict=True)) == last


def test_a_record_that_moved_to_another_time_is_given_where_it_was_read_last() -> None:
    early, late = raw("a", 10), raw("a", 80_000)
    for first, second in ((early, late), (late, early)):
        with spool_of([first], [second]) as spool:
            assert content(spool) == [second]
            assert (spool.duplicates, spool.changed) == (1, 1)


def test_a_span_that_is_forgotten_leaves_nothing() -> None:
    left, right = SPAN.halves()
    spool = Spool(WINDOW, READING)
    with spool:
        spool.add(page([raw("a", 1), raw("b", 50_000)]), SPAN)
        spool.add(page([raw("c", 2)]), left)
        spool.forget(SPAN)
        spool.add(page([raw("b", 50_000, "again")]), right)
        spool.seal()
        assert content(spool) == [raw("c", 2), raw("b", 50_000, "again")]
        assert (spool.records, spool.duplicates, spool.changed) == (2, 0, 0)


def test_what_lay_outside_of_a_forgotten_span_is_not_counted() -> None:
    with Spool(WINDOW, READING, out_of_window="drop") as spool:
        spool.add(page([raw("a", -50_000)]), SPAN)
        assert spool.out_of_window == 1
        spool.forget(SPAN)
        spool.seal()
        assert spool.out_of_window == 0


NEIGHBOURS = [raw("before", -0.001), raw("after", 86_400), raw("after too", 86_400.999)]
OUTSIDE = [raw("long before", -50_000), raw("long after", 200_000)]
INSIDE = [raw("first", 0), raw("last", 86_399.999)]


@pytest.mark.parametrize("policy", ["fail", "keep", "drop"])
def test_records_of_the_neighbours_are_left_out_whatever_the_policy(policy: OutOfWindow) -> None:
    with spool_of([*NEIGHBOURS, *INSIDE], policy=policy) as spool:
        assert content(spool) == INSIDE
        assert spool.out_of_window == 0


@pytest.mark.parametrize("outside", OUTSIDE)
def test_records_outside_fail_with_their_number_and_not_their_content(outside: bytes) -> None:
    with pytest.raises(VoisoOutOfWindowError, match=r"1 of 3 records .*out_of_window") as caught:
        spool_of([*INSIDE, outside])
    assert "long" not in str(caught.value)


def test_records_outside_are_dropped() -> None:
    with spool_of([*OUTSIDE, *INSIDE], policy="drop") as spool:
        assert content(spool) == INSIDE
        assert spool.out_of_window == 2


def test_records_outside_are_kept_in_their_order() -> None:
    with spool_of([*reversed(OUTSIDE), *INSIDE, *NEIGHBOURS], policy="keep") as spool:
        assert content(spool) == [OUTSIDE[0], *INSIDE, OUTSIDE[1]]
        assert (spool.records, spool.out_of_window) == (4, 2)


on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's list of open files")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@on_linux
def test_a_large_window_goes_to_a_file_without_a_name(directory: Path) -> None:
    text = "x" * 50_000
    pages = [
        [raw(f"{answer:03}-{n:03}", (answer * 7919 + n * 104_729) % 86_400, text) for n in range(20)]
        for answer in range(20)
    ]
    with spool_of(*pages) as spool:
        assert list(directory.iterdir()) == []
        deleted = [link for link in open_files() if link.startswith(str(directory))]
        assert len(deleted) == 1
        found = content(spool)
    assert sorted(found) == sorted(record for records in pages for record in records)
    assert keys(found)[1] == sorted(keys(found)[1])
    assert [link for link in open_files() if link.startswith(str(directory))] == []


def open_files() -> list[str]:
    """Return the paths of this process's open files; one that has no name keeps its directory's."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(link.readlink()))
    return found


def test_a_disk_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(VoisoSpoolError, match=r"local disk: No such file or directory\. .*TMPDIR"):
        Spool(WINDOW, READING)


@on_linux
def test_a_disk_that_is_full_is_named() -> None:
    with spool_of() as spool:
        spool._file.close()
        spool._file = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115 - closed by the spool
        spool.add(page(INSIDE), SPAN)  # written while the next answer is on its way
        with pytest.raises(VoisoSpoolError, match=r"local disk: No space left on device\. Nothing was exported"):
            spool.seal()


@given(st.lists(st.lists(st.integers(0, 3_000), max_size=900), max_size=6))
def test_answers_that_overlap_in_time_are_merged(answers: list[list[int]]) -> None:
    """With timestamps that several records share, across chunks and across answers."""
    records = [
        [raw(f"{number}-{position:04}", second) for position, second in enumerate(seconds)]
        for number, seconds in enumerate(answers)
    ]
    everything = [record for each in records for record in each]
    with spool_of(*records) as spool:
        assert content(spool) == [
            line for *_, line in sorted(zip(*reversed(keys(everything)), everything, strict=True))
        ]


def test_a_spool_can_be_read_twice() -> None:
    with spool_of(INSIDE) as spool:
        assert content(spool) == content(spool) == INSIDE


def test_an_empty_spool() -> None:
    with spool_of() as spool:
        assert content(spool) == []
        assert (spool.records, spool.size) == (0, 0)


def test_a_file_that_was_cut_is_noticed() -> None:
    with spool_of(INSIDE) as spool:
        os.ftruncate(spool._file.fileno(), spool.size - 1)
        with pytest.raises(VoisoSpoolError, match=r"local disk: Input/output error\. Nothing was exported"):
            list(spool)


def test_blocks_are_no_larger_than_an_answer() -> None:
    records = [raw(f"{n:05}", 1) for n in range(10_001)]
    with spool_of(records) as spool:
        blocks = list(spool.blocks())
    assert [block.number for block in blocks] == [10_000, 1]
    assert [record for block in blocks for record in block.split()] == records


def test_pages_are_as_small_as_what_is_read_back_at_once() -> None:
    records = [raw(f"{n:05}", n) for n in range(10_001)]
    with spool_of(records) as spool:
        pages = list(spool)
    assert [record for each in pages for record in each] == records
    assert 0 < min(map(len, pages)) <= max(map(len, pages)) <= 256
