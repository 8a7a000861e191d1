"""What an object holds, as its metadata say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.selection import Selection
    from airflow_provider_voiso.api.window import Window

METADATA_NAMES = ("window-start", "window-end", "selection", "account", "records", "content")
"""The metadata of every exported object."""
_COUNT = re.compile(r"[0-9]{1,18}")
_PLAIN = re.compile(r"[A-Za-z0-9:+._-]{1,255}")


@dataclass(frozen=True, slots=True)
class Contents:
    """A window of one selection; None stands for what an object does not say.

    :param window_start: first instant, ISO 8601 in UTC
    :param window_end: first instant that no longer belongs to the window, likewise
    :param selection: digest of account and filters
    :param account: host name, for people to read
    """

    window_start: str | None
    window_end: str | None
    selection: str | None
    account: str | None

    @classmethod
    def of(cls, window: Window, selection: Selection) -> Contents:
        """Return the contents of an export."""
        # Stores keep ASCII, and some drop empty values.
        account = (selection.account or "unknown").encode("ascii", "backslashreplace").decode()
        return cls(window.start.isoformat(), window.end.isoformat(), selection.digest, account)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Contents:
        """Return what an object says; a value that cannot be ours is not repeated."""

        def said(name: str) -> str | None:
            value = metadata.get(name)
            return value if value is None or _PLAIN.fullmatch(value) else "unreadable"

        return cls(said("window-start"), said("window-end"), said("selection"), said("account"))

    def as_metadata(self, records: int, content: str) -> dict[str, str]:
        """Return the metadata of an object with these contents.

        :param content: identifies the records and how they are written
        """
        known = (self.window_start, self.window_end, self.selection, self.account)
        values = (*known, str(records), content)
        return {name: value or "" for name, value in zip(METADATA_NAMES, values, strict=True)}

    def records_in(self, metadata: Mapping[str, str]) -> int | None:
        """Return how many records an object says to hold of this window and selection.

        :return: None if it does not say so, or holds another one
        """
        held = Contents.from_metadata(metadata)
        return count_in(metadata) if held.is_known and held.may_be(self) else None

    @property
    def is_known(self) -> bool:
        """Tell whether the object says both, window and selection."""
        return None not in (self.window_start, self.window_end, self.selection)

    def may_be(self, other: Contents) -> bool:
        """Tell whether nothing that the object says speaks against other contents."""
        for name in ("window_start", "window_end", "selection"):
            mine = getattr(self, name)
            if mine is not None and mine != getattr(other, name):
                return False
        return True

    def __str__(self) -> str:
        window = f"the window [{self.window_start}, {self.window_end})"
        return f"{window} of the selection {self.selection} ({self.account})"


def count_in(metadata: Mapping[str, str]) -> int | None:
    """Return how many records an object says to hold, None if it does not say so."""
    records = metadata.get("records", "")
    return int(records) if _COUNT.fullmatch(records) else None
