"""What the SQL loader needs to know of a database; each one has a module with a subclass."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_voiso.destinations.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.digests import Digest
    from airflow_provider_voiso.destinations.sql.table_name import TableName

    Block = Sequence[Sequence[Any]]
    """Values of some records, column by column."""

StrategyName = Literal["direct", "changed minutes", "staged", "row by row"]

LOCK_PATIENCE_SECONDS = 300
"""How long a load waits for a lock where the database itself would not wait, or wait forever."""

UUID_LENGTH = 36
"""Characters that a limited ``uuid`` column must hold at least: a UUID in its usual spelling."""

# Digits before and after the point that a NUMERIC or DECIMAL must hold at least.
_DIGITS = {"decimal": (8, 4), "integer": (19, 0)}


class RefusedError(Exception):
    """The database did not take rows, or did not grant a lock, though no statement failed.

    :param code: the database's code for it, without any value
    """

    def __init__(self, code: int | str) -> None:
        super().__init__(code)
        self.errno = code


class BusyError(Exception):
    """The database cannot be opened now, and the caller does not want to wait."""


@dataclass(frozen=True, slots=True)
class SqlType:
    """The type of a column.

    :param created: the type that a load gives to a new column
    :param usable: regular expression of the types, as :meth:`Dialect.describe` spells them, that
        hold every value unchanged; the numbers in groups named ``length``, ``precision`` and
        ``scale`` must be large enough
    """

    created: str
    usable: str


@dataclass(frozen=True, slots=True)
class ExistingColumn:
    """A column of an existing table.

    :param type: its type as the database spells it
    :param takes_null: whether it may be NULL
    :param has_default: whether a row may be inserted without naming it
    :param is_generated: whether the database computes it
    """

    type: str
    takes_null: bool = True
    has_default: bool = False
    is_generated: bool = False


@dataclass(frozen=True, slots=True)
class ExistingTable:
    """What a database tells of a table.

    :param columns: by name
    :param has_unique_uuid: whether an upsert finds the row of a uuid: by a unique key on that
        column alone, or because the database needs none
    :param flaw: what else forbids to load into the table, as the rest of a sentence
    """

    columns: Mapping[str, ExistingColumn]
    has_unique_uuid: bool
    flaw: str | None = None


class Dialect(ABC):
    """One kind of database. An object serves one load; a subclass must give what is abstract.

    The rest has defaults in standard SQL. Methods are called in this order: ``connect``,
    ``begin``, ``describe``, and then in the order of the strategy.
    """

    types: ClassVar[Mapping[str, SqlType]]
    """Type by logical type; an entry ``uuid`` applies to that column instead of ``text``."""

    strategies: ClassVar[Sequence[StrategyName]] = ("direct", "changed minutes", "staged")
    """Ways to load, tried in this order until one suits the table and the job."""

    placeholder: str = "%s"
    quote: ClassVar[str] = '"'

    update: ClassVar[str] = (
        "UPDATE {table} AS old SET {assignments} FROM {stage} AS new "
        "WHERE new.uuid = old.uuid AND ({differs})"
    )
    """Updates rows of the table, ``old``, that differ from their staged records, ``new``."""

    assignment: ClassVar[str] = "{column} = new.{column}"

    minute: ClassVar[str] = ""
    """The minute of a row's ``ended_at`` in UTC, without a zone; empty if there are no digests."""

    counts_updates: ClassVar[bool] = True
    """Whether the cursor tells how many rows an update met, changed or not."""

    table_options: ClassVar[str] = ""
    """What follows the columns when a table without keys is created."""

    has_keys: ClassVar[bool] = True
    """Whether :attr:`ExistingTable.has_unique_uuid` means that no uuid is there twice."""

    can_roll_back_amid_an_answer: ClassVar[bool] = True
    """Whether a stopped task may roll back at once.

    Clients written in Python would take half an answer for the next one and wait forever.
    """

    @abstractmethod
    def begin(self, connection: Any) -> Any:
        """Start a transaction and return a cursor in it that gives rows as tuples."""

    @abstractmethod
    def describe(self, cursor: Any, table: TableName) -> ExistingTable | None:
        """Return what the table is like, None if it does not exist."""

    @abstractmethod
    def fill(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Append rows to a table or a stage.

        :param target: its quoted name
        :param columns: columns of the blocks
        :raises RefusedError: if not all rows were taken unchanged
        """

    def connect(self, hook: DbApiHook, *, wait: bool = True) -> AbstractContextManager[Any]:  # noqa: ARG002 - most never wait
        """Open a connection that is closed at the end of the context.

        :param wait: wait until a database that one process at a time can open is free
        :raises BusyError: if it is not free and ``wait`` is false
        """
        return closing(hook.get_conn())

    def lock(self, cursor: Any, table: TableName) -> None:  # noqa: B027 - not every database has locks
        """Wait until no one else writes to the table, and keep others out until the commit.

        The table may not exist yet.

        :raises RefusedError: if the lock is not granted in time
        """

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table, with its key unless :meth:`create_keys` adds it."""
        definitions = self.definitions(COLUMNS)
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({definitions}, PRIMARY KEY (uuid))")

    def create_without_keys(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> None:
        """Create a table of any columns."""
        definitions = self.definitions(columns)
        cursor.execute(
            f"CREATE TABLE {self.qualified(table)} ({definitions}) {self.table_options}".rstrip()
        )

    def create_keys(self, cursor: Any, table: TableName) -> None:  # noqa: B027 - `create` may have done it
        """Add key and index to a new table, where that is faster once it is filled."""

    def create_stage(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> str:
        """Create a temporary table for one load and return its quoted name."""
        stage = self.quoted(stage_name(table))
        cursor.execute(f"CREATE TEMPORARY TABLE {stage} ({self.definitions(columns)})")
        return stage

    def needs_stage(self, error: Exception) -> bool:  # noqa: ARG002 - see the subclasses
        """Tell whether a direct load failed for a reason that a staged one does not meet.

        Examples: a row outside of the window has the uuid, or the table takes no bulk load.
        """
        return False

    def can_retry(self, error: Exception) -> bool:  # noqa: ARG002 - see the subclass
        """Tell whether a staged load that failed may succeed the next time."""
        return False

    def digests(
        self,
        cursor: Any,  # noqa: ARG002 - see the subclass
        target: str,  # noqa: ARG002
        columns: Sequence[Column],  # noqa: ARG002
        bounds: tuple[Any, Any],  # noqa: ARG002
    ) -> Mapping[datetime, Digest]:
        """Return the digests of a window's rows by their :attr:`minute`.

        :param target: quoted name of the table
        :param columns: the columns to compare
        :param bounds: start and end of the window, as the database compares them
        """
        return {}

    def lacks_digests(self, error: Exception) -> bool:  # noqa: ARG002 - see the subclass
        """Tell whether an error means that the database cannot make digests."""
        return False

    def prepare_stage(self, cursor: Any, stage: str) -> None:  # noqa: B027 - most need nothing
        """Get a filled stage ready to be compared with the table.

        :param stage: its quoted name
        """

    def holds_each_uuid_once(
        self,
        cursor: Any,  # noqa: ARG002 - a unique key does the work
        target: str,  # noqa: ARG002
        bounds: tuple[Any, Any],  # noqa: ARG002
        rows: int,  # noqa: ARG002
    ) -> bool:
        """Tell whether the uuids that were loaded into a window differ and stand nowhere else.

        :param target: quoted name of the table
        :param bounds: start and end of the window, as the database compares them
        :param rows: number of rows that were loaded into the window
        """
        return True

    def differs(self, column: Column) -> str:
        """Return a condition: the column's values in ``old`` and ``new`` are not the same.

        Two NULLs are the same; texts are compared character by character, and numbers exactly.
        """
        name = self.quoted(column.name)
        return f"old.{name} IS DISTINCT FROM new.{name}"

    def instant(self, value: datetime) -> Any:
        """Return a datetime in UTC as it is compared with ``ended_at``."""
        return value

    def quoted(self, identifier: str) -> str:
        """Return an identifier, which may be a reserved word, as it stands in a statement."""
        return f"{self.quote}{identifier}{self.quote}"

    def qualified(self, table: TableName) -> str:
        """Return the quoted name of a table."""
        name = self.quoted(table.name)
        return f"{self.quoted(table.schema)}.{name}" if table.schema else name

    def declared(self, column: Column) -> str:
        """Return the type of a column that a load creates."""
        return self._type(column).created

    def holds(self, column: Column, declared: str) -> bool:
        """Tell whether a column of a declared type holds every value of ours unchanged."""
        match = re.fullmatch(self._type(column).usable, declared)
        if match is None:
            return False
        limits = {name: int(limit) for name, limit in match.groupdict().items() if limit}
        if "length" in limits:
            return limits["length"] >= UUID_LENGTH
        if "precision" in limits:
            whole, fraction = _DIGITS[column.type]
            scale = limits["scale"]
            return scale >= fraction and limits["precision"] - scale >= whole
        return True

    def definitions(self, columns: Sequence[Column] = COLUMNS) -> str:
        """Return columns and their types as they stand in ``CREATE TABLE``."""
        return ", ".join(f"{self.quoted(each.name)} {self.declared(each)}" for each in columns)

    def names(self, columns: Sequence[Column]) -> str:
        """Return the quoted names of columns."""
        return ", ".join(self.quoted(column.name) for column in columns)

    def _type(self, column: Column) -> SqlType:
        return self.types.get(column.name) or self.types[column.type]


def position(columns: Sequence[Column], name: str) -> int:
    """Return the place of a column among others."""
    return [column.name for column in columns].index(name)


def stage_name(table: TableName) -> str:
    """Return a name other than the table's: a temporary table hides its namesake."""
    return f"_{table.name}"[:63]
