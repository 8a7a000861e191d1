"""Records as one file: NDJSON, CSV or Parquet, the same bytes for the same records."""

from __future__ import annotations

import contextlib
import gzip
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any, Literal

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_voiso.export.columns import Page

FileFormat = Literal["ndjson", "csv", "parquet"]
Compression = Literal["gzip", "zstd"]
_SUFFIX: dict[Compression | None, str] = {"gzip": ".gz", "zstd": ".zst", None: ""}
CONTENT_TYPE: dict[FileFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def check_format(file_format: str, compression: str | None) -> None:
    """Refuse a format, a compression, or a pair of them for which a package is missing.

    :raises ValueError: for an unknown name
    :raises VoisoConfigurationError: naming the extra to install
    """
    if file_format not in CONTENT_TYPE:
        raise ValueError(f"Unknown file_format {file_format!r}. Known are: {', '.join(CONTENT_TYPE)}.")
    if compression not in _SUFFIX:
        raise ValueError(f"Unknown compression {compression!r}. Known are: 'gzip', 'zstd' and None.")
    if (file_format == "parquet" or compression == "zstd") and not _has_pyarrow():
        raise VoisoConfigurationError(
            "Parquet and zstd need the package pyarrow: pip install 'airflow-provider-voiso[parquet]'."
        )


def _has_pyarrow() -> bool:
    # Looked for, not imported: this runs whenever a DAG file is parsed.
    try:
        return find_spec("pyarrow") is not None
    except ImportError:
        return False


def extension(file_format: FileFormat, compression: Compression | None) -> str:
    """Return the end of the file's name, without a leading dot; Parquet compresses inside and shows it not."""
    return file_format if file_format == "parquet" else file_format + _SUFFIX[compression]


def write_file(
    pages: Iterable[Page], file: IO[bytes], *, file_format: FileFormat, compression: Compression | None
) -> int:
    """Write records to an open file and return their number.

    NDJSON holds each record's bytes as the API sent them, one a line. CSV and Parquet hold the typed columns.

    :param pages: records in the order in which they are to stand
    :param file: open for writing; stays open
    """
    if file_format == "parquet":
        return _write_parquet(pages, file, compression)
    records = 0
    with _compressed(file, compression) as write:
        if file_format == "csv":
            from airflow_provider_voiso.export.csv_format import csv_header, csv_lines  # noqa: PLC0415

            write(csv_header())
            for page in pages:
                write(csv_lines(page))
                records += len(page)
        else:
            for page in pages:
                write(b"\n".join(page) + b"\n" if page else b"")
                records += len(page)
    return records


@contextlib.contextmanager
def _compressed(file: IO[bytes], compression: Compression | None) -> Iterator[Callable[[bytes], Any]]:
    if compression == "gzip":
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=1, mtime=0) as stream:
            yield stream.write
    elif compression == "zstd":
        import pyarrow as pa  # noqa: PLC0415 - optional

        with pa.CompressedOutputStream(pa.PythonFile(_KeptOpen(file), mode="w"), "zstd") as stream:
            yield stream.write
    else:
        yield file.write


class _KeptOpen:
    """A file that pyarrow may not close."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.write = file.write
        self.flush = file.flush
        self.tell = file.tell

    def close(self) -> None:
        self.flush()

    def writable(self) -> bool:
        return True


def _write_parquet(pages: Iterable[Page], file: IO[bytes], compression: Compression | None) -> int:
    import pyarrow as pa  # noqa: PLC0415 - optional
    import pyarrow.parquet as pq  # noqa: PLC0415 - optional

    from airflow_provider_voiso.export.columns import COLUMNS, rows  # noqa: PLC0415

    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "decimal": pa.decimal128(12, 4),
        "instant": pa.timestamp("us", tz="UTC"),
        "json": pa.string(),
    }
    schema = pa.schema([pa.field(column.name, types[column.type]) for column in COLUMNS])
    records = 0
    with pq.ParquetWriter(_KeptOpen(file), schema, compression=compression or "none") as writer:
        for page in filter(None, pages):
            columns = zip(*rows(page), strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            records += len(page)
    return records
