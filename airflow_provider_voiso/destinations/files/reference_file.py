"""A reference list as one file: NDJSON, CSV or Parquet, each with the typed columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.files.writing import KeptOpen, compressed
from airflow_provider_voiso.destinations.reference import reference_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.files.writing import (
        Compression,
        FileFormat,
        Writable,
    )
    from airflow_provider_voiso.destinations.reference import ReferenceList


def write_reference(
    found: ReferenceList,
    file: Writable,
    *,
    file_format: FileFormat,
    compression: Compression | None,
) -> None:
    """Write a list to an open file, which is left open.

    NDJSON holds ``extra`` as an object, CSV and Parquet as text.
    """
    columns = reference_columns(found.name)
    block = found.block(columns)
    if file_format == "parquet":
        from airflow_provider_voiso.destinations.files.parquet_format import (  # noqa: PLC0415
            write_block,
        )

        write_block(columns, block, KeptOpen(file), compression)
        return
    with compressed(file, compression) as write:
        if file_format == "csv":
            from airflow_provider_voiso.destinations.files.csv_format import (  # noqa: PLC0415
                csv_header,
                csv_rows,
            )

            write(csv_header(columns))
            write(csv_rows(columns, block))
        else:
            write(b"".join(_lines(columns, block)))


def _lines(columns: Sequence[Column], block: Sequence[Sequence[Any]]) -> Iterable[bytes]:
    names = [column.name for column in columns]
    for row in zip(*block, strict=True):
        yield _line(dict(zip(names, row, strict=True)))


def _line(item: Mapping[str, Any]) -> bytes:
    extra, fetched_at = item["extra"], item["fetched_at"]
    shown = {
        **item,
        "extra": extra and json.loads(extra),
        "fetched_at": fetched_at.isoformat(timespec="microseconds"),
    }
    return json.dumps(shown, ensure_ascii=False).encode() + b"\n"
