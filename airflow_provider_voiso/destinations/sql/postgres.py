"""PostgreSQL, by way of psycopg 3 or psycopg2, whichever the hook uses."""

from __future__ import annotations

import json
import re
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.destinations.sql.dialect import (
    Dialect,
    ExistingColumn,
    ExistingTable,
    SqlType,
    stage_name,
)
from airflow_provider_voiso.destinations.sql.digests import BETWEEN_ROWS, QUOTE, Digest
from airflow_provider_voiso.destinations.sql.failures import code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.table_name import TableName

_encode_rows = msgspec.json.Encoder().encode_lines
_ESCAPE = re.compile(rb'\\(?:["\\]|([bfnrt]|u[0-9a-f]{4}))')
_OTHER_ESCAPE = re.compile(rb'\\[^"\\]')

_NUMERIC = r"numeric(\((?P<precision>\d+),(?P<scale>-?\d+)\))?"

# Unique and exclusion violations, which a row outside of the window can cause, and tables that
# take no COPY, such as those with row-level security.
_NEEDS_STAGE = frozenset({"23505", "23P01", "0A000"})
_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull,
        atthasdef OR attidentity <> '', attgenerated <> '' OR attidentity = 'a'
    FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
# Such an index as ON CONFLICT can use.
_UNIQUE_UUID = """
    SELECT 1 FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass(%s) AND a.attname = 'uuid' AND i.indnkeyatts = 1
        AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
"""
# Rows are ordered as Python orders them.
_DIGESTS = """
    SELECT {minute}, count(*), sum(num_nonnulls({quoted})),
        encode(sha256(convert_to(string_agg(
            concat_ws(',', {cells}), '{between}' ORDER BY ended_at, uuid COLLATE "C"
        ), 'UTF8')), 'hex')
    FROM {table} WHERE ended_at >= %s AND ended_at < %s GROUP BY 1
"""
_QUOTE = f"E'\\x{ord(QUOTE):02x}'"
# Of the minute. An integer takes a third of the time of a timestamp's text.
_MICROSECONDS = "date_part('microseconds', ended_at AT TIME ZONE 'UTC')::integer::text"
_UNQUOTED = ("integer", "instant")


