from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_voiso.simulator import Readings, Simulator
from tests.simulator.simulator_client import DAY, all_uuids, ask, newest_first, truth, walk


def simulator(count: int = 250, **readings: Any) -> Simulator:
    return Simulator(
        seed=6, records_per_day=count, exact=True, readings=Readings(**{"cap": 100, **readings})
    )


@pytest.mark.parametrize("order", ["newest_first", "oldest_first", "shuffled", "uuid"])
@pytest.mark.parametrize("final", ["short", "full_then_empty", "always_empty"])
@pytest.mark.parametrize(
    ("continuation", "on"), [("cursor", "every"), ("batch", "every"), ("batch", "last")]
)
@pytest.mark.parametrize("count", [0, 99, 100, 101, 200, 250])
def test_documented_walk_is_exact(
    count: int, continuation: str, on: str, final: str, order: str
) -> None:
    with simulator(
        count, continuation=continuation, continuation_on=on, final=final, order=order
    ) as voiso:
        answers = walk(voiso, per_page=100, **DAY)
        found = all_uuids(answers)
        assert len(found) == count
        assert set(found) == truth(voiso).keys()
        sizes = [len(answer.uuids) for answer in answers]
        assert max(sizes) <= 100
        if final == "always_empty" or (final == "full_then_empty" and count in {100, 200}):
            assert sizes[-1] == 0
        elif count:
            assert sizes[-1] > 0


def test_cap_is_ten_thousand() -> None:
    with Simulator(records_per_day=10_001, exact=True) as voiso:
        answers = walk(voiso, per_page=10_000, **DAY)
        assert [len(answer.uuids) for answer in answers] == [10_000, 1]
        assert [answer.json["total"] for answer in answers] == [2, 1]
        assert set(all_uuids(answers)) == truth(voiso).keys()


def test_defaults_of_a_request() -> None:
    with Simulator(records_per_day=1_500, exact=True) as voiso:
        got = ask(voiso, **DAY)
        assert list(got.json) == ["records", "total", "page", "search_token"]
        assert (len(got.uuids), got.json["page"], got.json["total"], got.json["search_token"]) == (
            1000,
            1,
            2,
            None,
        )
        assert got.uuids[0] == list(truth(voiso))[-1]


def test_records_keep_their_bytes() -> None:
    with simulator(80) as voiso:
        raw = [truth(voiso)[uuid] for uuid in newest_first(truth(voiso))]
        assert ask(voiso, **DAY, per_page=100).body.startswith(
            b'{"records":[' + b",".join(raw) + b"],"
        )


def test_pages_lead_through_the_cap() -> None:
    with simulator(95) as voiso:
        found = [
            uuid for page in range(1, 5) for uuid in ask(voiso, **DAY, per_page=30, page=page).uuids
        ]
        assert len(found) == 95
        assert set(found) == truth(voiso).keys()


def test_batch_token_skips_small_pages() -> None:
    with simulator(continuation="batch") as voiso:
        found = all_uuids(walk(voiso, per_page=10, **DAY))
        everything = newest_first(truth(voiso))
        assert found == everything[:10] + everything[100:110] + everything[200:210]


def test_batch_pages_and_tokens_together() -> None:
    with simulator(continuation="batch", continuation_on="last") as voiso:
        found: list[str] = []
        token = ""
        while True:
            pages = [
                ask(voiso, **DAY, per_page=30, page=page, search_token=token)
                for page in (1, 2, 3, 4)
            ]
            found += all_uuids(pages)
            assert [p.json["search_token"] for p in pages[:3]] == [None] * 3
            if not (token := pages[-1].json["search_token"]):
                break
        assert len(found) == 250
        assert set(found) == truth(voiso).keys()


def test_cursor_follows_small_pages() -> None:
    with simulator(continuation="cursor") as voiso:
        found = all_uuids(walk(voiso, per_page=30, **DAY))
        assert len(found) == 250
        assert set(found) == truth(voiso).keys()


@pytest.mark.parametrize("continuation", ["cursor", "batch"])
def test_silent_cap_of_per_page(continuation: str) -> None:
    with simulator(continuation=continuation, per_page_cap=40) as voiso:
        assert len(ask(voiso, **DAY, per_page=100).uuids) == 40
        complete = set(all_uuids(walk(voiso, per_page=100, **DAY))) == truth(voiso).keys()
        assert complete == (continuation == "cursor")


def test_later_page_beside_token() -> None:
    def second_page(**readings: Any) -> tuple[int, list[str], list[str]]:
        with simulator(**readings) as voiso:
            token = ask(voiso, **DAY, per_page=100).json["search_token"]
            got = ask(voiso, **DAY, per_page=20, page=2, search_token=token)
            return got.status, got.uuids if got.status == 200 else [], newest_first(truth(voiso))

    status, uuids, everything = second_page(later_page="obeyed")
    assert (status, uuids) == (200, everything[120:140])
    status, uuids, everything = second_page(later_page="ignored")
    assert (status, uuids) == (200, everything[100:120])
    assert second_page(later_page="refused")[0] == 422


