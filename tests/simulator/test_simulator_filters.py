from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_voiso.simulator import Simulator
from airflow_provider_voiso.simulator.account import AGENTS, QUEUES
from airflow_provider_voiso.simulator.filters import PARAMETERS
from tests.simulator.simulator_client import CDR, DAY, END, START, all_uuids, ask, send, truth, walk

# The first column of the vendor's parameter table.
VENDOR_PARAMETERS = [
    "key", "search_token", "page", "per_page", "start_date", "end_date", "cli", "number",
    "wildcard_cli", "wildcard_number", "type", "disposition", "queue_ids", "agent_ids", "team_ids",
    "wrapup_codes", "event", "end_reason", "campaign_ids", "duration_from", "duration_to",
    "dialing_time_from", "dialing_time_to", "talk_time_from", "talk_time_to", "hold_time_from",
    "hold_time_to", "ivr_time_from", "ivr_time_to", "queue_time_from", "queue_time_to",
    "deleted_agent_ids", "first_seen", "lead_source", "start_datetime", "end_datetime", "uuid",
    "related_call_uuid", "destination_name",
]  # fmt: skip
REQUEST_TYPES = [
    "inbound", "outbound", "dialer", "click_to_call", "outbound_sms", "whatsapp", "facebook",
    "instagram", "telegram", "web_chat", "HLR_lookup", "queue_callback",
]  # fmt: skip

DIALER = {"dialer", "campaign"}
OUTGOING = {"outbound", "click_to_call", "click-to-call", *DIALER}

Check = Callable[[dict[str, Any]], bool]


def seconds(record: dict[str, Any]) -> int:
    hours, minutes, rest = map(int, record["duration"].split(":"))
    return hours * 3600 + minutes * 60 + rest


# What a filter must let through, as far as the answer shows it; None where only the narrowing can
# be seen.
FILTERS: dict[str, tuple[str, Check | None]] = {
    "cli": ("1555", lambda r: r["from"].startswith("1555")),
    "number": ("49", lambda r: r["to"].startswith("49")),
    "wildcard_cli": ("71", lambda r: "71" in r["from"]),
    "wildcard_number": ("99", lambda r: "99" in r["to"]),
    "type": ("outbound", lambda r: r["type"] == "outbound"),
    "disposition": ("no_answer", lambda r: r["disposition"] in {"no_answer", "No Answer"}),
    "queue_ids": (
        "199, 201",
        lambda r: r.get("queue") in {q.name for q in QUEUES if q.id in {199, 201}},
    ),
    "agent_ids": ("52700, 52715", lambda r: r["agent_id"] in {52700, 52715}),
    "team_ids": ("3,4", lambda r: r["agent_id"] in {a.id for a in AGENTS if a.team_id in {3, 4}}),
    "wrapup_codes": ("0001, 1002", lambda r: r["wrapup_code"] in {"0001", "1002"}),
    "deleted_agent_ids": ("52835,52700", lambda r: r["agent_id"] == 52835),
    "event": ("answered", None),
    "end_reason": ("agent_hangup", None),
    "campaign_ids": ("15, 13", lambda r: r["type"] in DIALER),
    "duration_from": ("60", lambda r: seconds(r) > 60),
    "duration_to": ("60", lambda r: seconds(r) < 60),
    **{f"{name}_time_from": ("10", None) for name in ("dialing", "talk", "hold", "ivr", "queue")},
    **{f"{name}_time_to": ("10", None) for name in ("dialing", "talk", "hold", "ivr", "queue")},
    "first_seen": ("Required", lambda r: r["type"] in OUTGOING),
    "lead_source": ("Google ADS", lambda r: r["type"] in DIALER),
    "destination_name": (
        "Germany - Other",
        lambda r: r.get("destination_name", "Germany - Other") == "Germany - Other",
    ),
}


@pytest.fixture(scope="module")
def simulator() -> Any:
    with Simulator(seed=4, records_per_day=900, exact=True, now=END) as running:
        yield running


def test_all_documented_parameters_exist() -> None:
    assert set(VENDOR_PARAMETERS) == PARAMETERS
    assert len(VENDOR_PARAMETERS) == 39


@pytest.mark.parametrize("name", FILTERS)
def test_filters_are_exact(simulator: Simulator, name: str) -> None:
    value, check = FILTERS[name]
    answers = walk(simulator, **DAY, **{name: value})
    found = [record for answer in answers for record in answer.json["records"]]
    everything = [json.loads(raw) for raw in truth(simulator).values()]
    assert 0 < len(found) < len(everything)
    assert {r["uuid"] for r in found} == truth(simulator, {name: value}).keys()
    if check:
        assert all(check(record) for record in found)
    if check and name not in {"first_seen", "lead_source", "campaign_ids", "destination_name"}:
        assert {r["uuid"] for r in everything if check(r)} == {r["uuid"] for r in found}


