from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_voiso.simulator import Readings, Simulator
from tests.simulator.simulator_client import END, START, UTC, truth

SAMPLE_FIELDS = {
    "agent": (str, type(None)),
    "from": (str,),
    "disposition": (str,),
    "duration": (str,),
    "to": (str,),
    "timestamp": (str,),
    "uuid": (str,),
    "wrapup_code": (str, type(None)),
    "type": (str,),
    "agent_id": (int, type(None)),
    "cpc": (float, type(None)),
}
RESPONSE_TYPES = {
    "inbound", "outbound", "dialer", "click-to-call", "click_to_call", "hlr_ookup", "outbound SMS",
    "whatsapp", "chat", "instagram", "facebook", "telegram", "viber", "queue_callback",
    "scheduled_callback",
}  # fmt: skip
RARE_TYPES = {"campaign", "callback", "queue-callback", "scheduled-callback"}
RARE_DISPOSITIONS = {
    "rejected", "dialer_abandoned", "system_abandoned", "answered_by_VM", "system_reject",
    "machine_answered", "not_sent", "route_unavailable", "not_delivered", "waiting", "active",
}  # fmt: skip

FIRST_RECORD = (
    '{"to":"74950726875","timestamp":"2024-04-30T21:00:00.000-03:00",'
    '"uuid":"a78227f6-4003-4951-acf7-d4eadf098346","wrapup_code":null,"type":"outbound",'
    '"agent_id":52760,"cpc":0.4385,"destination_name":"Россия - Москва","agent":"Łukasz Żółć",'
    '"from":"97123187000","disposition":"failed","duration":"00:00:00","queue":null}'
)


def records(simulator: Simulator) -> list[dict[str, Any]]:
    return [json.loads(raw) for raw in truth(simulator).values()]


