"""An object of a store that is replaced as a whole, if it is still what was looked at."""

from __future__ import annotations

import logging
import os
import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from airflow_provider_voiso.destinations.files.writing import CONTENT_TYPE, Compression, FileFormat
from airflow_provider_voiso.destinations.stores.base import ANY_STATE, HiddenError, StoreError
from airflow_provider_voiso.exceptions import (
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoSpoolError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_voiso.destinations.stores.base import Description, ObjectStore

log = logging.getLogger(__name__)

_MAX_PUTS = 3
"""Puts that find the object replaced since it was looked at, before the task gives up."""


class Replaced(NamedTuple):
    """What came of replacing an object.

    :param size: of the new object, in bytes
    :param before: what stood there, None if there was nothing
    """

    size: int
    before: Description | None


class ReplacedObject(ABC):
    """What the object of a window and that of a list have in common.

    :param store: where it is kept
    :param key: its key
    :param subject: what it is to hold, for the messages, such as ``the list queues``
    :param file_format: see :func:`~airflow_provider_voiso.destinations.files.writing.write_file`
    :param compression: likewise
    :param replace_hidden: replace an object that the store does not show to the connection
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        key: str,
        subject: str,
        file_format: FileFormat,
        compression: Compression | None,
        replace_hidden: bool,
    ) -> None:
        self._store = store
        self._key = key
        self._subject = subject
        self._format: FileFormat = file_format
        self._compression: Compression | None = compression
        self._replace_hidden = replace_hidden

    @property
    def address(self) -> str:
        """The object's URI."""
        return self._store.address(self._key)

    def check(self) -> None:
        """Check the arguments, and that the object may be replaced.

        :raises VoisoConfigurationError: if it holds something else of this package
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

    @abstractmethod
    def _check_found(self, found: Description) -> None:
        """Refuse to replace an object that holds something else.

        :raises VoisoConfigurationError: if it does
        """

    @abstractmethod
    def _check_loss(self, found: Description | None, metadata: Mapping[str, str]) -> None:
        """Refuse to replace an object by one with far fewer records.

        :param found: what is to be replaced
        :param metadata: of the new object
        :raises VoisoShrunkError: if it is so
        """

    def _replace(
        self,
        fill: Callable[[BinaryIO], None],
        metadata: Mapping[str, str],
        found: Description | None,
    ) -> Replaced:
        """Make a file the object, and look at it afterwards.

        :param fill: writes the file
        :param metadata: of the new object
        :param found: what is to be replaced
        :raises VoisoSpoolError: if the local disk cannot hold the file
        :raises VoisoConfigurationError: if the object holds something else by now
        :raises VoisoShrunkError: if it would lose more records than it may
        :raises VoisoDestinationError: if the store refuses the file, or does not answer
        :raises VoisoReconciliationError: if the object is not afterwards what was put
        """
        try:
            with tempfile.TemporaryFile(prefix="voiso-") as file:
                fill(file)
                size = file.seek(0, os.SEEK_END)
                before = self._put(file, metadata, found)
        except OSError as error:
            failure = VoisoSpoolError.of(error, self._subject)
        else:
            self._verify(size, metadata)
            return Replaced(size, before)
        raise failure

    def _put(
        self, file: BinaryIO, metadata: Mapping[str, str], found: Description | None
    ) -> Description | None:
        """Replace the object if it is still what was found; return what was replaced."""
        for _ in range(_MAX_PUTS):
            self._check_loss(found, metadata)
            if self._try_put(file, metadata, found):
                return found
            before, found = found, self._look()
            if found is not None and found == before:
                # The store takes the object for changed when it is not: conditions mean nothing
                # there.
                found = replace(found, version=ANY_STATE.version)
        raise VoisoReconciliationError(
            f"{self._not_exported} {self.address} is being replaced by other tasks, or holds what "
            "the connection may not look at. Give each task a key of its own, or grant the right "
            "to read the object. Then run the task again."
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
            failure = self._failure(error, unanswered=f", or all of {self._subject}")
        raise failure

    def _look(self) -> Description | None:
        """Return what is to be replaced, None if there is nothing to see."""
        try:
            found = self._store.describe(self._key)
        except HiddenError as error:
            # Stores also hide what is missing. The put tells, as it replaces nothing.
            log.debug("%s cannot be looked at: %s.", self.address, error.reason)
            return ANY_STATE if self._replace_hidden else None
        except StoreError as error:
            failure = self._failure(error)
        else:
            if found is not None:
                self._check_found(found)
            return found
        raise failure

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
        raise VoisoReconciliationError(f"{self._not_exported} {failure}")

    @property
    def _not_exported(self) -> str:
        return f"{self._subject[0].upper()}{self._subject[1:]} was not exported."

    def _failure(self, error: StoreError, *, unanswered: str = "") -> VoisoDestinationError:
        """Return the error of an object that was not written, as far as can be known."""
        if error.is_refused:
            outcome = (
                f"{self.address} was not written: {error.reason}. What it held before is still "
                "there"
            )
        else:
            outcome = (
                f"{self.address} got no answer: {error.reason}. It holds what it held "
                f"before{unanswered}"
            )
        return VoisoDestinationError(f"{self._not_exported} {outcome}. {error.hint}")
