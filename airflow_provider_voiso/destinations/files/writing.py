"""Records as one file: NDJSON, CSV or Parquet, the same bytes for the same records."""

from __future__ import annotations

import contextlib
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from typing_extensions import Buffer, Self

    from airflow_provider_voiso.api.page import Lines

FileFormat = Literal["ndjson", "csv", "parquet"]
Compression = Literal["gzip", "zstd"]
_SUFFIX: dict[Compression | None, str] = {"gzip": ".gz", "zstd": ".zst", None: ""}
CONTENT_TYPE: dict[FileFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


_THREADS = 4
_BLOCK = 1 << 20
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"
"""Deflate, no flags, no time, compressed fast, on no particular system."""


class Writable(Protocol):
    """As much of a binary file as is needed."""

    def write(self, data: bytes, /) -> Any:
        """Append all of the data."""

    def flush(self) -> None:
        """Nothing, or what files do."""

    def tell(self) -> int:
        """Return how many bytes were written."""
        ...


def check_format(file_format: str, compression: str | None) -> None:
    """Refuse a format, a compression, or a pair of them for which a package is missing.

    :raises VoisoConfigurationError: for an unknown name, or naming the extra to install
    """
    if file_format not in list(CONTENT_TYPE):
        raise VoisoConfigurationError(f"Unknown file_format {file_format!r}. Known are: {', '.join(CONTENT_TYPE)}.")
    if compression not in list(_SUFFIX):
        raise VoisoConfigurationError(f"Unknown compression {compression!r}. Known are: 'gzip', 'zstd' and None.")
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
    blocks: Iterable[Lines], file: Writable, *, file_format: FileFormat, compression: Compression | None
) -> int:
    """Write records to an open file and return their number.

    NDJSON holds each record's bytes as the API sent them, one a line. CSV and Parquet hold the typed columns.

    :param blocks: records in the order in which they are to stand; row groups of Parquet are as large
    :param file: open for writing; stays open
    """
    if file_format == "parquet":
        from airflow_provider_voiso.destinations.files.parquet_format import write_parquet  # noqa: PLC0415 - optional

        return write_parquet(blocks, _KeptOpen(file), compression)
    records = 0
    with _compressed(file, compression) as write:
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
def _compressed(file: Writable, compression: Compression | None) -> Iterator[Callable[[bytes], Any]]:
    if compression == "gzip":
        with _Gzip(file.write) as stream:
            yield stream.write
    elif compression == "zstd":
        import pyarrow as pa  # noqa: PLC0415 - optional

        with pa.CompressedOutputStream(pa.PythonFile(_KeptOpen(file), mode="w"), "zstd") as stream:
            yield stream.write
    else:
        yield file.write


class _Gzip:
    """One gzip member, compressed block by block in several threads; its bytes depend on nothing but the content.

    :param write: takes the compressed bytes, in the caller's thread
    """

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write = write
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="voiso-gzip")
        self._compressing: deque[Future[bytes]] = deque()
        self._rest = b""
        self._crc = self._size = 0

    def __enter__(self) -> Self:
        self._write(_GZIP_HEADER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._pool:
            if error is not None:
                self._pool.shutdown(cancel_futures=True)
                return
            self._submit(self._rest, zlib.Z_FINISH)
            while self._compressing:
                self._write(self._compressing.popleft().result())
        trailer = (self._crc, self._size & 0xFFFFFFFF)
        self._write(b"".join(number.to_bytes(4, "little") for number in trailer))

    def write(self, data: bytes) -> None:
        """Compress data, sooner or later."""
        self._crc = _fastest_zlib().crc32(data, self._crc)
        self._size += len(data)
        begun = _BLOCK - len(self._rest)
        if len(data) < begun:
            self._rest += data
            return
        self._submit(self._rest + data[:begun], zlib.Z_SYNC_FLUSH)
        whole = len(data) - (len(data) - begun) % _BLOCK
        for start in range(begun, whole, _BLOCK):
            self._submit(memoryview(data)[start : start + _BLOCK], zlib.Z_SYNC_FLUSH)
        self._rest = data[whole:]

    def _submit(self, block: Buffer, end: int) -> None:
        if len(self._compressing) > _THREADS:
            self._write(self._compressing.popleft().result())
        self._compressing.append(self._pool.submit(_deflated, block, end))


def _deflated(block: Buffer, end: int) -> bytes:
    # Without a header, and ended at a whole byte, blocks can be put one behind the other.
    stream = _fastest_zlib().compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(block) + stream.flush(end)  # type: ignore[no-any-return]


@cache
def _fastest_zlib() -> Any:
    try:
        from isal import isal_zlib  # noqa: PLC0415 - optional
    except ImportError:
        return zlib
    return isal_zlib


class _KeptOpen:
    """A file that pyarrow may not close."""

    closed = False

    def __init__(self, file: Writable) -> None:
        self.write = file.write
        self.flush = file.flush
        self.tell = file.tell

    def close(self) -> None:
        self.flush()

    def writable(self) -> bool:
        return True
