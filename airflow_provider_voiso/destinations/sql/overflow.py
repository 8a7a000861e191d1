"""Values of columns that a table lacks, kept in ``extra`` under the vendor's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.columns import COLUMNS, FIELDS
from airflow_provider_voiso.destinations.extra import extra_with, split_object
from airflow_provider_voiso.destinations.sql.dialect import position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_voiso.destinations.columns import Column, Field
    from airflow_provider_voiso.destinations.sql.dialect import Block

_EXTRA = position(COLUMNS, "extra")


class ExtraNeededError(Exception):
    """A record has a value that only ``extra`` can hold, and the table has no such column."""


class Overflow:
    """Moves values out of columns that a table lacks.

    :param missing: the columns that the table lacks
    """

    def __init__(self, missing: Sequence[Column]) -> None:
        names = {column.name for column in missing}
        self._has_extra = "extra" not in names
        self._kept = [place for place, each in enumerate(COLUMNS) if each.name not in names]
        self._moved = [field for field in FIELDS if field.column in names]
        self._places = {field.column: position(COLUMNS, field.column) for field in self._moved}

    def moved(self, page: Sequence[bytes], block: Block) -> Block:
        """Return the columns that the table has, ``extra`` with what the others held.

        :param page: records as JSON
        :param block: their values in the order of ``COLUMNS``
        :raises ExtraNeededError: if the table has no ``extra``, and a record needs it
        """
        extras: list[str | None] = list(block[_EXTRA])
        for row, record in enumerate(page):
            # A value that does not fit its column is None there, and stands in `extra` already.
            fields = [
                each for each in self._moved if block[self._places[each.column]][row] is not None
            ]
            if fields:
                extras[row] = _extra_with_fields(extras[row], record, fields)
        if not self._has_extra and any(extras):
            raise ExtraNeededError
        with_extra = [*block[:_EXTRA], extras, *block[_EXTRA + 1 :]]
        return [with_extra[place] for place in self._kept]


def _extra_with_fields(extra: str | None, record: bytes, fields: Sequence[Field]) -> str | None:
    """Return ``extra`` with fields of a record as they were written."""
    sent = split_object(record)
    in_record = {field.name: sent[field.name] for field in fields if not field.in_sla}
    if len(in_record) == len(fields):
        return extra_with(extra, in_record, {})
    sent_sla = split_object(bytes(sent["sla"]))
    in_sla = {field.name: sent_sla[field.name] for field in fields if field.in_sla}
    return extra_with(extra, in_record, in_sla)
