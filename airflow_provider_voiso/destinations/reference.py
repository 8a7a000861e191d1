"""The account's reference lists as typed columns: agents, queues, wrap-up codes and so on.

What the vendor documents has a column; every other field, and a value that does not fit its column,
goes to ``extra``, as :mod:`~airflow_provider_voiso.destinations.columns` describes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.columns import Column, Field, split_records, take_field
from airflow_provider_voiso.destinations.extra import extras_of
from airflow_provider_voiso.destinations.values import IDENTIFIER, TEXT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime


def _named(what: str) -> tuple[Field, ...]:
    return (
        Field("id", "id", IDENTIFIER, f"number of the {what}"),
        Field("name", "name", TEXT, f"name of the {what}"),
    )


REFERENCE_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "queues": _named("queue"),
    "agents": _named("agent"),
    "teams": _named("team"),
    # Text: the zeros at the beginning of a code count.
    "wrapup_codes": (
        Field("code", "code", TEXT, "the code, as records have it in `wrapup_code`"),
        Field("description", "description", TEXT, "what it stands for"),
    ),
    "campaigns": _named("campaign"),
    "deleted_agents": _named("agent"),
}
"""The documented fields of each list, the one that identifies an item first."""


def reference_columns(name: str) -> tuple[Column, ...]:
    """Return the columns of a list, which the first one identifies an item by."""
    return (
        *(Column(field.column, field.kind.type) for field in REFERENCE_FIELDS[name]),
        Column("extra", "json"),
        Column("fetched_at", "instant"),
    )


@dataclass(frozen=True)
class ReferenceList:
    """One list as the API returned it.

    :param name: one of :data:`REFERENCE_FIELDS`
    :param items: its items, in the API's order
    :param fetched_at: when the API was asked, in UTC
    """

    name: str
    items: Sequence[Mapping[str, Any]]
    fetched_at: datetime

    @property
    def size(self) -> int:
        """Bytes of the items as JSON in ASCII."""
        return sum(len(json.dumps(item)) + 1 for item in self.items)

    def block(self, columns: Collection[Column]) -> list[Sequence[Any]]:
        """Return the values of some columns of the list, one per item.

        :param columns: fields whose column is not among them go to ``extra``
        """
        # Escaped, as it may hold half a surrogate pair.
        items = split_records([json.dumps(item).encode() for item in self.items])
        names = {column.name for column in columns}
        found: dict[str, Sequence[Any]] = {
            field.column: take_field(field, items)
            for field in REFERENCE_FIELDS[self.name]
            if field.column in names
        }
        found["extra"] = extras_of(items) if items else []
        found["fetched_at"] = [self.fetched_at] * len(items)
        return [found[column.name] for column in columns]

    def extras(self, columns: Collection[Column]) -> Sequence[str | None]:
        """Return what ``extra`` must hold if these are the columns."""
        others = [column for column in columns if column.name not in {"extra", "fetched_at"}]
        [extras] = self.block([*others, Column("extra", "json")])[-1:]
        return extras
