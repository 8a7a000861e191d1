"""``extra`` is JSON that each database works on in every row, and nothing in it is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.columns import FIELDS, rows
from airflow_provider_voiso.destinations.extra import original_extra
from tests.destinations.reference import exact

if TYPE_CHECKING:
    from tests.destinations.conftest import Destination

HALF = "\ud800"
DOCUMENTED = {field.name for field in FIELDS} | {"sla"}
FORMS = {
    '{"a":"x\\u0000y"}': '{"a":{"_json":"\\"x\\\\u0000y\\""}}',
    '{"a":"\\ud800"}': '{"a":{"_json":"\\"\\\\ud800\\""}}',
    '{"a":"\\udc00\\ud800 ż"}': '{"a":{"_json":"\\"\\\\udc00\\\\ud800 ż\\""}}',
    '{"a":["\\u0000",1.50]}': '{"a":[{"_json":"\\"\\\\u0000\\""},1.50]}',
    '{"n\\u0000":1,"b":2}': '{"_json:\\"n\\\\u0000\\"":1,"b":2}',
    '{"a":{"\\ud800":null}}': '{"a":{"_json:\\"\\\\ud800\\"":null}}',
    '{"_json":"x"}': '{"_json:\\"_json\\"":"x"}',
    '{"_json_":"x"}': '{"_json:\\"_json_\\"":"x"}',
    '{"a":{"_json":"\\"x\\""}}': '{"a":{"_json:\\"_json\\"":"\\"x\\""}}',
    '{"a":1e400}': '{"a":{"_json":"1e400"}}',
    '{"a":[-1E-20000]}': '{"a":[{"_json":"-1E-20000"}]}',
    '{"a":1e308,"b":-0,"c":1.50}': '{"a":1e308,"b":-0,"c":1.50}',
    '{"a":"\\ud83d\\ude00 \\\\u0000"}': '{"a":"😀 \\\\u0000"}',
}


def extra_of(record: str) -> str:
    [row] = rows([record.encode()])
    extra = row[-1]
    assert isinstance(extra, str)
    return extra


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize(("sent", "stored"), FORMS.items())
def test_form_of_unreadable_values(sent: str, stored: str) -> None:
    assert extra_of(sent) == stored
    assert exact(original_extra(stored)) == exact(sent)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("levels", [18, 19, 20, 31, 150])
def test_form_of_deep_values(levels: int, opening: str, closing: str) -> None:
    sent = '{"new":' + nested(levels, opening, closing) + "}"

    stored = extra_of(sent)

    assert depth(json.loads(stored)) == min(levels + 1, 21)
    assert (stored == sent) == (levels < 20)
    assert original_extra(stored) == sent


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return 1 + max(map(depth, value), default=0)


texts = st.text(max_size=5) | st.sampled_from(
    [
        "\0",
        HALF,
        "\udc00",
        f"a{HALF}",
        "_json",
        "_json:",
        '_json:"a"',
        '_json:"_json"',
        '{"_json":"1"}',
        '"x\\u0000"',
    ]
)
numbers = st.sampled_from(
    ["0", "-0", "1.50", "1e5", "1E+308", "1e309", "1e-400", "0e-99999", "9" * 300, "9" * 1001]
)
json_texts = st.recursive(
    texts.map(json.dumps) | numbers | st.sampled_from(["null", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(texts, inner), max_size=3).map(
            lambda fields: (
                "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in fields) + "}"
            )
        )
    ),
    max_leaves=6,
)
undocumented = texts.filter(lambda name: name not in DOCUMENTED)
extras = st.dictionaries(undocumented, json_texts, min_size=1, max_size=4).map(
    lambda fields: (
        "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in fields.items()) + "}"
    )
)


@given(extras)
@example('{"a":"\\u0000","a":1}')
def test_any_extra_is_restored(sent: str) -> None:
    assert exact(original_extra(extra_of(sent))) == exact(sent)


written_texts = st.lists(
    st.sampled_from([r"\"", r"\\", r"\/", r"\n", r"\b", r"\u0041", r"\u001f", "{", "a", "\x7f"]),
    max_size=5,
).map(lambda parts: f'"{"".join(parts)}"')
written_values = st.recursive(
    written_texts | st.sampled_from(["1.50", "1e5", "null"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{','.join(items)}]")
        | st.tuples(written_texts, inner).map(lambda field: f"{{{field[0]}:{field[1]}}}")
    ),
    max_leaves=4,
)


@given(st.tuples(written_texts, written_values))
@example(('"a"', r'"\/"'))
@example(('"a"', r'{"b":"\"","b":1}'))
def test_neighbours_change_nothing(field: tuple[str, str]) -> None:
    record = f"{{{field[0]}:{field[1]}}}"
    unusual = '{"_json":1}'

    alone, beside = rows([record.encode()]), rows([record.encode(), unusual.encode()])

    assert alone[0] == beside[0]


@given(extras)
def test_no_stored_value_is_unreadable(sent: str) -> None:
    stored = extra_of(sent)

    for text in all_texts(json.loads(stored)):
        assert "\0" not in text
        text.encode()
    assert exact(stored.encode()) is not None


def all_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in all_texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in all_texts(item)]
    return [value] if isinstance(value, str) else []


SENT = [
    *FORMS,
    '{"new":' + nested(150) + "}",
    '{"new":' + nested(150, '{"a":', "}") + "}",
    '{"new":' + nested(19) + "}",
    '{"new":' + "[" + ",".join(["{}"] * 50) + "]}",
    '{"agent":"x\\u0000"}',
    '{"queue":"\\udfff","sla":{"\\u0000":"\\ud800"}}',
    '{"cpc":' + "9" * 5_000 + "}",
    '{"cpc":0.' + "9" * 20_000 + "}",
    '{"agent_id":' + "9" * 200_000 + "}",
    '{"timestamp2":1e99999999999999999999}',
    '{"n":0e-99999999}',
    '{"":{"":[]}}',
    json.dumps(
        {
            "odd": "".join(map(chr, [*range(1, 32), 127, 0x2028, 0xFFFE, 0xFFFF, 0x10FFFF])),
            "q\"\\\n'": 1,
        }
    ),
]
EXTRA_OF_EVERY_ROW = {
    "sqlite": """
        SELECT uuid, extra, json_extract(extra, '$.after'), json_valid(extra),
            (SELECT count(*) FROM json_tree(extra)), json_extract(extra, '$.new[0]')
        FROM calls WHERE json_extract(extra, '$.after') = 'here'""",
    "postgres": """
        SELECT uuid, extra::text, extra->>'after', extra::jsonb->>'after',
            (SELECT count(value) FROM json_each_text(extra)), extra #>> '{new,0}',
            jsonb_path_query_array(extra::jsonb, '$.**')::text
        FROM calls WHERE extra->>'after' = 'here'""",
    "duckdb": """
        SELECT uuid, extra, extra->>'after', json_valid(extra),
            json_keys(extra), json_structure(extra), json_extract(extra, '$.new[0]'), extra::JSON
        FROM calls WHERE extra->>'after' = 'here'""",
    "mysql": """
        SELECT uuid, extra, JSON_VALUE(extra, '$.after'), JSON_VALID(extra), JSON_KEYS(extra),
            JSON_EXTRACT(extra, '$.new[0]'), JSON_EXTRACT(extra, '$.*'), JSON_DEPTH(extra)
        FROM calls WHERE JSON_VALUE(extra, '$.after') = 'here'""",
}


def test_databases_work_on_every_row(destination: Destination) -> None:
    page = []
    for number, fields in enumerate(SENT):
        key = f'{{"uuid":"{number}","timestamp":"2026-11-22T12:00:00Z",'
        page.append((key + fields[1:-1] + ',"after":"here"}').encode())

    destination.load([page])
    found = destination.execute(EXTRA_OF_EVERY_ROW[destination.family])

    assert {row[0] for row in found} == {str(number) for number in range(len(SENT))}
    for uuid, extra, after, is_valid, *_ in found:
        assert after == "here"
        assert is_valid in (1, True, "here")
        assert exact(original_extra(extra)) == {**exact(SENT[int(uuid)]), "after": "here"}
