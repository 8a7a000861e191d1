from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.api.spool import Spool, SpooledRecords
from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoSpoolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_provider_voiso.api.page import Page

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=1))


def raw(uuid: str, seconds: float = 0, text: str = "") -> bytes:
    at = START + timedelta(seconds=seconds)
    return json.dumps(
        {"uuid": uuid, "timestamp": at.isoformat(timespec="milliseconds"), "text": text}
    ).encode()


def page(records: Iterable[bytes]) -> Page:
    return parse_page(b'{"records":[' + b",".join(records) + b"]}")


@contextmanager
def spooled(*pages: Sequence[bytes]) -> Iterator[SpooledRecords]:
    with Spool(WINDOW) as spool:
        for records in pages:
            spool.add(page(records).in_order())
        yield spool.seal()


def content(spool: SpooledRecords) -> list[bytes]:
    return [record for records in spool for record in records]


moments = st.integers(0, 86_399_999).map(lambda milliseconds: milliseconds / 1000)
drawn = st.lists(
    st.tuples(st.integers(0, 40), moments, st.sampled_from(["", "changed"])), max_size=60
)


def test_records_are_ordered() -> None:
    records = [raw("b", 5), raw("c", 1), raw("a", 5), raw("d", 86_399.999), raw("e", 0)]
    with spooled(records[:2], records[2:]) as spool:
        assert content(spool) == [records[4], records[1], records[2], records[0], records[3]]
        assert (spool.records, spool.duplicates, spool.changed) == (5, 0, 0)
        assert spool.size == sum(len(record) + 1 for record in records)


@given(
    st.lists(st.tuples(st.uuids().map(str), moments), unique_by=lambda pair: pair[0], max_size=40),
    st.data(),
)
def test_order_ignores_order_of_arrival(
    drawn_records: list[tuple[str, float]], data: st.DataObject
) -> None:
    records = [raw(uuid, seconds) for uuid, seconds in drawn_records]
    shuffled = data.draw(st.permutations(records))
    cut = data.draw(st.integers(0, len(records)))
    with spooled(records) as one, spooled(shuffled[:cut], shuffled[cut:]) as other:
        assert content(one) == content(other)
        assert content(one) == [
            record for _, _, record in sorted(zip(*reversed(keys(records)), records, strict=True))
        ]


@given(st.lists(drawn, max_size=5))
def test_uuid_is_returned_once(
    pages: list[list[tuple[int, float, str]]],
) -> None:
    """Within a page, within a slice of time, across both."""
    answers = [
        [raw(f"u{number}", seconds, text) for number, seconds, text in records] for records in pages
    ]
    states: dict[str, set[bytes]] = {}
    for answer in answers:
        for uuid, record in zip(keys(answer)[0], answer, strict=True):
            states.setdefault(uuid, set()).add(record)
    with spooled(*answers) as spool:
        found = content(spool)
        uuids = keys(found)[0]
        assert sorted(uuids) == sorted(states)
        assert spool.records == len(found)
        assert spool.duplicates == sum(
            len(answer) - len(set(keys(answer)[0])) for answer in answers
        )
        assert spool.changed == sum(len(each) > 1 for each in states.values())
        assert all(record in states[uuid] for uuid, record in zip(uuids, found, strict=True))


@given(st.lists(st.tuples(st.integers(0, 9), moments, st.text(max_size=3)), max_size=30))
def test_the_answer_read_last_decides(records: list[tuple[int, float, str]]) -> None:
    answers = [[raw(f"u{number}", seconds, text)] for number, seconds, text in records]
    last = {keys(answer)[0][0]: answer[0] for answer in answers}
    with spooled(*answers) as spool:
        assert dict(zip(keys(content(spool))[0], content(spool), strict=True)) == last


