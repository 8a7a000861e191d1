"""One object of a store that holds one reference list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.files.reference_file import write_reference
from airflow_provider_voiso.destinations.shrinking import check_not_emptied
from airflow_provider_voiso.destinations.stores.contents import count_in
from airflow_provider_voiso.destinations.stores.replaced_object import ReplacedObject
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from airflow_provider_voiso.destinations.files.writing import Compression, FileFormat
    from airflow_provider_voiso.destinations.reference import ReferenceList
    from airflow_provider_voiso.destinations.stores.base import Description, ObjectStore


class ReferenceObject(ReplacedObject):
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
        super().__init__(
            store,
            key=key,
            subject=f"the list {reference}",
            file_format=file_format,
            compression=compression,
            replace_hidden=True,
        )
        self._reference = reference
        # Stores keep ASCII, and some drop empty values.
        self._account = (account or "unknown").encode("ascii", "backslashreplace").decode()
        self._allow_empty = allow_empty

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
        replaced = self._replace(lambda file: self._fill(file, found), metadata, self._look())
        return Written(
            bytes=replaced.size,
            uri=self.address,
            url=self._store.url(self._key),
            records_before=None if replaced.before is None else count_in(replaced.before.metadata),
        )

    @property
    def _content(self) -> str:
        return f"reference-{self._reference}"

    def _fill(self, file: BinaryIO, found: ReferenceList) -> None:
        write_reference(found, file, file_format=self._format, compression=self._compression)

    def _check_found(self, found: Description) -> None:
        if found.metadata.get("content", self._content) != self._content:
            raise VoisoConfigurationError(
                f"{self.address} holds another export of this package, and this task exports the "
                f"list {self._reference}. It was left as it was. Give each a key of its own."
            )

    def _check_loss(self, found: Description | None, metadata: Mapping[str, str]) -> None:
        before = 0 if found is None else count_in(found.metadata)
        check_not_emptied(
            self._reference,
            before,
            int(metadata["records"]),
            self.address,
            allow_empty=self._allow_empty,
        )
