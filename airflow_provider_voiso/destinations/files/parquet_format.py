"""Parquet: the typed columns, each block of records a row group.

This module needs pyarrow, which is optional.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from airflow_provider_voiso.api.window import epoch_us
from airflow_provider_voiso.destinations.columns import COLUMNS, FIELDS, columns, in_blocks
from airflow_provider_voiso.destinations.values import (
    DURATION,
    TIMESTAMP,
    UNFIT,
    MisfitError,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future

    from airflow_provider_voiso.api.page import Lines
    from airflow_provider_voiso.destinations.columns import Column

_TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(12, 4),
    "instant": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
_SCHEMA = pa.schema([(column.name, _TYPES[column.type]) for column in COLUMNS])
_IN_SLA = [field for field in FIELDS if field.in_sla]
# pyarrow reads some fields as the columns hold them; others are texts to be converted.
_AS_COLUMNS = [field for field in FIELDS if field.kind not in (DURATION, TIMESTAMP)]
_SENT = pa.schema(
    [
        *((field.name, _TYPES[field.kind.type]) for field in _AS_COLUMNS),
        ("timestamp", pa.string()),
        ("duration", pa.string()),
        ("sla", pa.struct([(field.name, pa.string()) for field in _IN_SLA])),
    ]
)
_TEXTS = [field.name for field in _SENT if field.type == pa.string()]
_PARSING = pa.json.ParseOptions(explicit_schema=_SENT, unexpected_field_behavior="error")
# pyarrow also reads times without seconds, and years that Python does not know.
_DATE = r"(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_TIMESTAMP = rf"^{_DATE}[T ]{_TIME}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"
_PLAIN_NUMBERS = re.compile(rb"[-.,0-9nul]*")


class _Cost(msgspec.Struct, gc=False):
    cpc: msgspec.Raw = msgspec.Raw(b"null")


_decode_costs = msgspec.json.Decoder(_Cost).decode_lines


def write_parquet(blocks: Iterable[Lines], file: Any, compression: str | None) -> int:
    """Write records to an open file, and return their number.

    A block is read while the one before is written.

    :param blocks: records in the order in which they are to stand
    :param file: open for writing; is closed
    """
    records = 0
    with (
        pq.ParquetWriter(file, _SCHEMA, compression=compression or "none") as writer,
        ThreadPoolExecutor(1, thread_name_prefix="voiso-parquet") as pool,
    ):
        made: Future[Any] | None = None
        for lines in blocks:
            before, made = made, pool.submit(table, lines)
            if before:
                writer.write_table(before.result())
            records += lines.count
        if made:
            writer.write_table(made.result())
    return records


def write_block(
    of: Sequence[Column], block: Sequence[Sequence[Any]], file: Any, compression: str | None
) -> None:
    """Write the values of any columns to an open file, which is closed."""
    schema = pa.schema([(column.name, _TYPES[column.type]) for column in of])
    arrays = [_array(values, field.type) for values, field in zip(block, schema, strict=True)]
    whole = pa.Table.from_arrays(arrays, schema=schema)
    pq.write_table(whole, file, compression=compression or "none")


def table(lines: Lines) -> Any:
    """Return records as a pyarrow table.

    It holds what :func:`~airflow_provider_voiso.destinations.columns.columns` makes of them.
    pyarrow reads documented records in two thirds of the time; a block with any other is left to
    ``columns``.
    """
    try:
        return _documented(lines)
    except (*UNFIT, pa.ArrowInvalid):
        batches = [_batch(block) for block in in_blocks(lines.split())]
        return pa.Table.from_batches(batches, schema=_SCHEMA)


def _batch(records: Sequence[bytes]) -> Any:
    arrays = [
        _array(values, field.type) for values, field in zip(columns(records), _SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _array(values: Sequence[Any], type_: Any) -> Any:
    if type_ != _TYPES["instant"]:
        return pa.array(values, type_)
    # pyarrow takes four times as long to convert datetimes itself.
    numbers = [None if value is None else epoch_us(value) for value in values]
    return pa.array(numbers, pa.int64()).cast(type_)


def _documented(lines: Lines) -> Any:
    """Return the table of records that hold only what is documented.

    :raises UNFIT: one of these or pyarrow's own, if anything does not fit
    """
    # pyarrow takes the text "1.5" for a number, and crashes on 0e-99999999 and on a null in place
    # of a record.
    costs = [record.cpc for record in _decode_costs(lines.text)]
    if not _PLAIN_NUMBERS.fullmatch(b",".join(costs)):
        raise MisfitError
    # Its own allocator would keep tens of megabytes for the threads that read.
    pool = pa.system_memory_pool()
    sent = pa.json.read_json(pa.BufferReader(lines.text), parse_options=_PARSING, memory_pool=pool)
    sent.validate(full=True)  # finds what is not UTF-8, and decimals of too many digits
    are_instants = pc.match_substring_regex(sent["timestamp"], _TIMESTAMP)
    fit = pc.all(are_instants, min_count=0).as_py()
    if sent.num_rows != lines.count or not fit or _holds_nul(sent):
        raise MisfitError
    made = {field.column: sent[field.name] for field in _AS_COLUMNS}
    made["ended_at"] = sent["timestamp"].cast(_TYPES["instant"])
    made["duration_seconds"] = _seconds(sent["duration"])
    for field in _IN_SLA:
        made[field.column] = _seconds(pc.struct_field(sent["sla"], field.name))
    made["extra"] = pa.nulls(lines.count, pa.string())
    return pa.table([made[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _holds_nul(sent: Any) -> bool:
    for field in _TEXTS:
        for chunk in sent[field].chunks:
            _, _, characters = chunk.buffers()
            if characters and b"\0" in characters.to_pybytes():
                return True
    return False


def _seconds(durations: Any) -> Any:
    different = durations.unique()
    numbers = pa.array([seconds(duration) for duration in different.to_pylist()], pa.int64())
    return numbers.take(pc.index_in(durations, value_set=different))
