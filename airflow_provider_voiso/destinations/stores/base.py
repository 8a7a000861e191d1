"""What every store of objects does: look at an object, and put a file in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from airflow_provider_voiso.exceptions import VoisoDestinationError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Description:
    """What a store says about an object.

    :param size: in bytes
    :param metadata: the exporter's own, names in lower case
    :param version: what the store calls this state of the object; empty if it is to be replaced in
        any state
    """

    size: int
    metadata: Mapping[str, str]
    version: str


ANY_STATE = Description(0, {}, "")
"""Stands for an object that is to be replaced whatever it is."""


class StoreError(VoisoDestinationError):
    """A store refused an operation or did not answer; destinations say it in a sentence.

    :param reason: what happened, as the middle of a sentence
    :param hint: what a person should check, as a sentence
    :param is_refused: the store answered, so that nothing has changed
    """

    def __init__(self, reason: str, hint: str, *, is_refused: bool) -> None:
        super().__init__(f"{reason}. {hint}")
        self.reason = reason
        self.hint = hint
        self.is_refused = is_refused


class HiddenError(StoreError):
    """There may be an object, but the store does not show it to this connection."""


class ObjectStore(Protocol):
    """A bucket or container, by one of Airflow's connections."""

    def address(self, key: str) -> str:
        """Return the URI of an object."""
        ...

    def url(self, key: str) -> str | None:
        """Return an object's page for a browser, without credentials; None if it has none."""
        ...

    @property
    def upload_digest(self) -> str:
        """Identifies the arguments of an upload, so that an object is known to be uploaded so."""
        ...

    def check(self) -> None:
        """Refuse arguments that cannot work, without a request to the store.

        :raises VoisoConfigurationError: naming what to change
        :raises StoreError: if the connection's credentials cannot be asked for
        """
        ...

    def describe(self, key: str) -> Description | None:
        """Return what the store says about an object, None if there is none.

        :raises VoisoConfigurationError: if the connection has no credentials
        :raises HiddenError: if the connection may not look at the object
        :raises StoreError: if the store refuses otherwise, or does not answer
        """
        ...

    def put(
        self,
        key: str,
        file: BinaryIO,
        *,
        metadata: Mapping[str, str],
        content_type: str,
        replaces: Description | None,
    ) -> bool:
        """Make a file the object at a key, all of it at once, and drop what killed puts left there.

        :param file: open for reading; is read from its beginning
        :param metadata: ASCII text
        :param replaces: what the object is now, None if there is none
        :return: False, with nothing changed, if the store finds the object to be something else by
            now; a store that cannot tell puts the file all the same
        :raises StoreError: if the store refuses, or does not answer
        """
        ...
