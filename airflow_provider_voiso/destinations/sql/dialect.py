"""What the SQL loader needs to know of a database; each supported one is a subclass in a module of its own."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column, LogicalType

    Block = Sequence[Sequence[Any]]
    """Values of some records, column by column as :data:`COLUMNS` names them."""

LOCK_PATIENCE_SECONDS = 300
"""How long a load waits for others where the database itself would not wait at all, or forever."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class RefusedError(Exception):
    """The database did not take rows, or a lock was not given, though no statement failed.

    :param code: what the database says of it, as a code without any value
    """

    def __init__(self, code: int | str) -> None:
        super().__init__(code)
        self.errno = code


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as the user names it; the case of its letters counts where the database distinguishes it.

    :param schema: schema that holds the table, or None for the connection's default
    :param name: name of the table
    """

    schema: str | None
    name: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read ``name`` or ``schema.name``.

        :raises VoisoConfigurationError: if a part is not a plain identifier: letters, digits and underscores, no digit
            first, 63 characters at most
        """
        *schema, name = text.split(".")
        if len(schema) > 1 or not all(map(_IDENTIFIER.fullmatch, (*schema, name))):
            raise VoisoConfigurationError(
                f"{text!r} is not a table name. Give `name` or `schema.name`, each of letters, digits and "
                "underscores, not starting with a digit, and at most 63 characters long."
            )
        return cls(schema[0] if schema else None, name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Dialect(ABC):
    """One kind of database: how to stage, lock and look around there. All else is the loader's, in common SQL."""

    types: ClassVar[Mapping[LogicalType, str]]
    placeholder: str = "%s"
    stages: ClassVar[bool] = True
    """Whether there are temporary tables; without them, ``fill`` replaces rows by their uuid."""
    can_roll_back_amid_an_answer: ClassVar[bool] = True
    """Whether a stopped task may ask for that; clients in Python would take half an answer for one and wait forever."""
    quote: ClassVar[str] = '"'
    upsert: ClassVar[str] = (
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} WHERE true "
        "ON CONFLICT (uuid) DO UPDATE SET {assignments}"
    )
    assignment: ClassVar[str] = "{column} = excluded.{column}"
    delete_staged: ClassVar[str] = "DELETE FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})"

    def connect(self, hook: DbApiHook) -> AbstractContextManager[Any]:
        """Return a connection of its own that is closed at the end of the context."""
        return closing(hook.get_conn())

    @abstractmethod
    def begin(self, connection: Any) -> Any:
        """Start the transaction of a load and return a cursor in it that gives rows as tuples."""

    @abstractmethod
    def fill(self, cursor: Any, target: str, blocks: Iterable[Block]) -> None:
        """Append rows to the table or the stage of that quoted name.

        :raises RefusedError: if not all of them were taken as they are
        """

    @abstractmethod
    def lock(self, cursor: Any, table: TableName) -> None:
        """Wait until no one else writes to the table, which may not exist yet, and keep it so until the commit.

        :raises RefusedError: if others do not end
        """

    @abstractmethod
    def columns(self, cursor: Any, table: TableName) -> dict[str, str]:
        """Return the declared type of each column, by name; empty if there is no such table."""

    @abstractmethod
    def accepts(self, column: Column, declared: str) -> bool:
        """Tell whether a column of a declared type holds every value of ours unchanged."""

    @abstractmethod
    def has_unique_uuid(self, cursor: Any, table: TableName) -> bool:
        """Tell whether the table has a unique key on ``uuid`` alone, as an upsert needs it, or none is needed."""

    def keep_each_uuid_once(self, cursor: Any, target: str, bounds: tuple[Any, Any], rows: int) -> bool:  # noqa: ARG002
        """Delete rows outside of a window that have the uuid of one within; tell whether all within have their own.

        A unique key has seen to that already.

        :param target: quoted name of the table
        :param bounds: of the window
        :param rows: how many were loaded into it
        """
        return True

    def flaw(self, cursor: Any, table: TableName) -> str | None:  # noqa: ARG002 - most have none
        """Tell what else forbids to load into an existing table."""
        return None

    def instant(self, value: datetime) -> Any:
        """Return a datetime in UTC as it is compared with ``ended_at``."""
        return value

    def declared(self, column: Column) -> str:
        """Return the type of a column that the load creates."""
        return self.types[column.type]

    def qualified(self, table: TableName) -> str:
        """Return the quoted name of a table."""
        return ".".join(self.quoted(part) for part in (table.schema, table.name) if part)

    def quoted(self, identifier: str) -> str:
        """Return an identifier that may be a reserved word as it stands in a statement."""
        return f"{self.quote}{identifier}{self.quote}"

    def create_stage(self, cursor: Any, table: TableName) -> str:
        """Create the temporary table of a load and return its quoted name."""
        stage = self.quoted(stage_name(table))
        cursor.execute(f"CREATE TEMPORARY TABLE {stage} ({self.definitions()})")
        return stage

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table, with its key if that cannot wait for :meth:`create_keys`."""
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({self.definitions()}, PRIMARY KEY (uuid))")

    @abstractmethod
    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Add to a new table an index that finds the rows of a window, and the key that was left out.

        Once the table is filled that takes less time.
        """

    def definitions(self) -> str:
        """Return the columns and their types as they stand in ``CREATE TABLE``."""
        return ", ".join(f"{self.quoted(column.name)} {self.declared(column)}" for column in COLUMNS)

    def names(self) -> str:
        """Return the quoted names of all columns."""
        return ", ".join(self.quoted(column.name) for column in COLUMNS)


def stage_name(table: TableName) -> str:
    """Return a name that differs from the table's, as temporary tables hide others of their name."""
    return f"_{table.name}"[:63]
