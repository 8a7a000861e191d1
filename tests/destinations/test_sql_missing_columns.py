"""Values of columns that a table lacks are kept in ``extra``, and nothing is dropped."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.extra import original_extra
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from tests.destinations.conftest import Destination, MakeRecord

SLA = {"time_to_first_response": "00:00:01", "time_to_reply": "0:00:03"}
OPTIONAL = [column.name for column in COLUMNS if column.name not in {"uuid", "ended_at", "extra"}]


def extras(destination: Destination) -> dict[str, Any]:
    """Return the decoded ``extra`` of each row, every number as it was written."""
    texts = destination.column(destination.text("extra"))
    return {
        uuid: text and json.loads(original_extra(text), parse_int=str, parse_float=str)
        for uuid, text in texts.items()
    }


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_values_go_to_extra(client: Destination, record: MakeRecord, mode: str) -> None:
    client.create(sid=None, cpc=None, duration_seconds=None, from_party=None)
    page = [
        (
            b'{"uuid":"1","timestamp":"2026-11-22T12:00:00Z","cpc":1.10,"sid":"S","from":"\\u0037 '
            b'\\"\xc5\x82","new":1e5}'
        ),
        record("2", duration="0:01:05", agent="A"),
        record("3"),
    ]

    loaded = client.loaded([page], mode=mode)

    assert loaded.rows == 3
    assert loaded.columns_missing == ("duration_seconds", "from_party", "cpc", "sid")
    assert extras(client) == {
        "1": {"new": "1e5", "cpc": "1.10", "sid": "S", "from": '7 "ł'},
        "2": {"duration": "0:01:05"},
        "3": None,
    }
    assert client.column("agent") == {"1": None, "2": "A", "3": None}


def test_sla_is_merged(destination: Destination, record: MakeRecord) -> None:
    destination.create(sla_reply_seconds=None)
    sla = {**SLA, "time_to_resolution": "soon"}

    destination.load([[record("1", sla=sla), record("2", sla=SLA)]])

    assert extras(destination) == {
        "1": {"sla": {"time_to_resolution": "soon", "time_to_reply": "0:00:03"}},
        "2": {"sla": {"time_to_reply": "0:00:03"}},
    }
    assert destination.column("sla_first_response_seconds") == {"1": 1, "2": 1}


def test_odd_records_are_kept(sqlite: Destination) -> None:
    sqlite.create(agent=None, agent_id=None, text=None)
    page = [
        b'{"uuid":"1","\\u0061gent":"A","agent_id":7,"\\ud800":[1.50,{"a":null}],"agent":"B","text":5}',
        b'{"uuid":"2","timestamp":"2026-11-22T12:00:00Z","sla":null,"agent":null,"agent_id":"7"}',
    ]

    sqlite.load([page])

    found = extras(sqlite)
    assert found["1"] == {
        "\ud800": ["1.50", {"a": None}],
        "agent": "B",
        "agent_id": "7",
        "text": "5",
    }
    assert found["2"] == {"agent_id": "7"}


def test_every_optional_column_may_lack(destination: Destination, record: MakeRecord) -> None:
    absent: dict[str, Any] = dict.fromkeys(OPTIONAL)
    destination.create(**absent)
    fields: dict[str, Any] = {
        "agent": "A",
        "queue": "Q",
        "to": "1",
        "num_segments": 2,
        "sla": SLA,
        "type": "sms",
    }

    loaded = destination.loaded([[record("1", **fields)]])

    assert loaded.columns_missing == tuple(OPTIONAL)
    assert extras(destination) == {"1": {**fields, "num_segments": "2"}}
    assert destination.loaded([[record("2", **fields)]]).rows == 1
    assert extras(destination) == {"2": {**fields, "num_segments": "2"}}


def test_names_are_logged_once(
    sqlite: Destination, record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite.create(sid=None, agent=None)

    with caplog.at_level(logging.WARNING):
        sqlite.load([[record(str(number), sid="secret") for number in range(700)]])

    (message,) = (
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("airflow_provider_voiso")
    )
    assert "calls lacks the columns agent, sid" in message
    assert "add_columns=True" in message
    assert "secret" not in message


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_extra_that_lacks_is_refused(client: Destination, record: MakeRecord, mode: str) -> None:
    client.create(sid=None, extra=None)
    client.load([[record("kept", agent="A")]])

    with pytest.raises(VoisoConfigurationError, match=r"lacks the column extra.*add_columns=True"):
        client.load([[record("1")], [record("2", sid="S")]], mode=mode)
    with pytest.raises(VoisoConfigurationError, match=r"lacks the column extra.*add_columns=True"):
        client.load([[record("1")], [record("2", new=1)]], mode=mode)

    assert client.column("agent") == {"kept": "A"}


def test_added_columns_take_their_values(destination: Destination, record: MakeRecord) -> None:
    destination.create(sid=None)
    destination.load([[record("1", sid="S")]])

    loaded = destination.loaded([[record("1", sid="S")]], add_columns=True)

    assert loaded.columns_missing == ()
    assert destination.column("sid") == {"1": "S"}
    assert extras(destination) == {"1": None}