@pytest.mark.parametrize("name", [name[:-5] for name in FILTERS if name.endswith("_from")])
def test_bounds_of_lengths_are_strict(simulator: Simulator, name: str) -> None:
    def month(**filters: int) -> set[str]:
        return set(simulator.truth(START, START + timedelta(days=28), filters))

    longer, shorter = month(**{f"{name}_from": 20}), month(**{f"{name}_to": 20})
    exactly = month(**{f"{name}_from": 19, f"{name}_to": 21})
    assert longer
    assert shorter
    assert exactly
    assert not longer & shorter
    assert not exactly & (longer | shorter)
    assert month(**{f"{name}_from": -1}) == longer | shorter | exactly


@pytest.mark.parametrize("spelling", REQUEST_TYPES)
def test_request_spellings_find_records(simulator: Simulator, spelling: str) -> None:
    found = all_uuids(walk(simulator, **DAY, type=spelling))
    assert found
    assert set(found) == truth(simulator, {"type": spelling}).keys()


@pytest.mark.parametrize(
    ("spelling", "request_type"),
    [
        ("campaign", "dialer"),
        ("callback", "queue_callback"),
        ("queue-callback", "queue_callback"),
        ("scheduled-callback", "scheduled_callback"),
    ],
)
def test_rare_spellings_find_their_type(
    simulator: Simulator, spelling: str, request_type: str
) -> None:
    expected = truth(simulator, {"type": request_type})
    found = all_uuids(walk(simulator, **DAY, type=spelling))

    kinds = {json.loads(raw)["type"] for raw in expected.values()}
    assert set(found) == expected.keys()
    assert len(kinds) > 1


@pytest.mark.parametrize("ending", ["waiting", "active", "answered_by_VM", "not_delivered"])
def test_rare_dispositions_are_found(simulator: Simulator, ending: str) -> None:
    window = START, START + timedelta(days=14)
    expected = [
        uuid
        for uuid, raw in simulator.truth(*window).items()
        if json.loads(raw)["disposition"] == ending
    ]
    answers = walk(simulator, start_date="2024-05-01", end_date="2024-05-14", disposition=ending)

    assert expected
    assert sorted(all_uuids(answers)) == sorted(expected)


def test_types_part_the_whole(simulator: Simulator) -> None:
    parts = [
        truth(simulator, {"type": name}) for name in [*REQUEST_TYPES, "viber", "scheduled_callback"]
    ]
    assert sum(map(len, parts)) == len(truth(simulator))


def test_uuids_of_record_and_parent(simulator: Simulator) -> None:
    related = next(
        r for raw in truth(simulator).values() if (r := json.loads(raw)).get("related_call")
    )
    assert all_uuids(walk(simulator, **DAY, uuid=related["uuid"])) == [related["uuid"]]
    assert all_uuids(walk(simulator, **DAY, related_call_uuid=related["related_call"])) == [
        related["uuid"]
    ]


def test_filters_narrow_together(simulator: Simulator) -> None:
    filters = {"type": "inbound", "duration_from": "30", "disposition": "answered"}
    found = set(all_uuids(walk(simulator, **DAY, **filters)))
    assert found == set.intersection(*(set(truth(simulator, {k: v})) for k, v in filters.items()))
    assert found


def test_truth_takes_lists(simulator: Simulator) -> None:
    assert truth(simulator, {"agent_ids": [52700, 52715]}) == truth(
        simulator, {"agent_ids": "52700, 52715"}
    )


@pytest.mark.parametrize("name", VENDOR_PARAMETERS)
def test_empty_values_filter_nothing(simulator: Simulator, name: str) -> None:
    if name != "key":
        assert ask(simulator, **{**DAY, name: ""}).status == 200


@pytest.mark.parametrize(
    "params",
    [
        {"colour": "red"},
        {"page": "0"},
        {"page": "one"},
        {"per_page": "0"},
        {"per_page": "10001"},
        {"start_date": "01.05.2024"},
        {"start_date": "2024-02-30"},
        {"end_date": "9999-12-31"},
        {"start_date": "0001-01-01"},
        {"start_datetime": "2024-05-01 00:00:00"},
        {"start_datetime": "2024-05-01T00:00:00Z"},
        {"agent_ids": "1,x"},
        {"duration_from": "1.5"},
        {"first_seen": "sometimes"},
        {"search_token": "no token"},
        {"search_token": "WzEsMl0="},
    ],
)
def test_wrong_parameters_are_unprocessable(simulator: Simulator, params: dict[str, str]) -> None:
    got = ask(simulator, **params)
    assert got.status == 422
    assert isinstance(got.json["error"], str)
    assert got.json.keys() == {"error"}


def test_repeated_parameter_is_unprocessable(simulator: Simulator) -> None:
    assert send(simulator, f"{CDR}?key={simulator.key}&type=inbound&type=outbound").status == 422