def test_moved_record_keeps_last_place() -> None:
    early, late = raw("a", 10), raw("a", 80_000)
    for first, second in ((early, late), (late, early)):
        with spooled([first], [second]) as spool:
            assert content(spool) == [second]
            assert (spool.duplicates, spool.changed) == (0, 1)


INSIDE = [raw("first", 0), raw("last", 86_399.999)]


on_linux = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="needs Linux's list of open files"
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@on_linux
def test_large_window_uses_unnamed_file(directory: Path) -> None:
    text = "x" * 50_000
    pages = [
        [
            raw(f"{answer:03}-{n:03}", (answer * 7919 + n * 104_729) % 86_400, text)
            for n in range(20)
        ]
        for answer in range(20)
    ]
    with spooled(*pages) as spool:
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


def test_failing_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(VoisoSpoolError, match=r"local disk: No such file or directory\. .*TMPDIR"):
        Spool(WINDOW)


@on_linux
def test_full_disk_is_named() -> None:
    with Spool(WINDOW) as spool:
        file = spool._file
        file._file.close()
        file._file = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115 - closed by the spool
        spool.add(page(INSIDE).in_order())  # written while the next answer is on its way
        with pytest.raises(
            VoisoSpoolError, match=r"local disk: No space left on device\. Nothing was exported"
        ):
            spool.seal()


@given(st.lists(st.lists(st.integers(0, 3_000), max_size=900), max_size=6))
def test_overlapping_answers_are_merged(answers: list[list[int]]) -> None:
    """With timestamps that several records share, across chunks and across answers."""
    records = [
        [raw(f"{number}-{position:04}", second) for position, second in enumerate(seconds)]
        for number, seconds in enumerate(answers)
    ]
    everything = [record for each in records for record in each]
    with spooled(*records) as spool:
        assert content(spool) == [
            line for *_, line in sorted(zip(*reversed(keys(everything)), everything, strict=True))
        ]


def test_spool_can_be_read_twice() -> None:
    with spooled(INSIDE) as spool:
        assert content(spool) == content(spool) == INSIDE


def test_an_empty_spool() -> None:
    with spooled() as spool:
        assert content(spool) == []
        assert (spool.records, spool.size) == (0, 0)


def test_truncated_file_is_noticed() -> None:
    with spooled(INSIDE) as spool:
        os.ftruncate(spool._file._file.fileno(), spool.size - 1)
        with pytest.raises(
            VoisoSpoolError, match=r"local disk: Input/output error\. Nothing was exported"
        ):
            list(spool)


def test_blocks_have_limited_size() -> None:
    records = [raw(f"{n:05}", 1) for n in range(10_001)]
    with spooled(records) as spool:
        blocks = list(spool.blocks())
    assert [block.count for block in blocks] == [10_000, 1]
    assert [record for block in blocks for record in block.split()] == records


def test_pages_are_single_chunks() -> None:
    records = [raw(f"{n:05}", n) for n in range(10_001)]
    with spooled(records) as spool:
        pages = list(spool)
    assert [record for each in pages for record in each] == records
    assert 0 < min(map(len, pages)) <= max(map(len, pages)) <= 256


@pytest.mark.parametrize("disposition", ["waiting", "active", "Active"])
def test_unfinished_conversations_are_counted(disposition: str) -> None:
    open_chat = json.loads(raw("chat", 5)) | {"disposition": disposition}
    over = json.loads(raw("call", 6, "still waiting")) | {
        "disposition": "answered",
        "queue": "active",
    }

    with spooled([json.dumps(open_chat).encode(), json.dumps(over).encode()]) as spool:
        assert spool.unfinished == 1


def test_finished_meanwhile_counts_no_more() -> None:
    before = json.dumps(json.loads(raw("chat", 5)) | {"disposition": "active"}).encode()
    after = json.dumps(json.loads(raw("chat", 9)) | {"disposition": "archived"}).encode()

    with spooled([before], [after]) as spool:
        assert content(spool) == [after]
        assert spool.unfinished == 0
