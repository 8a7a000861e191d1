"""The keys of objects: templates that the window fills, and keys that are refused."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DEFAULT_KEY = (
    "voiso/cdr/dt={window_start:%Y-%m-%d}/"
    "cdr_{window_start:%Y%m%dT%H%M%S%z}_{window_end:%Y%m%dT%H%M%S%z}.{extension}"
)
DEFAULT_REFERENCE_KEY = "voiso/reference/{reference}.{extension}"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_MAX_BYTES = 1024


def object_key(
    template: str, *, window_start: datetime, window_end: datetime, extension: str
) -> str:
    """Fill ``{window_start}``, ``{window_end}`` and ``{extension}``.

    The first two may have a ``strftime`` format.

    :param template: the key after Jinja
    :param window_start: in the zone whose calendar the key is to show
    :param window_end: likewise
    :raises VoisoConfigurationError: for any other placeholder, and for a key that some reader could
        take for a path that climbs out of its prefix
    """

    def fill(match: re.Match[str]) -> str:
        name, _, form = match[1].partition(":")
        if name == "extension" and not form:
            return extension
        if name not in {"window_start", "window_end"}:
            raise VoisoConfigurationError(
                f"The s3_key holds {match[0]}. It may hold {{window_start}}, {{window_end}}, each "
                "with a format such as {window_start:%Y-%m-%d}, and {extension}."
            )
        instant = window_start if name == "window_start" else window_end
        return instant.strftime(form) if form else instant.isoformat()

    return _filled(template, fill)


def reference_key(template: str, *, reference: str, extension: str) -> str:
    """Fill ``{reference}`` and ``{extension}`` into the key of a reference list.

    :param template: the key after Jinja
    :raises VoisoConfigurationError: see :func:`object_key`
    """
    values = {"reference": reference, "extension": extension}

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise VoisoConfigurationError(
                f"The s3_key holds {match[0]}. It may hold {{reference}} and {{extension}}."
            )
        return values[match[1]]

    return _filled(template, fill)


def _filled(template: str, fill: Callable[[re.Match[str]], str]) -> str:
    if not isinstance(template, str):
        raise VoisoConfigurationError(
            f"The s3_key is of type {type(template).__name__}, not text. Native rendering turns "
            "text into numbers, dates and lists: add to the template what is no number, such as a "
            "prefix."
        )
    key = _PLACEHOLDER.sub(fill, template)
    _check_key(key)
    return key


def fixed_prefix(template: str) -> str:
    """Return the folders before the first placeholder, or the whole key if there is none.

    :param template: as :func:`object_key` accepts it
    """
    placeholder = _PLACEHOLDER.search(template)
    if placeholder is None:
        return template
    return template[: placeholder.start()].rpartition("/")[0]


def _check_key(key: str) -> None:
    plain = _as_lenient_readers_see(key)
    is_printable = key.isprintable() and plain.isprintable()
    if not is_printable or "\\" in plain or len(key.encode()) > _MAX_BYTES:
        raise VoisoConfigurationError(
            "The s3_key must be a path of at most 1024 bytes below the bucket, without backslashes "
            "and without characters that cannot be printed."
        )
    if not all(part.strip(" .") for part in plain.split("/")):
        raise VoisoConfigurationError(
            "The s3_key must be a path below the bucket: no part of it may be empty or consist of "
            "dots, however they are spelled. Check what its templates are filled with."
        )


def _as_lenient_readers_see(key: str) -> str:
    """Return a key without percent escapes and look-alikes, which some tools resolve."""
    before = ""
    while key != before:
        before, key = key, unquote(unicodedata.normalize("NFKC", key))
    return key
