"""What a load did to a table, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a load did to a table.

    :param rows: number of its records that the table holds
    :param before: rows of the window that the table held before
    :param inserted: rows that are new; None if all were written without a comparison
    :param updated: rows that stood there with other values, perhaps outside of the window; likewise
    :param deleted: rows of the window that are gone; likewise
    """

    rows: int
    before: int
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None

    @property
    def changed(self) -> bool:
        """Whether the table was touched; without a comparison, whether it may have been."""
        known = (self.inserted, self.updated, self.deleted)
        if None in known:
            return bool(self.rows or self.before)
        return any(known)