class PostgresDialect(Dialect):
    """A PostgreSQL server, by way of Airflow's PostgresHook."""

    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "uuid": SqlType("TEXT", r"text|character varying(\((?P<length>\d+)\))?"),
        "text": SqlType("TEXT", r"text|character varying"),
        "instant": SqlType("TIMESTAMPTZ", r"timestamp(\(6\))? with time zone"),
        "integer": SqlType("BIGINT", rf"bigint|{_NUMERIC}"),
        "decimal": SqlType("NUMERIC(12,4)", _NUMERIC),
        # Not JSONB: it takes no exponent beyond 131,071, and loses the sign of -0.
        "json": SqlType("JSON", r"json|text|character varying"),
    }

    minute = "date_trunc('minute', ended_at AT TIME ZONE 'UTC')"

    def begin(self, connection: Any) -> Any:
        """Start a transaction that sees at each statement what others have committed before it."""
        connection.autocommit = False
        if hasattr(connection, "row_factory"):
            from psycopg.rows import tuple_row  # noqa: PLC0415 - only there if the hook itself uses psycopg 3

            connection.row_factory = tuple_row
        else:
            connection.cursor_factory = None
        cursor = connection.cursor()
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return cursor

    def fill(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Append rows by one COPY; the server reads one small block while the next is written."""
        how = r"FORMAT csv, NULL 'null', ESCAPE E'\\', ENCODING 'UTF8'"
        statement = f"COPY {target} ({self.names(columns)}) FROM STDIN WITH ({how})"
        chunks = (_csv(block) for block in blocks)
        if hasattr(cursor, "copy_expert"):
            reader = _Reader(chunks)
            try:
                with _nothing_printed():
                    cursor.copy_expert(statement, reader)
            except Exception:
                if reader.error is not None:
                    raise reader.error from None
                raise
        else:
            with cursor.copy(statement) as copy:
                for chunk in chunks:
                    copy.write(chunk)

    def create_stage(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> str:
        """Create the stage in the session's temporary schema; it goes with the transaction."""
        stage = f'pg_temp."{stage_name(table)}"'
        definitions = self.definitions(columns)
        cursor.execute(f"CREATE TEMPORARY TABLE {stage} ({definitions}) ON COMMIT DROP")
        return stage

    def prepare_stage(self, cursor: Any, stage: str) -> None:
        """Let the planner know how many records there are."""
        cursor.execute(f"ANALYZE {stage} (uuid)")

    def differs(self, column: Column) -> str:
        """Compare texts by their bytes, whatever the collation; JSON has no equality of its own."""
        name = self.quoted(column.name)
        if column.type in {"text", "json"}:
            return f'old.{name}::text IS DISTINCT FROM new.{name}::text COLLATE "C"'
        return super().differs(column)

    def digests(
        self, cursor: Any, target: str, columns: Sequence[Column], bounds: tuple[Any, Any]
    ) -> Mapping[datetime, Digest]:
        """Make the digests in the server, so that no row is sent."""
        statement = _DIGESTS.format(
            minute=self.minute,
            table=target,
            quoted=self.names([column for column in columns if column.type not in _UNQUOTED]),
            cells=", ".join(map(self._cell, columns)),
            between=BETWEEN_ROWS,
        )
        cursor.execute(statement, bounds)
        return {
            minute: Digest(rows, int(quoted), sha256)
            for minute, rows, quoted, sha256 in cursor.fetchall()
        }

    def _cell(self, column: Column) -> str:
        if column.type == "instant":
            return _MICROSECONDS
        value = f"{self.quoted(column.name)}::text"
        if column.type not in _UNQUOTED:
            value = f"{_QUOTE} || {value} || {_QUOTE}"
        return f"coalesce({value}, 'null')"

    def lacks_digests(self, error: Exception) -> bool:
        """Judge by SQLSTATE: servers like PostgreSQL lack a function, or a minute is too large."""
        return code_of(error).startswith(("0A", "42", "54"))

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table without its key."""
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({self.definitions()})")

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Add the key and the index."""
        name = self.qualified(table)
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (uuid)")
        cursor.execute(f"CREATE INDEX ON {name} (ended_at)")

    def lock(self, cursor: Any, table: TableName) -> None:
        """Keep out other loads, which may create the table, and then all other writers."""
        name = self.qualified(table)
        key = zlib.crc32(f"voiso {table.name}".encode())
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (name,))
        if cursor.fetchone()[0]:
            cursor.execute(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")

    def describe(self, cursor: Any, table: TableName) -> ExistingTable | None:
        """Return the table with types as PostgreSQL spells them out."""
        name = self.qualified(table)
        cursor.execute(_COLUMNS, (name,))
        columns = {column: ExistingColumn(*described) for column, *described in cursor.fetchall()}
        if not columns:
            return None
        cursor.execute(_UNIQUE_UUID, (name,))
        return ExistingTable(columns, has_unique_uuid=cursor.fetchone() is not None)

    def needs_stage(self, error: Exception) -> bool:
        """Judge by SQLSTATE."""
        return code_of(error) in _NEEDS_STAGE


def _csv(block: Block) -> bytes:
    """Return rows as JSON writes them, which CSV can be told to read but for some escapes."""
    # A list, as msgspec 0.19 frees nothing that an iterator yields.
    arrays = _encode_rows(list(zip(*block, strict=True))).split(b"\n")
    text = b"\n".join([array[1:-1] for array in arrays])
    if b"\\" in text and _OTHER_ESCAPE.search(text):
        text = _ESCAPE.sub(_unescaped, text)
    return text


def _unescaped(escape: re.Match[bytes]) -> bytes:
    """Return the character of an escape in JSON, or the escape if CSV reads it alike."""
    return escape[0] if escape[1] is None else str(json.loads(b'"' + escape[0] + b'"')).encode()


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Stop psycopg2 printing a secondary error to stderr: it quotes the record."""
    hook, sys.excepthook = sys.excepthook, lambda *_: None
    try:
        yield
    finally:
        sys.excepthook = hook


class _Reader:
    """A file for psycopg2 to copy from.

    psycopg2 tells that reading failed but not why, so the error is kept.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size`` of them, and none only at the end."""
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece
