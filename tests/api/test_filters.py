from __future__ import annotations

from collections import UserList
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.v2.filters import (
    FILTERS,
    RESERVED,
    check_filter_names,
    filter_params,
    is_rendered,
)
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.simulator.filters import PARAMETERS


def is_item(text: str) -> bool:
    """Return whether a text is one item, and not refused as the work of a template."""
    return bool(text.strip()) and "," not in text and "{" not in text and not is_rendered(text)


items = st.text(min_size=1).filter(is_item) | st.integers()


def test_filters_are_documented_parameters() -> None:
    assert FILTERS | RESERVED == PARAMETERS
    assert not FILTERS & RESERVED


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=f"'{name}' is set by the package itself"):
        filter_params({"type": "inbound", name: None})


@pytest.mark.parametrize("name", ["Type", "agent_id", "queue", "types", "", "key ", "secret=1&key"])
def test_unknown_name_lists_known_ones(name: str) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=r"Unknown filter .*agent_ids, .*wrapup_codes"
    ):
        check_filter_names({name: "x"})


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "is a NoneType"),
        (True, "is a bool"),
        (False, "is a bool"),
        (b"inbound", "is a bytes"),
        ({"a": 1}, "is a dict"),
        ("", "is empty"),
        (" \t", "is empty"),
        ([], "is empty"),
        ((), "is empty"),
        (set(), "is empty"),
        (["1", ""], "is empty"),
        ([1, None], "is a NoneType"),
        ([1, True], "is a bool"),
        (["Referral, partner"], "holds a comma"),
        ([[1, 2], 3], "holds a comma"),
    ],
)
def test_accidental_values_are_refused(value: Any, complaint: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=f"'agent_ids'.* {complaint}"):
        filter_params({"agent_ids": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("199, 201", "199, 201"),
        ("0001", "0001"),
        (["0001", "1002"], "0001,1002"),
        ((3, 1, 2), "3,1,2"),
        # Airflow gives the outputs of mapped tasks as a sequence that is no list.
        (UserList([3, 1, 2]), "3,1,2"),
        ([7], "7"),
        (0, "0"),
        (1.5, "1.5"),
        ({3, 1, 2}, "1,2,3"),
        (frozenset({"b", "a"}), "a,b"),
        ({10, "0010"}, "0010,10"),
    ],
)
def test_values_become_request_texts(value: Any, text: str) -> None:
    assert filter_params({"agent_ids": value}) == {"agent_ids": text}


def test_no_filters_are_no_parameters() -> None:
    assert filter_params(None) == filter_params({}) == {}


@given(st.dictionaries(st.sampled_from(sorted(FILTERS)), st.lists(items, min_size=1) | items))
def test_every_item_reaches_api_unchanged(filters: dict[str, Any]) -> None:
    params = filter_params(filters)
    assert params.keys() == filters.keys()
    for name, value in filters.items():
        given_items = value if isinstance(value, list) else [value]
        assert params[name].split(",") == [str(item) for item in given_items]


@given(
    st.dictionaries(
        st.text(), st.none() | st.text() | st.booleans() | st.lists(items | st.none()), min_size=1
    )
)
def test_values_are_used_or_refused(filters: dict[str, Any]) -> None:
    try:
        params = filter_params(filters)
    except VoisoConfigurationError:
        return
    assert params.keys() == filters.keys() <= FILTERS
    assert all(text.strip() for text in params.values())
