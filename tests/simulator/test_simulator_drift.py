from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import pytest

from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.simulator.simulator_client import (
    DAY,
    END,
    START,
    all_uuids,
    ask,
    command_line,
    send,
    walk,
)

ONE_DAY = 86_400
EVERY_KIND = Drift(
    appear=0.1,
    change=0.1,
    leave=0.1,
    move=0.2,
    move_seconds=(-3 * ONE_DAY, 3 * ONE_DAY),
    after=1,
    steps=3,
)
STEPS = (0, 1, 2, 3)


def simulator(drift: Drift = EVERY_KIND, **options: Any) -> Simulator:
    return Simulator(**{"seed": 8, "records_per_day": 400, "drift": drift, **options})


def looks(voiso: Simulator, **filters: str) -> list[dict[str, bytes]]:
    return [voiso.truth(START, END, filters, state=step) for step in STEPS]


def disposition(raw: bytes) -> str:
    return str(json.loads(raw)["disposition"])


def instant(raw: bytes) -> datetime:
    return datetime.fromisoformat(json.loads(raw)["timestamp"])


def test_drift_by_number_of_answers() -> None:
    drift = Drift(appear=0.1, change=0.1, move=0.1, move_seconds=7200, after=2)
    day = {"start_date": "2024-05-01", "end_date": "2024-05-01", "per_page": 1000}
    with Simulator(records_per_day=600, drift=drift) as voiso:
        before = voiso.truth(START, END, state="before")
        after = voiso.truth(START, END, state="after")
        assert voiso.truth(START, END) == before
        looks = [set(ask(voiso, **day).uuids) for _ in range(3)]
        assert looks == [before.keys(), before.keys(), after.keys()]
        assert voiso.truth(START, END) == after

        appeared, gone, both = (
            after.keys() - before.keys(),
            before.keys() - after.keys(),
            after.keys() & before.keys(),
        )
        assert len(appeared) > len(gone) > 0
        changed = {uuid for uuid in both if before[uuid] != after[uuid]}
        assert changed
        differing = {
            name
            for uuid in changed
            for name, value in json.loads(after[uuid]).items()
            if value != json.loads(before[uuid])[name]
        }
        named = {"wrapup_code", "cpc", "timestamp"}
        # A conversation that was open is archived when its end moves.
        assert named <= differing <= {*named, "disposition"}
        next_day = voiso.truth(END, END + timedelta(days=1), state="after")
        assert gone <= next_day.keys(), (
            "records that moved out of the day must be found in the next"
        )


def test_drift_on_demand() -> None:
    with Simulator(records_per_day=300, drift=Drift(appear=0.5)) as voiso:
        before = set(ask(voiso, start_date="2024-05-01", end_date="2024-05-01").uuids)
        voiso.drift_now()
        after = set(ask(voiso, start_date="2024-05-01", end_date="2024-05-01").uuids)
        assert before < after
        assert after == voiso.truth(START, END, state="after").keys()


def test_token_holds_while_rows_appear() -> None:
    drift = Drift(appear=0.3, after=1)
    with Simulator(
        records_per_day=250, exact=True, drift=drift, readings=Readings(cap=100)
    ) as voiso:
        answers = walk(voiso, start_date="2024-05-01", end_date="2024-05-01", per_page=100)
        uuids = all_uuids(answers)
        assert len(uuids) == len(set(uuids))
        assert (
            voiso.truth(START, END, state="before").keys()
            <= set(uuids)
            < voiso.truth(START, END).keys()
        )


def test_each_step_is_served() -> None:
    with simulator() as voiso:
        served = [set(ask(voiso, **DAY).uuids) for _ in range(5)]

        expected = [look.keys() for look in looks(voiso)]
        assert served == [*expected, expected[-1]]
        assert voiso.truth(START, END, state="before").keys() == expected[0]
        assert voiso.truth(START, END, state="after").keys() == expected[-1]
        assert voiso.truth(START, END).keys() == expected[-1]


def test_answers_count_for_each_step() -> None:
    with simulator(Drift(appear=0.5, after=2, steps=2)) as voiso:
        served = [len(ask(voiso, **DAY).uuids) for _ in range(6)]

        assert served[0] == served[1] < served[2] == served[3] < served[4] == served[5]


