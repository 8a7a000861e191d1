"""One object of a store that holds one reference list."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.files.reference_file import write_reference
from airflow_provider_voiso.destinations.files.writing import CONTENT_TYPE
from airflow_provider_voiso.destinations.stores.base import ANY_STATE, HiddenError, StoreError
from airflow_provider_voiso.destinations.stores.contents import count_in
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoSpoolError,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    from airflow_provider_voiso.destinations.files.writing import Compression, FileFormat
    from airflow_provider_voiso.destinations.reference import ReferenceList
    from airflow_provider_voiso.destinations.stores.base import Description, ObjectStore

log = logging.getLogger(__name__)

_MAX_PUTS = 3
"""Puts that find the object replaced since it was looked at, before the task gives up."""


class ReferenceObject:
    """An object that holds one list, replaced as a whole, unless it holds something else of ours.

    :param store: where it is kept
    :param key: its key
    :param reference: name of the list
    :param account: host name of the account, for people who look at the object's metadata
    :param file_format: see :func:`~airflow_provider_voiso.destinations.files.writing.write_file`
    :param compression: likewise
    :param allow_empty: let an empty list replace one with items
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        key: str,
        reference: str,
        account: str,
        file_format: FileFormat,
        compression: Compression | None,
        allow_empty: bool,
    ) -> None:
        self._store = store
        self._key = key
        self._reference = reference
        # Stores keep ASCII, and some drop empty values.
        self._account = (account or "unknown").encode("ascii", "backslashreplace").decode()
        self._format: FileFormat = file_format
        self._compression: Compression | None = compression
        self._allow_empty = allow_empty

    @property
    def address(self) -> str:
        """The object's URI."""
        return self._store.address(self._key)

    def check(self) -> None:
        """Check the arguments, and that the object may be replaced.

        :raises VoisoConfigurationError: if it holds another list or a window
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

    def write(self, found: ReferenceList) -> Written:
        """Put a list in the object's place.

        :raises VoisoShrunkError: if the list is empty and the object's is not
        :raises VoisoSpoolError: if the local disk cannot hold the file
        :raises VoisoDestinationError: if the store refuses the file, or does not answer
        :raises VoisoReconciliationError: if the object is not afterwards what was put
        """
        metadata = {
            "account": self._account,
            "records": str(len(found.items)),
            "content": self._content,
            "fetched-at": found.fetched_at.isoformat(),
        }
        try:
            with tempfile.TemporaryFile(prefix="voiso-") as file:
                write_reference(
                    found, file, file_format=self._format, compression=self._compression
                )
                size = file.seek(0, os.SEEK_END)
                replaced = self._put(file, metadata, found)
        except OSError as error:
            failure = VoisoSpoolError.of(error, f"the list {self._reference}")
        else:
            self._verify(size, metadata)
            return Written(
                bytes=size,
                uri=self.address,
                url=self._store.url(self._key),
                records_before=_items_of(replaced),
            )
        raise failure

    @property
    def _content(self) -> str:
        return f"reference-{self._reference}"

    def _put(
        self, file: BinaryIO, metadata: dict[str, str], found: ReferenceList
    ) -> Description | None:
        """Replace the object if it is still what was found; return what was replaced."""
        seen = self._look()
        for _ in range(_MAX_PUTS):
            found.check_not_emptied(
                0 if seen is None else _items_of(seen), self.address, allow_empty=self._allow_empty
            )
            if self._try_put(file, metadata, seen):
                return seen
            before, seen = seen, self._look()
            if seen is not None and seen == before:
                # The store takes the object for changed when it is not: conditions mean nothing
                # there.
                seen = replace(seen, version=ANY_STATE.version)
        raise VoisoReconciliationError(
            f"The list {self._reference} was not exported: {self.address} is being replaced by "
            "other tasks. Give each a key of its own, then run the task again."
        )

    def _try_put(self, file: BinaryIO, metadata: dict[str, str], seen: Description | None) -> bool:
        try:
            return self._store.put(
                self._key,
                file,
                metadata=metadata,
                content_type=CONTENT_TYPE[self._format],
                replaces=seen,
            )
        except StoreError as error:
            failure = self._failure(error, unanswered=" or the whole list")
        raise failure

    def _look(self) -> Description | None:
        """Return what is to be replaced, None if there is nothing.

        :raises VoisoConfigurationError: if it holds another list or a window
        """
        try:
            seen = self._store.describe(self._key)
        except HiddenError as error:
            log.debug("%s cannot be looked at: %s.", self.address, error.reason)
            return ANY_STATE
        except StoreError as error:
            failure = self._failure(error)
        else:
            content = self._content if seen is None else seen.metadata.get("content", self._content)
            if content != self._content:
                raise VoisoConfigurationError(
                    f"{self.address} holds another export of this package, and this task exports "
                    f"the list {self._reference}. It was left as it was. Give each a key of its "
                    "own."
                )
            return seen
        raise failure

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
        return VoisoDestinationError(
            f"The list {self._reference} was not exported. {outcome}. {error.hint}"
        )

    def _verify(self, size: int, metadata: dict[str, str]) -> None:
        """See that the object is what was put there."""
        try:
            stored = self._store.describe(self._key)
        except StoreError as error:
            failure = (
                f"{self.address} was written, but cannot be looked at to check it: {error.reason}. "
                f"{error.hint}"
            )
        else:
            if stored and stored.size == size and stored.metadata.items() >= metadata.items():
                return
            failure = (
                f"{self.address} has {stored.size if stored else 'no'} bytes where {size} were "
                "uploaded, or was replaced by another run in the same moment. Run the task again."
            )
        raise VoisoReconciliationError(
            f"The list {self._reference} was not exported for certain. {failure}"
        )


def _items_of(seen: Description | None) -> int | None:
    """Return how many items an object says to hold; None if it does not, or there is none."""
    return None if seen is None else count_in(seen.metadata)
