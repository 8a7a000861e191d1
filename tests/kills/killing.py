"""Kills exports at random moments, and checks what they leave behind and what retries write."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from tests.kills.worker import SIGNALS, Run, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kills.destinations import Destination, Difference, State
    from tests.kills.worker import Worker


@dataclass
class Kill:
    """One kill and its outcome.

    :param kind: what was being exported
    :param phase: what the task was doing
    :param left: the state in which the destination was found after the kill
    :param problems: everything that must not be; empty if the kill was survived
    """

    kind: str
    signal: Signal
    phase: str
    seconds_to_end: float
    left: str = "neither"
    lost: int = 0
    doubled: int = 0
    leftovers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def differs(self, when: str, found: Difference) -> None:
        self.lost += found.lost
        self.doubled += found.doubled
        self.problems.append(f"{when}: {found}")

    def leaves(self, when: str, leftovers: list[str]) -> None:
        self.leftovers += leftovers
        self.problems += [f"{when}: {what} is left" for what in leftovers]


def kills(
    destination: Destination,
    worker: Worker,
    count: int,
    seed: int,
    tell: Callable[[Kill], None] = lambda _: None,
) -> list[Kill]:
    """Kill runs, signals in turn, at moments drawn uniformly from the length of a run.

    A run that ends before its signal comes is no kill and is not counted.

    :param tell: called after each kill
    """
    chance = random.Random(f"{seed} {destination.name}")  # noqa: S311 - no secret
    lengths: dict[str, list[float]] = {kind: [] for kind in destination.kinds}
    for kind in (*destination.kinds, *destination.kinds):
        _finish(destination, worker, kind, [])  # the first answer of each state takes long
    for kind in destination.kinds:
        _finish(destination, worker, kind, lengths[kind])
    assert not destination.difference(destination.states)
    done: list[Kill] = []
    while len(done) < count:
        turn, place = divmod(len(done), len(destination.kinds))
        kind, signal = destination.kinds[place], SIGNALS[turn % 2]
        new = other(destination.states[kind])
        run = worker.run(f"{kind}_{new}", signal, chance.uniform(0, median(lengths[kind][-5:])))
        if not run.hit:
            assert run.states == ["success"], run.log
            lengths[kind].append(run.seconds)
            destination.states[kind] = new
            continue
        kill = Kill(kind, signal, run.phase(), run.seconds_to_end or 0)
        _look(destination, kill, run)
        retry = _finish(destination, worker, kind, lengths[kind])
        if found := destination.difference(destination.states):
            kill.differs("after the retry", found)
        kill.leaves("after the retry", [*retry.temp_files, *destination.leftovers()])
        done.append(kill)
        tell(kill)
    return done


def _finish(destination: Destination, worker: Worker, kind: str, lengths: list[float]) -> Run:
    """Run a task to success, which brings the destination to its other state."""
    new = other(destination.states[kind])
    run = worker.run(f"{kind}_{new}")
    assert run.states == ["success"], run.log
    lengths.append(run.seconds)
    destination.states[kind] = new
    return run


def _look(destination: Destination, kill: Kill, run: Run) -> None:
    """See what a killed run has left."""
    old = destination.states
    new = {**old, kill.kind: other(old[kill.kind])}
    found = destination.difference(old)
    if not found:
        kill.left = "old"
    elif not destination.difference(new):
        kill.left = "new"
    else:
        kill.differs("after the kill", found)
    told = kill.signal == "SIGTERM"
    left = destination.leftovers() if told else destination.leftovers_of_killed()
    kill.leaves("after the kill", [*run.temp_files, *left])
    if run.escalated:
        kill.problems.append(
            f"did not end upon SIGTERM; first and last it was in\n{run.stack}\n{run.log}"
        )
    if told and run.exit_code == 0 and run.states != ["up_for_retry"]:
        kill.problems.append(f"Airflow was told {run.states}\n{run.log}")


def other(state: State) -> State:
    """Return the state that is not this one."""
    return "before" if state == "after" else "after"