def test_every_step_moves_something() -> None:
    for earlier, later in zip(looks(simulator()), looks(simulator())[1:], strict=False):
        both = earlier.keys() & later.keys()

        assert later.keys() - earlier.keys()
        assert earlier.keys() - later.keys()
        assert any(earlier[uuid] != later[uuid] for uuid in both)


def test_stayed_records_never_differ() -> None:
    voiso = simulator()
    before, *later = looks(voiso)

    same = {
        uuid: raw for uuid, raw in before.items() if all(look.get(uuid) == raw for look in later)
    }

    assert voiso.truth(START, END, state="stayed") == same
    assert 0 < len(same) < len(before)


def test_stayed_obeys_filters() -> None:
    voiso = simulator()
    before, *later = looks(voiso, type="inbound")

    same = {
        uuid: raw for uuid, raw in before.items() if all(look.get(uuid) == raw for look in later)
    }

    assert voiso.truth(START, END, {"type": "inbound"}, state="stayed") == same
    assert same


def test_everything_stays_without_drift() -> None:
    voiso = Simulator(records_per_day=50)

    assert voiso.truth(START, END, state="stayed") == voiso.truth(START, END)


def test_appearing_records_come_and_stay() -> None:
    sizes = [look.keys() for look in looks(simulator(Drift(appear=0.5, steps=3)))]

    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]


def test_leaving_records_never_return() -> None:
    sizes = [look.keys() for look in looks(simulator(Drift(leave=0.5, steps=3)))]

    assert sizes[0] > sizes[1] > sizes[2] > sizes[3]


def test_changed_records_keep_their_time() -> None:
    before, *_, after = looks(simulator(Drift(change=0.5, steps=3)))

    assert before.keys() == after.keys()
    assert 0 < sum(before[uuid] != after[uuid] for uuid in before) < len(before)
    assert all(instant(before[uuid]) == instant(after[uuid]) for uuid in before)


@pytest.fixture(scope="module")
def movers() -> Simulator:
    """Moves by one second to seven days, either way, at three steps."""
    return simulator(Drift(move=0.4, move_seconds=(-7 * ONE_DAY, 7 * ONE_DAY), steps=3))


def test_records_move_in_and_out(movers: Simulator) -> None:
    before, after = (movers.truth(START, END, state=state) for state in ("before", "after"))

    came_in, went_out = after.keys() - before.keys(), before.keys() - after.keys()
    within = [uuid for uuid in before.keys() & after.keys() if before[uuid] != after[uuid]]

    assert came_in
    assert went_out
    assert any(instant(after[uuid]) < instant(before[uuid]) for uuid in within)
    assert any(instant(after[uuid]) > instant(before[uuid]) for uuid in within)


def test_moves_last_seconds_to_days(movers: Simulator) -> None:
    wide = START - timedelta(days=8), END + timedelta(days=8)
    before = movers.truth(START, END, state="before")
    after = movers.truth(*wide, state="after")

    moves = [(instant(after[uuid]) - instant(before[uuid])).total_seconds() for uuid in before]

    assert any(1 <= seconds <= 60 for seconds in moves)
    assert any(-60 <= seconds <= -1 for seconds in moves)
    assert any(seconds > 2 * ONE_DAY for seconds in moves)
    assert any(seconds < -2 * ONE_DAY for seconds in moves)
    assert all(abs(seconds) <= 7 * ONE_DAY for seconds in moves)
    assert all(seconds == int(seconds) for seconds in moves)


@pytest.mark.parametrize("step", STEPS)
def test_moved_records_are_found_once(movers: Simulator, step: int) -> None:
    days = [START + timedelta(days=day) for day in range(-8, 9)]
    whole = movers.truth(days[0], days[-1] + timedelta(days=1), state=step)
    parts = [movers.truth(day, day + timedelta(days=1), state=step) for day in days]

    assert movers.truth(START, END, state=0).keys() <= whole.keys()
    assert sum(map(len, parts)) == len(whole)
    for day, part in zip(days, parts, strict=True):
        assert all(day <= instant(raw) < day + timedelta(days=1) for raw in part.values())


