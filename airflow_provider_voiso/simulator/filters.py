"""The request parameters of the vendor's table, and the records that each lets through."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from .account import AGENT_BY_ID, KINDS_BY_SPELLING, OUTGOING, QUEUE_NAME_BY_ID, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .record import Record

PAGING = frozenset({"key", "page", "per_page", "search_token"})
DATES = frozenset({"start_date", "end_date", "start_datetime", "end_datetime"})
_TIMES = ("dialing_time", "talk_time", "hold_time", "ivr_time", "queue_time")


class RefusedError(Exception):
    """The request is answered with an error.

    :param message: text of the ``error`` field
    :param status: status of the answer
    """

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


class Row:
    """A record and its visible fields; they are parsed when a filter first needs them."""

    __slots__ = ("_fields", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self._fields: dict[str, Any] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The visible fields."""
        if self._fields is None:
            self._fields = json.loads(self.record.raw)
        return self._fields


def number(name: str, text: str) -> int:
    """Read a whole number.

    :raises RefusedError: if the text is no whole number
    """
    if not re.fullmatch(r"-?\d{1,10}", text, re.ASCII):
        raise RefusedError(f"{name} must be an integer")
    return int(text)


def day_of(name: str, text: str) -> date:
    """Read a date in the documented format.

    :raises RefusedError: if it has another format, or there is no such day
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RefusedError(f"{name} must be in the format YYYY-MM-DD")


def moment_of(name: str, text: str) -> datetime:
    """Read a date and time without a zone in the documented format.

    :raises RefusedError: if it has another format, or there is no such time
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text, re.ASCII):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise RefusedError(f"{name} must be in the format YYYY-MM-DDTHH:MM:SS")


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _numbers(name: str, text: str) -> frozenset[int]:
    return frozenset(number(name, item) for item in _listed(text))


def _starts(field: str) -> Callable[[str, str], Callable[[Row], bool]]:
    return lambda _, value: lambda row: str(row.fields[field]).startswith(value)


def _includes(field: str) -> Callable[[str, str], Callable[[Row], bool]]:
    return lambda _, value: lambda row: value in str(row.fields[field])


def _type(_: str, value: str) -> Callable[[Row], bool]:
    kinds = {KINDS_BY_SPELLING.get(plain(item)) for item in _listed(value)}
    return lambda row: row.record.kind in kinds


def _disposition(_: str, value: str) -> Callable[[Row], bool]:
    wanted = {plain(item) for item in _listed(value)}
    return lambda row: plain(row.fields["disposition"]) in wanted


def _hidden_choice(attribute: str) -> Callable[[str, str], Callable[[Row], bool]]:
    def test(_: str, value: str) -> Callable[[Row], bool]:
        wanted = {plain(item) for item in _listed(value)}
        return lambda row: row.record.is_call and plain(getattr(row.record, attribute)) in wanted

    return test


def _queues(name: str, value: str) -> Callable[[Row], bool]:
    names = {QUEUE_NAME_BY_ID.get(item) for item in _numbers(name, value)} - {None}
    return lambda row: row.fields.get("queue") in names


def _agents(name: str, value: str) -> Callable[[Row], bool]:
    ids = _numbers(name, value)
    return lambda row: row.fields["agent_id"] in ids


def _deleted_agents(name: str, value: str) -> Callable[[Row], bool]:
    ids = {
        item for item in _numbers(name, value) if item in AGENT_BY_ID and AGENT_BY_ID[item].deleted
    }
    return lambda row: row.fields["agent_id"] in ids


def _teams(name: str, value: str) -> Callable[[Row], bool]:
    return in_teams(_numbers(name, value))


def in_teams(team_ids: Iterable[int]) -> Callable[[Row], bool]:
    """Return the test for records whose agent belongs to one of the teams."""
    teams = frozenset(team_ids)
    agents = {agent.id for agent in AGENT_BY_ID.values() if agent.team_id in teams}
    return lambda row: row.fields["agent_id"] in agents


def _wrapup_codes(_: str, value: str) -> Callable[[Row], bool]:
    codes = frozenset(_listed(value))
    return lambda row: row.fields["wrapup_code"] in codes


def _campaigns(name: str, value: str) -> Callable[[Row], bool]:
    ids = _numbers(name, value)
    return lambda row: row.record.campaign_id in ids


def _longer(attribute: str) -> Callable[[str, str], Callable[[Row], bool]]:
    def test(name: str, value: str) -> Callable[[Row], bool]:
        bound = number(name, value)
        if attribute == "duration":
            return lambda row: row.record.duration > bound
        return lambda row: row.record.is_call and getattr(row.record, attribute) > bound

    return test


def _shorter(attribute: str) -> Callable[[str, str], Callable[[Row], bool]]:
    def test(name: str, value: str) -> Callable[[Row], bool]:
        bound = number(name, value)
        if attribute == "duration":
            return lambda row: row.record.duration < bound
        return lambda row: row.record.is_call and getattr(row.record, attribute) < bound

    return test


def _first_seen(name: str, value: str) -> Callable[[Row], bool]:
    if plain(value) != "required":
        raise RefusedError(f"{name} must be Required")
    return lambda row: row.record.first_seen


def _lead_source(_: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row.record.lead_source == value


def _uuid(_: str, value: str) -> Callable[[Row], bool]:
    wanted = value.strip().lower()
    return lambda row: row.record.uuid == wanted


def _related(_: str, value: str) -> Callable[[Row], bool]:
    wanted = value.strip().lower()
    return lambda row: row.fields.get("related_call") == wanted


def _destination(_: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row.record.kind.request in OUTGOING and row.record.destination_name == value


# Filters run in this order: those that need no parsing stand first.
FILTERS: dict[str, Callable[[str, str], Callable[[Row], bool]]] = {
    "type": _type,
    "uuid": _uuid,
    "duration_from": _longer("duration"),
    "duration_to": _shorter("duration"),
    **{f"{name}_from": _longer(name) for name in _TIMES},
    **{f"{name}_to": _shorter(name) for name in _TIMES},
    "event": _hidden_choice("event"),
    "end_reason": _hidden_choice("end_reason"),
    "campaign_ids": _campaigns,
    "first_seen": _first_seen,
    "lead_source": _lead_source,
    "destination_name": _destination,
    "cli": _starts("from"),
    "number": _starts("to"),
    "wildcard_cli": _includes("from"),
    "wildcard_number": _includes("to"),
    "disposition": _disposition,
    "queue_ids": _queues,
    "agent_ids": _agents,
    "team_ids": _teams,
    "wrapup_codes": _wrapup_codes,
    "deleted_agent_ids": _deleted_agents,
    "related_call_uuid": _related,
}
PARAMETERS = PAGING | DATES | FILTERS.keys()


def select(
    records: list[Record], params: Mapping[str, str], team_ids: frozenset[int] | None
) -> list[Record]:
    """Return the records that pass every filter, in the order given.

    :param records: records to choose from
    :param params: request parameters; only filters with a value count
    :param team_ids: teams that the key may see, or None for all
    :raises RefusedError: if a value is not of the documented type
    """
    tests = [make(name, params[name]) for name, make in FILTERS.items() if params.get(name)]
    if team_ids is not None:
        tests.append(in_teams(team_ids))
    if not tests:
        return records
    return [record for record in records if _passes(Row(record), tests)]


def _passes(row: Row, tests: list[Callable[[Row], bool]]) -> bool:
    return all(test(row) for test in tests)