def instant(record: dict[str, Any]) -> datetime:
    text = re.sub(r"(\.\d{3})(\d*)", lambda m: m[1] + (m[2] + "000")[:3], record["timestamp"])
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def digest_in_another_process(hash_seed: str) -> str:
    program = (
        "import hashlib; from datetime import datetime, timezone; from "
        "airflow_provider_voiso.simulator import Simulator; t = "
        "Simulator(seed=5).truth(*(datetime(2024, 5, d, tzinfo=timezone.utc) for d in (1, 2))); "
        "print(hashlib.sha256(b''.join(t.values())).hexdigest())"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_processes_make_equal_bytes() -> None:
    here = hashlib.sha256(b"".join(truth(Simulator(seed=5)).values())).hexdigest()
    assert {here} == {digest_in_another_process("1"), digest_in_another_process("2")}


def test_bytes_of_a_seed_stay() -> None:
    first = next(iter(truth(Simulator(seed=1, records_per_day=2, exact=True)).values()))
    assert first.decode() == FIRST_RECORD


def test_another_seed_makes_other_records() -> None:
    assert not truth(Simulator(seed=1)).keys() & truth(Simulator(seed=2)).keys()


def test_days_stand_alone() -> None:
    week = Simulator(seed=9, records_per_day=200)
    whole = week.truth(START - timedelta(days=3), END + timedelta(days=3))
    alone = truth(Simulator(seed=9, records_per_day=200))
    assert alone
    assert {uuid: whole[uuid] for uuid in alone} == alone


@pytest.mark.parametrize("count", [0, 1, 2, 777])
def test_exact_number_a_day(count: int) -> None:
    assert len(truth(Simulator(records_per_day=count, exact=True))) == count


def test_days_differ_in_size() -> None:
    simulator = Simulator(records_per_day=1000)
    sizes = [
        len(simulator.truth(START + timedelta(days=d), END + timedelta(days=d))) for d in range(8)
    ]
    assert len(set(sizes)) > 3
    assert all(800 <= size <= 1200 for size in sizes)


def test_adjacent_windows_part_the_day() -> None:
    simulator = Simulator(records_per_day=500)
    cuts = [
        START,
        START + timedelta(milliseconds=1),
        START + timedelta(hours=3),
        END - timedelta(milliseconds=1),
        END,
    ]
    parts = [simulator.truth(low, high) for low, high in itertools.pairwise(cuts)]
    assert sum(map(len, parts)) == len(truth(simulator))
    assert set().union(*parts) == truth(simulator).keys()
    assert all(parts[i] for i in (0, 3)), "no record on the very edge of the day"


def test_records_on_edges_of_days() -> None:
    found = {
        instant(record).astimezone(UTC).time().isoformat("milliseconds")
        for record in records(Simulator())
    }
    assert {"00:00:00.000", "00:00:00.999", "23:59:59.999", "03:00:00.000", "02:59:59.999"} <= found


def test_records_look_like_the_sample() -> None:
    for uuid, raw in truth(Simulator()).items():
        record = json.loads(raw)
        assert record["uuid"] == uuid
        assert {
            name for name, kinds in SAMPLE_FIELDS.items() if not isinstance(record[name], kinds)
        } == set()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-03:00", record["timestamp"])
        assert re.fullmatch(r"\d\d+:[0-5]\d:[0-5]\d", record["duration"])
        assert START <= instant(record) < END
        assert b"\n" not in raw


def test_all_documented_types_appear() -> None:
    assert {record["type"] for record in records(Simulator())} >= RESPONSE_TYPES


def test_rare_spellings_of_types_appear() -> None:
    kinds = [record["type"] for record in records(Simulator())]

    rare = [kind for kind in kinds if kind in RARE_TYPES]
    assert set(rare) == RARE_TYPES
    assert len(rare) < len(kinds) / 20


def test_rare_dispositions_appear() -> None:
    endings = [record["disposition"] for record in records(Simulator(records_per_day=6_000))]

    rare = [ending for ending in endings if ending in RARE_DISPOSITIONS]
    assert set(rare) == RARE_DISPOSITIONS
    assert len(rare) < len(endings) / 8


def test_only_conversations_stay_open() -> None:
    found = [r for r in records(Simulator()) if r["disposition"] in {"waiting", "active"}]

    assert {record["disposition"] for record in found} == {"waiting", "active"}
    assert all("sla" in record for record in found)
    assert all(record["wrapup_code"] is None for record in found)


def test_fields_differ_by_type() -> None:
    for record in records(Simulator()):
        kind = record["type"]
        assert ("sla" in record) == (
            kind in {"whatsapp", "chat", "instagram", "facebook", "telegram", "viber"}
        )
        assert ("text" in record) == (kind in {"outbound SMS", "outbound_sms"})


def test_awkward_values_appear() -> None:
    found = records(Simulator(records_per_day=6000))
    known = {
        *SAMPLE_FIELDS,
        "queue",
        "sla",
        "sid",
        "text",
        "related_call",
        "template",
        "num_segments",
    }
    texts = "".join(record.get("text") or "" for record in found)
    assert all(part in texts for part in ("\n", '"', ";", ",", "\t", "👍🏽", "שלום", "\u2028"))
    assert any(int(record["duration"].split(":")[0]) >= 24 for record in found)
    assert any((record["wrapup_code"] or "").startswith("0") for record in found)
    assert any(record.keys() - known - {"destination_name"} for record in found)
    assert any(record["cpc"] is None for record in found)
    assert any(re.search(r"\.\d{4}$", str(record["cpc"])) for record in found)
    assert len({tuple(record) for record in found}) > 10


@pytest.mark.parametrize(
    ("readings", "pattern"),
    [
        (Readings(timestamps="z"), r"\.\d{3}Z"),
        (Readings(timestamps="micro"), r"\.\d{6}-03:00"),
        (Readings(timestamps="nano"), r"\.\d{9}-03:00"),
        (Readings(offset="+05:30"), r"\.\d{3}\+05:30"),
        (Readings(offsets="mixed"), r"\.\d{3}[+-]\d\d:\d\d"),
    ],
)
def test_timestamps_are_written_as_switched(readings: Readings, pattern: str) -> None:
    found = records(Simulator(readings=readings))
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d" + pattern, record["timestamp"])
        for record in found
    )
    assert all(START <= instant(record) < END for record in found)
    if readings.offsets == "mixed":
        assert len({record["timestamp"][-6:] for record in found}) > 3


@pytest.mark.parametrize(
    ("sla", "kinds"), [("object", {dict}), ("array", {list}), ("mixed", {dict, list})]
)
def test_sla_is_written_as_switched(sla: Any, kinds: set[type]) -> None:
    found = records(Simulator(readings=Readings(sla=sla)))
    assert {type(record["sla"]) for record in found if "sla" in record} == kinds


@pytest.mark.parametrize(
    ("name", "value"), [("order", "newest"), ("invalid_key_status", 500), ("sla", None)]
)
def test_mistyped_switches_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}; it must be one of"):
        Readings(**{name: value})
