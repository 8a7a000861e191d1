"""What every destination is: an address, a check before the first request, and one verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_voiso.api.read import WindowRead


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a destination holds after a write.

    :param bytes: size of the object, or of the records as JSON where there is none
    :param uri: address of the object, None for a table
    :param url: page of the object for a browser, without credentials; None for a table
    :param table: name of the table, None for an object
    :param columns_missing: columns that the table lacks, so that their values went to ``extra``;
        None if it lacks none
    :param inserted: rows that are new; None if that is not known, as for an object
    :param updated: rows that stood there with other values; likewise
    :param deleted: rows of the window that are gone; likewise
    :param changed: whether anything was written, None if that is not known
    :param records_before: records of the window that the destination held before; likewise
    """

    bytes: int
    uri: str | None = None
    url: str | None = None
    table: str | None = None
    columns_missing: tuple[str, ...] | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    changed: bool | None = None
    records_before: int | None = None


class Destination(Protocol):
    """A place that holds one window at a time."""

    @property
    def address(self) -> str:
        """Where the window goes, as a person would write it."""
        ...

    def check(self) -> None:
        """Refuse what cannot work, before anything is asked of the API.

        :raises VoisoConfigurationError: naming what to change
        """
        ...

    def write(self, read: WindowRead) -> Written:
        """Bring the destination to the state of the window that was read: all of it or nothing.

        :raises VoisoError: of the class that tells why it was not written
        """
        ...
