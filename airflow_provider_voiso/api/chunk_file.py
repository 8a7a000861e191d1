"""An unnamed temporary file, written in the background and read by several readers.

The operating system removes it when the process ends, however that happens.
"""

from __future__ import annotations

import errno
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_voiso.exceptions import VoisoSpoolError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from airflow_provider_voiso.api.window import Window


class ChunkFile:
    """Appends bytes, and returns those of any place.

    :param window: named in errors
    :raises VoisoSpoolError: if the local disk fails, now or later
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        try:
            self._file = tempfile.TemporaryFile(prefix="voiso-", buffering=0)  # noqa: SIM115 - see close
        except OSError as error:
            raise VoisoSpoolError.of(error, window) from None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="voiso-spool")
        self._writing: Future[None] | None = None

    def append(self, chunks: list[bytes]) -> None:
        """Append chunks in the background, while the next answer is requested.

        :raises VoisoSpoolError: if the chunks of an earlier call could not be written
        """
        self.flush()
        self._writing = self._writer.submit(self._write, chunks)

    def flush(self) -> None:
        """Wait until everything is written.

        :raises VoisoSpoolError: if some of it could not be written
        """
        if self._writing is not None:
            self._writing.result()

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset`` on.

        :raises VoisoSpoolError: if they cannot be read
        """
        try:
            text = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise VoisoSpoolError.of(error, self._window) from None
        if len(text) < size:
            raise VoisoSpoolError.of(OSError(errno.EIO, os.strerror(errno.EIO)), self._window)
        return text

    def close(self) -> None:
        """Remove the file."""
        self._writer.shutdown()
        self._file.close()

    def _write(self, chunks: list[bytes]) -> None:
        size = sum(len(chunk) for chunk in chunks)
        try:
            written = os.writev(self._file.fileno(), chunks) if chunks else 0
            rest = memoryview(b"".join(chunks) if written < size else b"")[written:]
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise VoisoSpoolError.of(error, self._window) from None
