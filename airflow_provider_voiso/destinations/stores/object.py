"""One object of a store that holds one window."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.files.writing import write_file
from airflow_provider_voiso.destinations.shrinking import check_not_shrunk
from airflow_provider_voiso.destinations.stores.base import ANY_STATE
from airflow_provider_voiso.destinations.stores.contents import Contents
from airflow_provider_voiso.destinations.stores.replaced_object import ReplacedObject
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoReconciliationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.api.selection import Selection
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.files.writing import Compression, FileFormat
    from airflow_provider_voiso.destinations.stores.base import Description, ObjectStore

log = logging.getLogger(__name__)

_LAYOUT = 1
"""Raise it if the same records and arguments are to give another file, as by new columns."""


class ExportedObject(ReplacedObject):
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
        super().__init__(
            store,
            key=key,
            subject=f"the window {window}",
            file_format=file_format,
            compression=compression,
            replace_hidden=replace_other,
        )
        self._window = window
        self._contents = Contents.of(window, selection)
        self._replace_other = replace_other
        self._fail_if_fewer_than = fail_if_fewer_than

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
        self._log_unknown(found)
        replaced = self._replace(lambda file: self._fill(file, read), metadata, found)
        return Written(
            bytes=replaced.size,
            uri=self.address,
            url=self._store.url(self._key),
            changed=True,
            records_before=self._records_in(replaced.before),
        )

    def _content(self, read: WindowRead) -> str:
        """Identify the records, and how they are written and uploaded."""
        form = f"{_LAYOUT}-{self._format}-{self._compression or 'none'}"
        return f"{form}-{self._store.upload_digest}-{read.digest().hex()}"

    def _records_in(self, found: Description | None) -> int | None:
        return None if found is None else self._contents.records_in(found.metadata)

    def _fill(self, file: BinaryIO, read: WindowRead) -> None:
        written = write_file(
            read.blocks(), file, file_format=self._format, compression=self._compression
        )
        if written != read.records:
            raise VoisoReconciliationError(
                f"The window {self._window} was not exported: {written} of {read.records} records "
                f"were written to the local disk. {self.address} was left as it was. Run the task "
                "again."
            )

    def _check_found(self, found: Description) -> None:
        held = Contents.from_metadata(found.metadata)
        if not self._replace_other and not held.may_be(self._contents):
            raise VoisoConfigurationError(
                f"{self.address} holds {held}, and this task exports {self._contents}. It was left "
                "as it was. Give each a key of its own, or set replace_other=True if the object is "
                "to hold whatever was exported last."
            )

    def _check_loss(self, found: Description | None, metadata: Mapping[str, str]) -> None:
        check_not_shrunk(
            self._records_in(found),
            int(metadata["records"]),
            self._fail_if_fewer_than,
            self.address,
            self._window,
        )

    def _log_unknown(self, found: Description | None) -> None:
        if found is None or found == ANY_STATE:
            return
        if not Contents.from_metadata(found.metadata).is_known:
            log.warning(
                "%s does not say which window and selection it holds; replacing it.", self.address
            )
