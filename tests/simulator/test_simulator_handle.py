"""The third reading of the token: one handle for the whole search."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_voiso.simulator import Readings, Simulator
from tests.simulator.simulator_client import DAY, Got, all_uuids, ask, newest_first, truth


def simulator(count: int = 250, **readings: Any) -> Simulator:
    switches = {"continuation": "handle", "cap": 100, **readings}
    return Simulator(seed=6, records_per_day=count, exact=True, readings=Readings(**switches))


def read_on(voiso: Simulator, per_page: int) -> list[Got]:
    """Request page after page with the token of page 1, until one is short or refused."""
    answers = [ask(voiso, **DAY, per_page=per_page)]
    token = answers[0].json.get("search_token")
    while token and len(answers[-1].uuids) == len(answers[0].uuids) > 0:
        got = ask(voiso, **DAY, per_page=per_page, page=len(answers) + 1, search_token=token)
        if got.status != 200:
            break
        answers.append(got)
    return answers


@pytest.mark.parametrize("order", ["newest_first", "shuffled"])
@pytest.mark.parametrize("beyond_end", ["empty", "refused"])
@pytest.mark.parametrize("final", ["short", "full_then_empty", "always_empty"])
@pytest.mark.parametrize("handle", ["every", "above_cap", "more"])
@pytest.mark.parametrize("count", [0, 99, 100, 101, 200, 250])
def test_handle_reads_everything_once(
    count: int, handle: str, final: str, beyond_end: str, order: str
) -> None:
    with simulator(count, handle=handle, final=final, beyond_end=beyond_end, order=order) as voiso:
        found = all_uuids(read_on(voiso, 100))

        assert len(found) == count
        assert set(found) == truth(voiso).keys()


@pytest.mark.parametrize(("per_page", "per_page_cap"), [(30, None), (100, 40), (10_000, None)])
def test_pages_of_any_length(per_page: int, per_page_cap: int | None) -> None:
    with simulator(per_page_cap=per_page_cap) as voiso:
        found = all_uuids(read_on(voiso, per_page))

        assert len(found) == 250
        assert set(found) == truth(voiso).keys()


def test_answers_share_one_handle() -> None:
    with simulator(handle="every") as voiso:
        answers = read_on(voiso, 60)

        handles = {got.json["search_token"] for got in answers}
        assert len(answers) == 5
        assert len(handles) == 1
        assert isinstance(handles.pop(), str)


def test_other_searches_have_other_handles() -> None:
    with simulator() as voiso:
        everything = ask(voiso, **DAY).json["search_token"]
        inbound = ask(voiso, **DAY, type="inbound").json["search_token"]

        assert everything != inbound
        assert ask(voiso, **DAY, search_token=inbound).status == 422


def test_page_one_comes_again() -> None:
    with simulator() as voiso:
        first = ask(voiso, **DAY, per_page=100)
        again = ask(voiso, **DAY, per_page=100, page=1, search_token=first.json["search_token"])

        assert again.json == first.json


@pytest.mark.parametrize(
    ("handle", "end", "tokens"),
    [
        ("every", "null", [True, True, True]),
        ("above_cap", "null", [True, True, True]),
        ("more", "null", [True, True, None]),
        ("more", "empty", [True, True, ""]),
        ("more", "absent", [True, True, "absent"]),
    ],
)
def test_when_the_handle_comes(handle: str, end: str, tokens: list[object]) -> None:
    with simulator(handle=handle, end_of_search=end) as voiso:
        seen = [got.json.get("search_token", "absent") for got in read_on(voiso, 100)]

    handle_text = seen[0]
    assert [True if token == handle_text else token for token in seen] == tokens


@pytest.mark.parametrize(
    ("handle", "comes"), [("every", True), ("above_cap", False), ("more", False)]
)
def test_handle_of_a_small_search(handle: str, comes: bool) -> None:
    with simulator(100, handle=handle) as voiso:
        token = ask(voiso, **DAY, per_page=100).json["search_token"]

        assert (token is not None) == comes


def test_final_page_lacks_its_number() -> None:
    with simulator(final_page="absent", handle="every") as voiso:
        pages = [got.json.get("page") for got in read_on(voiso, 100)]

        assert pages == [1, 2, None]


def test_later_page_is_ignored() -> None:
    with simulator(later_page="ignored") as voiso:
        first = ask(voiso, **DAY, per_page=100)
        second = ask(voiso, **DAY, per_page=100, page=2, search_token=first.json["search_token"])

        assert second.uuids == first.uuids


def test_later_page_is_refused() -> None:
    with simulator(later_page="refused") as voiso:
        token = ask(voiso, **DAY, per_page=100).json["search_token"]

        assert ask(voiso, **DAY, per_page=100, page=2, search_token=token).status == 422


@pytest.mark.parametrize(
    ("beyond_cap", "status", "size"), [("clamped", 200, 10), ("empty", 200, 0), ("error", 422, 0)]
)
def test_handle_may_obey_the_cap(beyond_cap: str, status: int, size: int) -> None:
    with simulator(handle_pages="within_cap", beyond_cap=beyond_cap) as voiso:
        token = ask(voiso, **DAY, per_page=30).json["search_token"]
        got = ask(voiso, **DAY, per_page=30, page=4, search_token=token)

        assert got.status == status
        assert len(got.json.get("records", [])) == size


def test_no_handle_obeys_the_cap() -> None:
    with simulator() as voiso:
        got = ask(voiso, **DAY, per_page=30, page=4)

        assert got.uuids == newest_first(truth(voiso))[90:100]


def test_total_counts_the_whole_search() -> None:
    with simulator(total="records") as voiso:
        assert [got.json["total"] for got in read_on(voiso, 100)] == [250, 250, 250]
    with simulator(total="pages") as voiso:
        assert [got.json["total"] for got in read_on(voiso, 100)] == [3, 3, 3]


def test_duplicates_cross_page_boundaries() -> None:
    with simulator(duplicates=0.02) as voiso:
        answers = read_on(voiso, 100)

        assert set(all_uuids(answers)) == truth(voiso).keys()
        assert answers[0].uuids[-1] == answers[1].uuids[0]
        assert answers[1].uuids[-1] == answers[2].uuids[0]


def test_handle_can_be_missing() -> None:
    with simulator(misbehaviour="missing") as voiso:
        assert ask(voiso, **DAY, per_page=100).json["search_token"] is None


@pytest.mark.parametrize("misbehaviour", ["repeats", "cycles"])
def test_handle_may_never_end(misbehaviour: str) -> None:
    with simulator(50, handle="more", final="always_empty", misbehaviour=misbehaviour) as voiso:
        token = ask(voiso, **DAY, per_page=50).json["search_token"]
        behind = ask(voiso, **DAY, per_page=50, page=2, search_token=token)

        assert behind.uuids == []
        assert behind.json["search_token"] == token


def test_faults_meet_the_last_answer() -> None:
    with simulator(handle="every") as voiso:
        voiso.faults.add("status", status=503, position="last")

        assert len(read_on(voiso, 100)) == 2
        assert len(read_on(voiso, 100)) == 3
