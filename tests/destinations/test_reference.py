"""The columns say what a slow and plain reading of each record says, whatever stands beside it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.destinations.extra import original_extra
from tests.destinations.reference import exact, reference
from tests.destinations.test_columns import FULL
from tests.destinations.test_hostile_records import AWKWARD, fields, records_of
from tests.destinations.test_parquet_format import ORDINARY, any_records, near_misses

NAMES = [column.name for column in COLUMNS]
documented = st.sampled_from(ORDINARY)
hostile = fields.map(lambda pairs: records_of([pairs])[0][1])
UNUSUAL = [
    b'{"new":{"a":1,"a":2}}',
    b'{"new":{ "a" : [ 1.50 , 2 ] }}',
    b'{"new":{"a":-0,"b":1e400,"c":1e5,"d":12345678901234567890123}}',
    b'{"new":' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"_json":1,"_json:\\"a\\"":{"_json":"\\"x\\""}}',
    b'{"agent":5,"agent":"a","new":1,"new":"\\u0000"}',
    b'{"sla":{"time_to_reply":"soon","n\\u0000":1,"time_to_resolution":"00:00:01"},"new":1}',
    b'{"sla":"\\ud800"}',
    b'{"n":' + b"9" * 400 + b"}",
]


def plain(row: tuple[Any, ...]) -> dict[str, Any]:
    named = {name: value for name, value in zip(NAMES, row, strict=True) if value is not None}
    if "extra" in named:
        named["extra"] = exact(original_extra(named["extra"]))
    return named


@given(st.lists(documented | near_misses | any_records | hostile, min_size=1, max_size=6))
@example([*ORDINARY, *UNUSUAL])
@example([raw for _, raw in records_of(AWKWARD)])
def test_columns_equal_the_reference(records: list[bytes]) -> None:
    expected = [reference(record) for record in records]

    found = rows(records)

    assert [plain(row) for row in found] == expected


@given(near_misses | any_records | hostile)
def test_neighbours_change_nothing(record: bytes) -> None:
    full = json.dumps(FULL).encode()

    [alone] = rows([record])
    beside = rows([full, b'{"new":1}', record, b'{"agent":5}'])

    assert plain(beside[2]) == plain(alone)
    assert plain(beside[0]) == reference(full)