def test_pages_above_the_cap() -> None:
    def fourth_page(reading: str) -> tuple[int, int]:
        with simulator(beyond_cap=reading) as voiso:
            got = ask(voiso, **DAY, per_page=30, page=4)
            return got.status, len(got.uuids) if got.status == 200 else 0

    assert fourth_page("clamped") == (200, 10)
    assert fourth_page("empty") == (200, 0)
    assert fourth_page("error") == (422, 0)


def test_pages_behind_the_end() -> None:
    with simulator(50, beyond_end="empty") as voiso:
        assert ask(voiso, **DAY, per_page=50, page=2).json["records"] == []
    with simulator(50, beyond_end="refused") as voiso:
        assert ask(voiso, **DAY, per_page=50, page=2).status == 422
        assert ask(voiso, **DAY, per_page=50, page=1).status == 200


def test_end_of_a_search() -> None:
    def end(**readings: Any) -> dict[str, Any]:
        with simulator(50, **readings) as voiso:
            fields: dict[str, Any] = ask(voiso, **DAY, per_page=100).json
            return {name: value for name, value in fields.items() if name != "records"}

    assert end() == {"total": 1, "page": 1, "search_token": None}
    assert end(end_of_search="absent") == {"total": 1, "page": 1}
    assert end(end_of_search="empty") == {"total": 1, "page": 1, "search_token": ""}
    assert end(final_page="absent") == {"total": 1, "search_token": None}


def test_total_obeys_its_switch() -> None:
    def totals(reading: str) -> list[int]:
        with simulator(total=reading) as voiso:
            return [answer.json["total"] for answer in walk(voiso, per_page=100, **DAY)]

    assert totals("pages") == [3, 2, 1]
    assert totals("records") == [250, 250, 250]
    assert totals("capped") == [100, 100, 100]
    assert len(set(totals("nonsense"))) == 3


@pytest.mark.parametrize("continuation", ["cursor", "batch"])
def test_tokens_that_lead_nowhere(continuation: str) -> None:
    def looks(fault: str, count: int = 4) -> list[tuple[str | None, str]]:
        with simulator(continuation=continuation, misbehaviour=fault) as voiso:
            seen, token = [], ""
            for _ in range(count):
                got = ask(voiso, **DAY, per_page=100, search_token=token)
                token = got.json["search_token"] or ""
                seen.append((got.uuids[0] if got.uuids else None, token))
            return seen

    repeating = looks("repeats")
    assert repeating[0][1] == repeating[1][1] == repeating[2][1] == repeating[3][1] != ""
    restarting = looks("restarts")
    assert len({first for first, _ in restarting}) == 1
    cycling = looks("cycles")
    assert cycling[0] == (cycling[0][0], cycling[2][1])
    assert cycling[1] == cycling[3]
    assert looks("missing", 1)[0][1] == ""


def test_full_search_without_token() -> None:
    with simulator(100, misbehaviour="missing") as voiso:
        got = ask(voiso, **DAY, per_page=100)
        assert (len(got.uuids), got.json["search_token"]) == (100, None)


@pytest.mark.parametrize("continuation", ["cursor", "batch"])
def test_duplicates_cross_page_ends(continuation: str) -> None:
    with simulator(continuation=continuation, duplicates=0.02) as voiso:
        answers = walk(voiso, per_page=100, **DAY)
        found = all_uuids(answers)
        assert set(found) == truth(voiso).keys()
        assert len(found) > 250
        for earlier, later in itertools.pairwise(answers):
            assert earlier.uuids[-1] == later.uuids[0]
        raw = [record for answer in answers for record in answer.json["records"]]
        assert len({str(sorted(record.items(), key=str)) for record in raw}) == 250


def test_duplicates_can_differ_in_content() -> None:
    with simulator(80, duplicates=0.2, duplicates_differ=True) as voiso:
        records = ask(voiso, **DAY, per_page=100).json["records"]
        pairs = [(a, b) for a, b in itertools.pairwise(records) if a["uuid"] == b["uuid"]]
        assert pairs
        assert all(
            a["wrapup_code"] != b["wrapup_code"] and a["timestamp"] == b["timestamp"]
            for a, b in pairs
        )


def test_shuffled_order_is_stable() -> None:
    with simulator(90, order="shuffled") as voiso:
        first, second = (ask(voiso, **DAY, per_page=100).uuids for _ in range(2))
        assert first == second
        assert first not in (list(truth(voiso)), newest_first(truth(voiso)), sorted(first))
