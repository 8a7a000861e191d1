"""Keys of objects: what templates become, and what is refused."""

from __future__ import annotations

import posixpath
import unicodedata
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.stores.key import DEFAULT_KEY, object_key
from airflow_provider_voiso.exceptions import VoisoConfigurationError

UNPRINTABLE = [
    "\0",
    "\n",
    "\r",
    "\t",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\u200b",
    "\ud800",
    "\\",
    "%5c",
    "%00",
]
PARTS_THAT_LEAD_ELSEWHERE = [
    *[
        "",
        " ",
        ".",
        "..",
        " ..",
        ".. ",
        "...",
        "%2e%2e",
        "%2E.",
        "%252e%252e",
        "%25252e.",
        "%c0%ae/..",
        "%EF%BC%8E.",
    ],
    *[
        "\uff0e\uff0e",
        "\u2024.",
        "\u2025",
        "..\uff0f..",
        "..%2f..",
        "\uff05\uff12e.",
        "{window_start:}/..",
        "{window_start:..}",
    ],
]
START = datetime(2026, 11, 10, tzinfo=timezone.utc)


def key_of(template: str, zone: Any = timezone.utc) -> str:
    start, end = START.astimezone(zone), (START + timedelta(days=1)).astimezone(zone)
    return object_key(template, window_start=start, window_end=end, extension="csv.gz")


@pytest.mark.parametrize(
    ("template", "key"),
    [
        (
            DEFAULT_KEY,
            "voiso/cdr/dt=2026-11-10/cdr_20261110T000000+0000_20261111T000000+0000.csv.gz",
        ),
        ("plain", "plain"),
        ("a/{window_start:%Y/%m/%d}/{window_end:%H%M}.{extension}", "a/2026/11/10/0000.csv.gz"),
        ("{window_start}", "2026-11-10T00:00:00+00:00"),
        ("{window_start:%H:%M:%S}", "00:00:00"),
        ("ü/日本/{extension}", "ü/日本/csv.gz"),
        ("..hidden/a..b/.c", "..hidden/a..b/.c"),
        ("100%", "100%"),
        ("at=2026-11-10 00%3A00/a%2Fb", "at=2026-11-10 00%3A00/a%2Fb"),
        ("{window_start:}", "2026-11-10T00:00:00+00:00"),
        ("a}b{", "a}b{"),
    ],
)
def test_keys(template: str, key: str) -> None:
    assert key_of(template) == key


def test_key_shows_the_given_zone() -> None:
    shown = key_of(DEFAULT_KEY, ZoneInfo("Pacific/Auckland"))
    assert shown == "voiso/cdr/dt=2026-11-10/cdr_20261110T130000+1300_20261111T130000+1300.csv.gz"
    shown = key_of(DEFAULT_KEY, ZoneInfo("America/New_York"))
    assert shown == "voiso/cdr/dt=2026-11-09/cdr_20261109T190000-0500_20261110T190000-0500.csv.gz"


@pytest.mark.parametrize(
    "template",
    [
        "{ds}",
        "{}",
        "{0}",
        "{window}",
        "{window_start.year}",
        "{extension:x}",
        "a/{WINDOW_START}",
        "{a}{extension}",
    ],
)
def test_unknown_placeholders_are_named(template: str) -> None:
    with pytest.raises(ValueError, match=r"holds \{.*It may hold \{window_start\}"):
        key_of(template)


@pytest.mark.parametrize(
    "template", ["x" * 1025, "ü" * 600, *[f"a/{mark}b" for mark in UNPRINTABLE]]
)
def test_impossible_keys_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="must be a path of at most 1024 bytes below the bucket"):
        key_of(template)


@pytest.mark.parametrize("part", PARTS_THAT_LEAD_ELSEWHERE)
@pytest.mark.parametrize("template", ["{}", "{}/a", "a/{}", "a/{}/b", "a/{}/{}/b"])
def test_keys_that_lead_elsewhere_are_refused(template: str, part: str) -> None:
    with pytest.raises(ValueError, match="must be a path"):
        key_of(template.replace("{}", part))


@given(
    st.text(max_size=20),
    st.lists(st.sampled_from([*PARTS_THAT_LEAD_ELSEWHERE, "/", "%", "a", "25"])).map("".join),
)
def test_values_stay_below_the_prefix(text: str, hostile: str) -> None:
    for name in (text, hostile, text + hostile):
        with suppress(ValueError):
            key = key_of(f"exports/{name}/x")
            assert key.isprintable()
            for _ in range(5):
                path = PurePosixPath("/bucket", key.replace("\\", "/"))
                assert posixpath.normpath(path).startswith("/bucket/exports/")
                assert "//" not in key
                key = unicodedata.normalize("NFKC", unquote(key))


FIRST, LAST = datetime(2000, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - the zone is added below


@given(
    st.datetimes(FIRST, LAST),
    st.timedeltas(timedelta(seconds=1), timedelta(9)),
)
def test_default_keys_differ_by_window(local: datetime, length: timedelta) -> None:
    start = local.replace(microsecond=0, tzinfo=timezone.utc)
    length -= timedelta(microseconds=length.microseconds)
    zone = ZoneInfo("Europe/Berlin")

    def key(first: datetime, last: datetime) -> str:
        return object_key(
            DEFAULT_KEY,
            window_start=first.astimezone(zone),
            window_end=last.astimezone(zone),
            extension="x",
        )

    keys = {
        key(start, start + length),
        key(start + length, start + 2 * length),
        key(start, start + 2 * length),
    }
    assert len(keys) == 3


@pytest.mark.parametrize("template", [2024, 20241110.5, None, ["a"], START])
def test_key_that_is_no_text(template: Any) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=f"is of type {type(template).__name__}, not text"
    ):
        key_of(template)
