"""Reference lists in real databases, replaced as a whole in one transaction."""

from __future__ import annotations

import json
import re
import threading
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.destinations.reference import ReferenceList
from airflow_provider_voiso.destinations.sql.dialect import Dialect
from airflow_provider_voiso.destinations.sql.reference_table import ReferenceTable
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoShrunkError,
)
from tests.secret_search import text_of

if TYPE_CHECKING:
    from airflow_provider_voiso.destinations.base import Written
    from tests.destinations.conftest import Destination

FETCHED_AT = datetime(2026, 11, 22, 10, 30, 15, 250_000, tzinfo=timezone.utc)
AGENTS = [{"id": 52700, "name": "Ада Лавлейс"}, {"id": 52715, "name": "Robert'); DROP--"}]


def table_of(destination: Destination, reference: str = "agents", **options: Any) -> ReferenceTable:
    defaults = {"create_table": True, "add_columns": False, "allow_empty": False}
    return ReferenceTable(
        hook=destination.hook,
        table=TableName(None, "people"),
        reference=reference,
        **{**defaults, **options},
    )


def load(
    destination: Destination, items: list[dict[str, Any]], reference: str = "agents", **options: Any
) -> Written:
    table = table_of(destination, reference, **options)
    table.check()
    return table.write(ReferenceList(reference, items, FETCHED_AT))


def rows(destination: Destination, columns: str = "id, name") -> list[tuple[Any, ...]]:
    return sorted(destination.execute(f"SELECT {columns} FROM people"), key=repr)


def extras(destination: Destination) -> list[Any]:
    found = destination.execute(f"SELECT {destination.text('extra')} FROM people")
    return [extra and json.loads(extra) for (extra,) in found]


def test_list_becomes_typed_rows(client: Destination) -> None:
    written = load(client, AGENTS)

    assert rows(client) == [(52700, "Ада Лавлейс"), (52715, "Robert'); DROP--")]
    assert extras(client) == [None, None]
    assert written.records_before == 0
    assert written.table == "people"


def test_leading_zeros_of_codes_count(client: Destination) -> None:
    codes = [{"code": "0001", "description": "No answer"}, {"code": "00", "description": "Other"}]

    load(client, codes, "wrapup_codes")

    assert rows(client, "code, description") == [("00", "Other"), ("0001", "No answer")]


def test_fetched_at_is_an_instant(client: Destination) -> None:
    load(client, AGENTS[:1])

    [(found,)] = rows(client, "fetched_at")
    instant = datetime.fromisoformat(str(found))
    # MySQL knows no zones.
    assert (instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)) == FETCHED_AT


def test_second_list_replaces_the_first(client: Destination) -> None:
    load(client, AGENTS)

    written = load(client, [{"id": 1, "name": "New"}])

    assert rows(client) == [(1, "New")]
    assert written.records_before == 2


def test_other_fields_go_to_extra(client: Destination) -> None:
    load(client, [{"id": 1, "name": "A", "email": "a@b.c", "teams": [1, {"x": None}]}])

    assert extras(client) == [{"email": "a@b.c", "teams": [1, {"x": None}]}]


@pytest.mark.parametrize(
    ("id_", "held", "extra"),
    [
        (7, 7, None),
        ("56215", 56215, {"id": "56215"}),
        ("0012", None, {"id": "0012"}),
        (2**70, None, {"id": 2**70}),
        (True, None, {"id": True}),
    ],
)
def test_ids_of_every_form(sqlite: Destination, id_: Any, held: Any, extra: Any) -> None:
    load(sqlite, [{"id": id_, "name": "A"}])

    assert rows(sqlite, "id") == [(held,)]
    assert extras(sqlite) == [extra]


@pytest.mark.parametrize("name", ["nul\0", "half \ud800", 12, {"a": 1}])
def test_hostile_names_are_kept(client: Destination, name: Any) -> None:
    load(client, [{"id": 1, "name": name}])

    assert rows(client) == [(1, None)]
    assert extras(client)[0].keys() == {"name"}


def test_same_id_twice_is_two_rows(client: Destination) -> None:
    load(client, [AGENTS[0], AGENTS[0]])

    assert len(rows(client)) == 2


def test_empty_list_wipes_nothing(client: Destination) -> None:
    load(client, AGENTS)

    with pytest.raises(VoisoShrunkError, match=r"holds 2 items.*allow_empty=True"):
        load(client, [])

    assert len(rows(client)) == 2


def test_empty_list_replaces_if_allowed(client: Destination) -> None:
    load(client, AGENTS)

    written = load(client, [], allow_empty=True)

    assert rows(client) == []
    assert written.records_before == 2


def test_empty_list_makes_empty_table(client: Destination) -> None:
    load(client, [])
    load(client, [])

    assert rows(client) == []


def test_missing_columns_go_to_extra(client: Destination, caplog: pytest.LogCaptureFixture) -> None:
    client.execute(f"CREATE TABLE people (id BIGINT, extra {client.long_text})")

    written = load(client, AGENTS[:1])

    assert rows(client, "id") == [(52700,)]
    assert extras(client) == [{"name": "Ада Лавлейс"}]
    assert written.columns_missing == ("name", "fetched_at")
    assert "lacks the columns name, fetched_at" in caplog.text


def test_missing_columns_can_be_added(client: Destination) -> None:
    client.execute("CREATE TABLE people (id BIGINT)")

    written = load(client, AGENTS[:1], add_columns=True)

    assert rows(client) == [(52700, "Ада Лавлейс")]
    assert written.columns_missing is None


