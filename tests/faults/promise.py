"""The promise after any fault: the old state or the new one, a retry to the new one, silence."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.exceptions import VoisoError
from airflow_provider_voiso.simulator import Drift, Simulator
from tests.faults.destinations import END, START, Sql
from tests.secret_search import Secret, text_of

if TYPE_CHECKING:
    from tests.faults.destinations import Destination

SECRET = Secret("k+/=&%<ü>-secret-a387")
WINDOW = "[2024-11-10T00:00:00+00:00, 2024-11-11T00:00:00+00:00)"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"\d{9,}")


def voiso(*, drifted: bool, **options: Any) -> Simulator:
    """Return one of two local Voisos, which differ in what the window holds."""
    drift = Drift(appear=0.1, change=0.3, move=0.1)
    sim = Simulator(
        **{
            "key": SECRET.text,
            "records_per_day": 110,
            "exact": True,
            "drift": drift,
            "seed": 3,
            **options,
        }
    )
    if drifted:
        sim.drift_now()
    return sim


class Promise:
    """A destination with the window of one local Voiso, and a connection to another.

    :param destination: holds the old state from now on
    :param states: two local Voisos with different records in the window
    """

    def __init__(
        self,
        destination: Destination,
        states: tuple[Simulator, Simulator],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        self.destination = destination
        self._monkeypatch = monkeypatch
        self._caplog = caplog
        self._capfd = capfd
        for sim in states:
            sim.faults.clear()
        self.old, self.new = states
        self.new_is_drifted = True
        if self._holds(self.new):
            self.old, self.new = self.new, self.old
            self.new_is_drifted = False
        elif not self._holds(self.old):
            self._fill()

    def _holds(self, sim: Simulator) -> bool:
        try:
            return bool(
                self.destination.content() == self.destination.expected(sim.truth(START, END))
            )
        except Exception:  # noqa: BLE001 - there is no such table yet
            return False

    def _fill(self) -> None:
        self.lead_to(self.old)
        if isinstance(self.destination, Sql):
            self.destination.execute("DROP TABLE IF EXISTS calls")
        self.destination.export()
        if isinstance(self.destination, Sql):
            self.destination.add_neighbour()
        assert self._holds(self.old)

    def lead_to(self, sim: Simulator, **extra: Any) -> None:
        """Let the connection lead to a local Voiso, which sends 20 records an answer."""
        described = {"conn_type": "voiso", "host": sim.url, "password": SECRET.text}
        extra = {"max_retries": 0, "timeout": 120, "per_page": 20, **extra}
        self._monkeypatch.setenv(
            "AIRFLOW_CONN_VOISO_DEFAULT", json.dumps({**described, "extra": extra})
        )

    def assert_old(self) -> None:
        assert self.destination.content() == self.destination.expected(self.old.truth(START, END))

    def assert_new(self) -> None:
        assert self.destination.content() == self.destination.expected(self.new.truth(START, END))

    def assert_fails(self, error: type[VoisoError], says: str, **options: Any) -> VoisoError:
        """Check that an export fails with class and words, changes nothing and tells nothing."""
        with pytest.raises(VoisoError, match=says) as caught:
            self.destination.export(**options)
        assert type(caught.value) is error
        assert WINDOW in str(caught.value)
        self.assert_untold(caught.value)
        self.assert_old()
        return caught.value

    def assert_succeeds(self, **options: Any) -> None:
        """Export, and see that the destination holds the new state."""
        manifest = self.destination.export(**options)
        assert manifest["records"] == len(self.new.truth(START, END))
        self.assert_new()
        self.assert_untold()

    def assert_untold(self, error: BaseException | None = None) -> None:
        """Check that no log, output or error holds the key, a query or a record."""
        said = list(self._capfd.readouterr())
        said += [
            f"{record.getMessage()} {record.__dict__!r}"
            for record in self._caplog.get_records("call")
        ]
        if error is not None:
            SECRET.assert_absent_from(error)
            said.append(text_of(error))
        SECRET.assert_absent(*said)
        everything = "\n".join(said)
        assert "start_datetime=" not in everything
        truth = {**self.old.truth(START, END), **self.new.truth(START, END)}
        assert not truth.keys() & set(_UUID.findall(everything))
        numbers = {
            number for record in truth.values() for number in _NUMBER.findall(record.decode())
        }
        assert not numbers & set(_NUMBER.findall(everything))
