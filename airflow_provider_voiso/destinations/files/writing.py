"""Records as one file: NDJSON, CSV or Parquet, the same bytes for the same records."""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_voiso.api.page import Lines

FileFormat = Literal["ndjson", "csv", "parquet"]
Compression = Literal["gzip", "zstd"]
_SUFFIX: dict[Compression | None, str] = {"gzip": ".gz", "zstd": ".zst", None: ""}
CONTENT_TYPE: dict[FileFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


_FASTEST_LEVEL = 1
"""Level 0 of igzip is no faster, and a third larger."""


class Writable(Protocol):
    """The methods that the writers need of a binary file."""

    def write(self, data: bytes, /) -> Any:
        """Append all of the data."""

    def flush(self) -> None:
        """Flush as files do; may do nothing."""

    def tell(self) -> int:
        """Return the number of bytes written."""
        ...


def check_format(file_format: str, compression: str | None) -> None:
    """Check that a format and a compression are known and their packages installed.

    :raises VoisoConfigurationError: for an unknown name, or naming the extra to install
    """
    if file_format not in list(CONTENT_TYPE):
        raise VoisoConfigurationError(
            f"Unknown file_format {file_format!r}. Known are: {', '.join(CONTENT_TYPE)}."
        )
    if compression not in list(_SUFFIX):
        raise VoisoConfigurationError(
            f"Unknown compression {compression!r}. Known are: 'gzip', 'zstd' and None."
        )
    if (file_format == "parquet" or compression == "zstd") and not _has_pyarrow():
        raise VoisoConfigurationError(
            "Parquet and zstd need the package pyarrow: pip install "
            "'airflow-provider-voiso[parquet]'."
        )


def _has_pyarrow() -> bool:
    # This runs whenever a DAG file is parsed, so pyarrow is looked for and not imported.
    try:
        return find_spec("pyarrow") is not None
    except ImportError:
        return False


def default_compression(file_format: FileFormat) -> Compression:
    """Return the compression of files whose task names none."""
    return "zstd" if file_format == "parquet" else "gzip"


def extension(file_format: FileFormat, compression: Compression | None) -> str:
    """Return the file name's extension without a leading dot; Parquet compresses inside."""
    return file_format if file_format == "parquet" else file_format + _SUFFIX[compression]


def write_file(
    blocks: Iterable[Lines],
    file: Writable,
    *,
    file_format: FileFormat,
    compression: Compression | None,
) -> int:
    """Write records to an open file and return their number.

    NDJSON holds each record's bytes as the API sent them, one a line. CSV and Parquet hold the
    typed columns.

    :param blocks: records in the order of the file; each block becomes one row group of Parquet
    :param file: open for writing; is left open
    """
    if file_format == "parquet":
        from airflow_provider_voiso.destinations.files.parquet_format import write_parquet  # noqa: PLC0415 - optional

        return write_parquet(blocks, KeptOpen(file), compression)
    records = 0
    with compressed(file, compression) as write:
        if file_format == "csv":
            from airflow_provider_voiso.destinations.columns import in_blocks  # noqa: PLC0415
            from airflow_provider_voiso.destinations.files.csv_format import csv_header, csv_lines  # noqa: PLC0415

            write(csv_header())
            for lines in blocks:
                write(b"".join(map(csv_lines, in_blocks(lines.split()))))
                records += lines.count
        else:
            for lines in blocks:
                write(lines.text)
                records += lines.count
    return records


@contextlib.contextmanager
def compressed(file: Writable, compression: Compression | None) -> Iterator[Callable[[bytes], Any]]:
    """Yield a function that appends to a file by way of a compression; the file is left open."""
    if compression == "gzip":
        from isal.igzip import IGzipFile  # noqa: PLC0415 - parsing a DAG needs none

        # Neither name nor time, so that the same records give the same bytes.
        with IGzipFile("", "wb", _FASTEST_LEVEL, fileobj=file, mtime=0) as stream:  # type: ignore[no-untyped-call]
            yield stream.write
    elif compression == "zstd":
        import pyarrow as pa  # noqa: PLC0415 - optional

        with pa.CompressedOutputStream(pa.PythonFile(KeptOpen(file), mode="w"), "zstd") as stream:
            yield stream.write
    else:
        yield file.write


class KeptOpen:
    """A file that stays open when pyarrow closes it."""

    closed = False

    def __init__(self, file: Writable) -> None:
        self.write = file.write
        self.flush = file.flush
        self.tell = file.tell

    def close(self) -> None:
        """Write what is buffered."""
        self.flush()

    def writable(self) -> bool:
        """Tell pyarrow that it may write."""
        return True
