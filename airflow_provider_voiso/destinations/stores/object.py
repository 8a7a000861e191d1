"""One object of a store that holds one window."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.files.writing import (
    CONTENT_TYPE,
    Compression,
    FileFormat,
    write_file,
)
from airflow_provider_voiso.destinations.shrinking import check_not_shrunk
from airflow_provider_voiso.destinations.stores.base import ANY_STATE, HiddenError, StoreError
from airflow_provider_voiso.destinations.stores.contents import Contents
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoSpoolError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.api.selection import Selection
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.stores.base import Description, ObjectStore

log = logging.getLogger(__name__)

_LAYOUT = 1
"""Raise it if the same records and arguments are to give another file, as by new columns."""
_MAX_PUTS = 3
"""Puts that find the object replaced since it was looked at, before the task gives up."""


class ExportedObject:
    """One object, replaced as a whole, unless it holds another window or selection.

    :param store: where it is kept
    :param key: its key
    :param window: the window it is to hold
    :param selection: the account and filters it is to hold
    :param file_format: see :func:`~airflow_provider_voiso.destinations.files.writing.write_file`
    :param compression: likewise
    :param replace_other: replace an object of another window or selection as well
    :param fail_if_fewer_than: see
        :func:`~airflow_provider_voiso.destinations.shrinking.check_not_shrunk`
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        key: str,
        window: Window,
        selection: Selection,
        file_format: FileFormat,
        compression: Compression | None,
        replace_other: bool,
        fail_if_fewer_than: float | None = None,
    ) -> None:
        self._store = store
        self._key = key
        self._window = window
        self._contents = Contents.of(window, selection)
        self._format: FileFormat = file_format
        self._compression: Compression | None = compression
        self._replace_other = replace_other
        self._fail_if_fewer_than = fail_if_fewer_than

    @property
    def address(self) -> str:
        """The object's URI."""
        return self._store.address(self._key)

    def check(self) -> None:
        """Check the arguments, and that the object may be replaced.

        :raises VoisoConfigurationError: if it holds another window or selection
        :raises VoisoDestinationError: if the store refuses to show it, or does not answer
        """
        try:
            self._store.check()
        except StoreError as error:
            failure = self._failure(error)
        else:
            self._look()
            return
        raise failure

    def write(self, read: WindowRead) -> Written:
        """Put the records in the object's place, unless it holds the same already.

        They go to a temporary file first; afterwards the object is looked at.

        :raises VoisoSpoolError: if the local disk cannot hold the file
        :raises VoisoConfigurationError: if the object holds another window or selection by now
        :raises VoisoShrunkError: if it would lose more records than it may
        :raises VoisoDestinationError: if the store refuses the file, or does not answer
        :raises VoisoReconciliationError: if the object is not afterwards what was put
        """
        metadata = self._contents.as_metadata(read.records, self._content(read))
        found = self._look()
        if found is not None and found.metadata.items() >= metadata.items():
            log.info("%s holds the same already; it is left as it is.", self.address)
            return Written(
                bytes=found.size,
                uri=self.address,
                url=self._store.url(self._key),
                changed=False,
                records_before=read.records,
            )
        try:
            with tempfile.TemporaryFile(prefix="voiso-") as file:
                size = self._fill(file, read)
                replaced = self._put(file, metadata, found)
        except OSError as error:
            failure = VoisoSpoolError.of(error, self._window)
        else:
            self._verify(size, metadata)
            return Written(
                bytes=size,
                uri=self.address,
                url=self._store.url(self._key),
                changed=True,
                records_before=self._records_in(replaced),
            )
        raise failure

    def _content(self, read: WindowRead) -> str:
        """Identify the records, and how they are written and uploaded."""
        form = f"{_LAYOUT}-{self._format}-{self._compression or 'none'}"
        return f"{form}-{self._store.upload_digest}-{read.digest().hex()}"

    def _records_in(self, found: Description | None) -> int | None:
        return None if found is None else self._contents.records_in(found.metadata)

    def _fill(self, file: BinaryIO, read: WindowRead) -> int:
        """Write the records to a file, and return its size in bytes."""
        written = write_file(
            read.blocks(), file, file_format=self._format, compression=self._compression
        )
        if written != read.records:
            raise VoisoReconciliationError(
                f"The window {self._window} was not exported: {written} of {read.records} records "
                f"were written to the local disk. {self.address} was left as it was. Run the task "
                "again."
            )
        return file.seek(0, os.SEEK_END)

    def _put(
        self, file: BinaryIO, metadata: Mapping[str, str], found: Description | None
    ) -> Description | None:
        """Replace the object if it is still what was found; return what was replaced."""
        self._log_unknown(found)
        for _ in range(_MAX_PUTS):
            check_not_shrunk(
                self._records_in(found),
                int(metadata["records"]),
                self._fail_if_fewer_than,
                self.address,
                self._window,
            )
            if self._try_put(file, metadata, found):
                return found
            before, found = found, self._look()
            if found is not None and found == before:
                # The store takes the object for changed when it is not: conditions mean nothing
                # there.
                found = replace(found, version=ANY_STATE.version)
        raise VoisoReconciliationError(
            f"The window {self._window} was not exported. {self.address} is being replaced by "
            "other "
            "tasks, or holds what the connection may not look at. Run the task again, or grant the "
            "right to read the object."
        )

    def _try_put(
        self, file: BinaryIO, metadata: Mapping[str, str], found: Description | None
    ) -> bool:
        try:
            return self._store.put(
                self._key,
                file,
                metadata=metadata,
                content_type=CONTENT_TYPE[self._format],
                replaces=found,
            )
        except StoreError as error:
            failure = self._failure(error, unanswered=" or all of this window")
        raise failure

    def _look(self) -> Description | None:
        """Return what is to be replaced, None if there is nothing to see.

        :raises VoisoConfigurationError: if it holds another window or selection
        """
        try:
            found = self._store.describe(self._key)
        except HiddenError as error:
            # Stores also hide what is missing. The put tells, as it replaces nothing.
            log.debug("%s cannot be looked at: %s.", self.address, error.reason)
            return ANY_STATE if self._replace_other else None
        except StoreError as error:
            failure = self._failure(error)
        else:
            self._check_replaceable(found)
            return found
        raise failure

    def _check_replaceable(self, found: Description | None) -> None:
        if found is None or self._replace_other:
            return
        held = Contents.from_metadata(found.metadata)
        if not held.may_be(self._contents):
            raise VoisoConfigurationError(
                f"{self.address} holds {held}, and this task exports {self._contents}. It was left "
                "as it was. Give each a key of its own, or set replace_other=True if the object is "
                "to hold whatever was exported last."
            )

    def _log_unknown(self, found: Description | None) -> None:
        if found is None or found == ANY_STATE:
            return
        if not Contents.from_metadata(found.metadata).is_known:
            log.warning(
                "%s does not say which window and selection it holds; replacing it.", self.address
            )

    def _failure(self, error: StoreError, *, unanswered: str = "") -> VoisoDestinationError:
        """Return the error of an object that was not written, as far as can be known."""
        if error.is_refused:
            kept = "What it held before is still there"
            outcome = f"{self.address} was not written: {error.reason}. {kept}"
        else:
            outcome = (
                f"{self.address} got no answer: {error.reason}. It holds what it held before"
                f"{',' if unanswered else ''}{unanswered}"
            )
        return VoisoDestinationError(
            f"The window {self._window} was not exported. {outcome}. {error.hint}"
        )

    def _verify(self, size: int, metadata: Mapping[str, str]) -> None:
        """See that the object is what was put there."""
        try:
            found = self._store.describe(self._key)
        except StoreError as error:
            failure = (
                f"{self.address} was written, but cannot be looked at to check it: {error.reason}. "
                f"{error.hint}"
            )
        else:
            stored = found.metadata if found else {}
            if found and found.size == size and stored.items() >= metadata.items():
                return
            failure = (
                f"{self.address} has {found.size if found else 'no'} bytes where {size} were "
                "uploaded, or was replaced by another run in the same moment. Run the task again."
            )
        raise VoisoReconciliationError(f"The window {self._window} was not exported. {failure}")
