"""What both operators on reference lists share: asking for the list, and the manifest."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.arguments import check_bool, check_one_of, check_text
from airflow_provider_voiso.compat.termination import Termination
from airflow_provider_voiso.destinations.reference import REFERENCE_FIELDS, ReferenceList
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.report.assets import announce
from airflow_provider_voiso.report.links import leave_object_url
from airflow_provider_voiso.report.words import count_text
from airflow_provider_voiso.run.templates import is_rendered_later

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_voiso.destinations.base import Written

    class ReferenceDestination(Protocol):
        """A place that holds one reference list."""

        @property
        def address(self) -> str:
            """Where the list goes, as a person would write it."""
            ...

        def check(self) -> None:
            """Refuse what cannot work, before anything is asked of the API."""
            ...

        def write(self, found: ReferenceList) -> Written:
            """Replace the list that the place holds: all of it or nothing."""
            ...


class VoisoReferenceOperator(BaseOperator):
    """Exports one reference list as it is now; subclasses say where to.

    The vendor documents ``id`` and ``name``, for ``wrapup_codes`` ``code`` and ``description``. All
    other fields go to ``extra`` as JSON, and ``fetched_at`` is when the API was asked, in UTC.

    :param reference: ``queues``, ``agents``, ``teams``, ``wrapup_codes``, ``campaigns`` or
        ``deleted_agents`` (templated)
    :param voiso_conn_id: connection of type ``voiso`` (templated)
    :param allow_empty: let an empty list replace one that is not; by default that is an error, as a
        key that lost its rights gets empty lists

    Events of assets in ``outlets`` carry the manifest as ``extra["voiso"]``.
    """

    template_fields: Sequence[str] = ("reference", "voiso_conn_id")
    ui_color = "#e4f1fb"

    def __init__(
        self,
        *,
        reference: str,
        voiso_conn_id: str = VoisoHook.default_conn_name,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not is_rendered_later(reference):
            check_one_of(reference, "reference", [*REFERENCE_FIELDS])
        if not is_rendered_later(voiso_conn_id):
            check_text(voiso_conn_id, "voiso_conn_id")
        check_bool(allow_empty, "allow_empty")
        self.reference = reference
        self.voiso_conn_id = voiso_conn_id
        self.allow_empty = allow_empty
        self.object_url: str | None = None
        self._termination = Termination()

    @cached_property
    def hook(self) -> VoisoHook:
        """The hook of the connection."""
        return VoisoHook(self.voiso_conn_id)

    def on_kill(self) -> None:
        """End the task at once if it is exporting, which undoes what it has begun."""
        self._termination.request()

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Export the list, and return the manifest."""
        check_one_of(self.reference, "reference", [*REFERENCE_FIELDS])
        destination = self.destination()
        destination.check()
        client = self.hook.client  # looked up before a kill may interrupt
        with self._termination.guarded():
            fetched_at = datetime.now(UTC)
            items = client.list_reference(self.reference)
            found = ReferenceList(self.reference, items, fetched_at)
            written = destination.write(found)
        leave_object_url(self, context, written.url)
        self.log.info(
            "Exported the list %s (%s) to %s.",
            self.reference,
            count_text(len(items), "item"),
            destination.address,
        )
        manifest = _manifest(found, written)
        announce(context, self.outlets, window=None, manifest=manifest, asset_uri=self.asset_uri())
        return manifest

    @abstractmethod
    def destination(self) -> ReferenceDestination:
        """Return where the list goes.

        :raises VoisoConfigurationError: if the arguments name no such place
        """

    @abstractmethod
    def asset_uri(self) -> str:
        """Return the URI for which an ``AssetAlias`` in ``outlets`` stands."""


def _manifest(found: ReferenceList, written: Written) -> dict[str, Any]:
    """Return what the export did, in numbers; nothing of an item."""
    said = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(written).items()
        if value is not None and name != "url"
    }
    return {
        "reference": found.name,
        "records": len(found.items),
        "fetched_at": found.fetched_at.isoformat(),
        **said,
    }