def test_other_columns_are_left_alone(client: Destination) -> None:
    load(client, AGENTS)
    client.execute("ALTER TABLE people ADD COLUMN note VARCHAR(20)")

    load(client, AGENTS[:1])

    assert rows(client, "id, note") == [(52700, None)]


def test_table_without_extra_holds_what_fits(sqlite: Destination) -> None:
    sqlite.execute("CREATE TABLE people (id BIGINT, name TEXT)")
    load(sqlite, AGENTS)

    with pytest.raises(VoisoConfigurationError, match="lacks the column extra"):
        load(sqlite, [{"id": 1, "name": "A", "email": "a@b.c"}])

    assert len(rows(sqlite)) == 2


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE people (uuid TEXT, name TEXT)", "is not one of agents: it lacks id"),
        ("CREATE TABLE people (id TEXT, name TEXT)", "id is .* and must be"),
        ("CREATE TABLE people (id BIGINT, other TEXT NOT NULL)", "requires a value in other"),
    ],
)
def test_unfit_tables_are_refused(destination: Destination, statement: str, message: str) -> None:
    destination.execute(statement)

    with pytest.raises(VoisoConfigurationError, match=message) as caught:
        table_of(destination).check()

    assert "Nothing of the list agents was loaded" in str(caught.value)


def test_missing_table_can_be_refused(client: Destination) -> None:
    with pytest.raises(VoisoConfigurationError, match="does not exist"):
        table_of(client, create_table=False).check()


def test_table_of_other_schema(postgres: Destination) -> None:
    postgres.execute("CREATE SCHEMA voiso")
    table = ReferenceTable(
        hook=postgres.hook,
        table=TableName("voiso", "teams"),
        reference="teams",
        create_table=True,
        add_columns=False,
        allow_empty=False,
    )

    table.write(ReferenceList("teams", [{"id": 1, "name": "Sales"}], FETCHED_AT))

    assert postgres.execute("SELECT id, name FROM voiso.teams") == [(1, "Sales")]


def test_failed_load_leaves_the_old(client: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    load(client, AGENTS)

    def die(*_: Any) -> None:
        raise ConnectionError

    for kind in Dialect.__subclasses__():
        monkeypatch.setattr(kind, "fill", die)
    with pytest.raises(VoisoDestinationError):
        load(client, [{"id": 1, "name": "New"}])

    assert len(rows(client)) == 2


def test_readers_see_old_rows_until_the_commit(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    if destination.family == "duckdb":
        pytest.skip("one process at a time opens the file")
    load(destination, AGENTS)
    seen: list[int] = []
    fills = {kind: kind.fill for kind in Dialect.__subclasses__()}

    for kind, fill in fills.items():

        def watched(self: Any, *args: Any, fill: Any = fill) -> None:
            fill(self, *args)
            seen.append(len(rows(destination)))

        monkeypatch.setattr(kind, "fill", watched)
    load(destination, [{"id": 1, "name": "New"}])

    assert seen == [2]
    assert rows(destination) == [(1, "New")]


def test_loads_of_one_table_wait(destination: Destination) -> None:
    lists = [[{"id": number, "name": f"Agent {number}"}] * 50 for number in range(4)]
    threads = [threading.Thread(target=load, args=(destination, items)) for items in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(rows(destination)) == 50
    assert len({*rows(destination)}) == 1


def test_trigger_that_drops_rows_is_noticed(sqlite: Destination) -> None:
    load(sqlite, AGENTS)
    sqlite.execute("CREATE TRIGGER drop_rows AFTER INSERT ON people BEGIN DELETE FROM people; END")

    with pytest.raises(VoisoReconciliationError, match="would hold 0 rows in place of 1 agents"):
        load(sqlite, AGENTS[:1])

    assert len(rows(sqlite)) == 2


def test_errors_quote_no_item(destination: Destination) -> None:
    text = destination.long_text
    destination.execute(
        f"CREATE TABLE people (id BIGINT, name {text}, extra {text}, CHECK (id < 0))"
    )
    secret = [{"id": 777_123, "name": "A Very Secret Name"}]

    with pytest.raises(VoisoDestinationError, match="the list agents") as caught:
        load(destination, secret)

    shown = text_of(caught.value)
    assert not re.search(r"777_?123|Secret Name", shown)


def test_nothing_stays_locked(sqlite: Destination) -> None:
    load(sqlite, AGENTS)

    with closing(sqlite.hook.get_conn()) as connection:
        connection.execute("BEGIN IMMEDIATE")


DYING = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from datetime import datetime, timezone
from airflow_provider_voiso.destinations.reference import ReferenceList
from airflow_provider_voiso.destinations.sql.reference_table import ReferenceTable
from airflow_provider_voiso.destinations.sql.table_name import TableName
from {module} import {hook}

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

ReferenceTable._reconcile = die
table = ReferenceTable(
    hook={hook}({conn_id!r}), table=TableName(None, "people"), reference="agents",
    create_table=True, add_columns=False, allow_empty=False,
)
table.write(ReferenceList("agents", [{{"id": 1, "name": "New"}}], datetime.now(timezone.utc)))
"""


def test_killed_load_leaves_the_list(destination: Destination) -> None:
    load(destination, AGENTS)

    destination.is_killed_by(DYING)

    assert rows(destination, "id") == [(52700,), (52715,)]
    load(destination, [{"id": 1, "name": "New"}])
    assert rows(destination, "id") == [(1,)]
