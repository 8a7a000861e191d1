"""PostgreSQL, by way of psycopg 3 or psycopg2, whichever the hook uses."""

from __future__ import annotations

import json
import re
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.destinations.sql.dialect import Dialect, TableName, stage_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block

_USABLE_TYPES = {
    "text": re.compile(r"text|character varying(\(\d+\))?"),
    "instant": re.compile(r"timestamp(\(6\))? with time zone"),
    "integer": re.compile(r"bigint|numeric"),
    "decimal": re.compile(r"numeric(\((?P<precision>\d+),(?P<scale>\d+)\))?"),
    "json": re.compile(r"json|jsonb|text"),
}
_encode_rows = msgspec.json.Encoder().encode_lines
_ESCAPE = re.compile(rb'\\(?:["\\]|([bfnrt]|u[0-9a-f]{4}))')
_OTHER_ESCAPE = re.compile(rb'\\[^"\\]')


class PostgresDialect(Dialect):
    """A PostgreSQL server, by way of Airflow's PostgresHook."""

    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "text": "TEXT",
        "instant": "TIMESTAMPTZ",
        "integer": "BIGINT",
        "decimal": "NUMERIC(12,4)",
        "json": "JSON",  # not JSONB, which refuses \u0000 and rewrites numbers
    }

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

    def fill(self, cursor: Any, target: str, blocks: Iterable[Block]) -> None:
        """Append rows by one COPY; the server reads one block while the next is written, as they are small."""
        how = r"FORMAT csv, NULL 'null', ESCAPE E'\\', ENCODING 'UTF8'"
        statement = f"COPY {target} ({self.names()}) FROM STDIN WITH ({how})"
        chunks = map(_csv, blocks)
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

    def create_stage(self, cursor: Any, table: TableName) -> str:
        """Create the stage in the session's temporary schema; it goes with the transaction."""
        stage = f'pg_temp."{stage_name(table)}"'
        cursor.execute(f"CREATE TEMPORARY TABLE {stage} ({self.definitions()}) ON COMMIT DROP")
        return stage

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table without its key."""
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({self.definitions()})")

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Add the key and the index."""
        name = self.qualified(table)
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (uuid)")
        cursor.execute(f"CREATE INDEX ON {name} (ended_at)")

    def lock(self, cursor: Any, table: TableName) -> None:
        """Keep out other loads, which may be about to create the table, and then all other writers."""
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (zlib.crc32(f"voiso {table.name}".encode()),))
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (self.qualified(table),))
        if cursor.fetchone()[0]:
            cursor.execute(f"LOCK TABLE {self.qualified(table)} IN SHARE ROW EXCLUSIVE MODE")

    def columns(self, cursor: Any, table: TableName) -> dict[str, str]:
        """Return the types as PostgreSQL spells them out."""
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (self.qualified(table),),
        )
        return dict(cursor.fetchall())

    def accepts(self, column: Column, declared: str) -> bool:
        """Refuse types that would round, cast by the session's zone, or fail on a value that fits ours."""
        match = _USABLE_TYPES[column.type].fullmatch(declared)
        if match is None or match.groupdict().get("scale") is None:
            return match is not None
        precision, scale = int(match["precision"]), int(match["scale"])
        return scale >= 4 and precision - scale >= 8

    def has_unique_uuid(self, cursor: Any, table: TableName) -> bool:
        """Look for a unique index that ON CONFLICT can use."""
        cursor.execute(
            "SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
            "WHERE i.indrelid = to_regclass(%s) AND a.attname = 'uuid' AND i.indnkeyatts = 1 AND i.indisunique "
            "AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL",
            (self.qualified(table),),
        )
        return cursor.fetchone() is not None


def _csv(block: Block) -> bytes:
    """Return rows as JSON would write them, which CSV can be told to read, without what it cannot."""
    # A list: of what an iterator yields, msgspec 0.19 frees nothing.
    arrays = _encode_rows(list(zip(*block, strict=True))).split(b"\n")
    text = b"\n".join([array[1:-1] for array in arrays])
    if b"\\" in text and _OTHER_ESCAPE.search(text):
        text = _ESCAPE.sub(_unescaped, text)
    return text


def _unescaped(escape: re.Match[bytes]) -> bytes:
    """Return the character that an escape of JSON stands for, unless it stands for the same in CSV."""
    return escape[0] if escape[1] is None else str(json.loads(b'"' + escape[0] + b'"')).encode()


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Keep psycopg2 from printing an error, and the record in it, that it cannot raise as it raises another one."""
    hook, sys.excepthook = sys.excepthook, lambda *_: None
    try:
        yield
    finally:
        sys.excepthook = hook


class _Reader:
    """What psycopg2 copies from; it asks piece by piece, and says that reading failed but not why."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return the next bytes, no more than ``size`` and none only at the end."""
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