@pytest.mark.parametrize(("low", "high"), [(0, 60), (-60, 0), (30, 60), (-60, -30), (-60, 60)])
def test_moves_keep_their_range(low: int, high: int) -> None:
    voiso = simulator(Drift(move=1.0, move_seconds=(low, high)))
    before = voiso.truth(START, END, state="before")
    after = voiso.truth(START - timedelta(minutes=1), END + timedelta(minutes=1), state="after")

    moves = {(instant(after[uuid]) - instant(before[uuid])).total_seconds() for uuid in before}

    assert len(moves) > 10
    assert low <= min(moves) <= max(moves) <= high
    assert 0 not in moves


def test_moves_end_open_conversations() -> None:
    voiso = simulator(Drift(move=1.0, move_seconds=60), records_per_day=2_000)
    before = voiso.truth(START, END, state="before")
    after = voiso.truth(START, END + timedelta(minutes=1), state="after")

    open_before = {
        uuid for uuid, raw in before.items() if disposition(raw) in {"waiting", "active"}
    }
    assert open_before
    assert {disposition(after[uuid]) for uuid in open_before} == {"archived"}
    assert all(disposition(after[u]) == disposition(before[u]) for u in before.keys() - open_before)


def test_order_of_questions_is_free() -> None:
    asked_late_first = simulator()
    late = asked_late_first.truth(END + timedelta(days=2), END + timedelta(days=3), state=3)
    first = looks(asked_late_first)

    assert late
    assert first == looks(simulator())


def test_steps_on_demand() -> None:
    with simulator(Drift(appear=0.5, steps=3)) as voiso:
        expected = [look.keys() for look in looks(voiso)]
        voiso.drift_now(1)
        first = set(ask(voiso, **DAY).uuids)
        voiso.drift_now()
        last = set(ask(voiso, **DAY).uuids)

    assert first == expected[1]
    assert last == expected[3]


def test_steps_over_http() -> None:
    with simulator(Drift(leave=0.5, steps=3)) as voiso:
        assert send(voiso, "/_simulator/drift?step=2", method="POST").status == 200

        assert set(ask(voiso, **DAY).uuids) == looks(voiso)[2].keys()
        assert send(voiso, "/_simulator/drift?step=4", method="POST").status == 422


@pytest.mark.parametrize("state", ["2", "stayed"])
def test_states_over_http(state: str) -> None:
    with simulator() as voiso:
        window = {"start": START.isoformat(), "end": END.isoformat()}
        got = send(voiso, "/_simulator/truth", {**window, "state": state})
        expected = voiso.truth(START, END, state=2 if state == "2" else "stayed")

        assert got.json["uuids"] == list(expected)
        assert send(voiso, "/_simulator/truth", {**window, "state": "4"}).status == 422


def test_unknown_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="step is 4; the drift has steps from 0 to 3"):
        simulator().truth(START, END, state=4)
    with pytest.raises(ValueError, match="step is 1; the drift has steps from 0 to 0"):
        Simulator().drift_now(1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"move_seconds": 8 * ONE_DAY}, "at most 604800 seconds"),
        ({"move_seconds": (-8 * ONE_DAY, 0)}, "at most 604800 seconds"),
        ({"move_seconds": (60, 30)}, "the lower number comes first"),
        ({"steps": 0}, "must be 1 or more"),
        ({"leave": -0.1}, "from 0 to 1"),
        ({"appear": 0.6, "leave": 0.6}, "from 0 to 1"),
    ],
)
def test_impossible_drifts_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drift(**values)


def test_drift_by_command_line() -> None:
    options = ["--seed=8", "--records-per-day=400", "--drift-appear=0.1", "--drift-leave=0.2"]
    options += ["--drift-move=0.3", "--drift-move-seconds=-3600,90000", "--drift-steps=2"]
    drift = Drift(appear=0.1, leave=0.2, move=0.3, move_seconds=(-3_600, 90_000), steps=2)
    voiso = simulator(drift)

    with command_line(*options) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        step = Request(f"{url}/_simulator/drift?step=1", method="POST")  # noqa: S310
        urlopen(step).close()  # noqa: S310
        window = f"start={START:%Y-%m-%dT%H:%M:%SZ}&end={END:%Y-%m-%dT%H:%M:%SZ}"
        with urlopen(f"{url}/_simulator/truth?{window}") as answer:  # noqa: S310
            uuids = json.load(answer)["uuids"]
        process.terminate()

    assert uuids == list(voiso.truth(START, END, state=1))
