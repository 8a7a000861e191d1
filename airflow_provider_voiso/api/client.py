"""The client of one Voiso account: windows of records, reference lists, a check of the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_voiso.api.read import WindowRead
from airflow_provider_voiso.api.selection import Selection
from airflow_provider_voiso.api.transport import Transport
from airflow_provider_voiso.api.v2.answer_size import BATCH
from airflow_provider_voiso.api.v2.api import REFERENCE_LISTS, ApiV2
from airflow_provider_voiso.api.v2.authorization import key_in_query
from airflow_provider_voiso.api.v2.filters import filter_params
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.read import Content, OnAnswer, OutOfWindow
    from airflow_provider_voiso.api.settings import Settings
    from airflow_provider_voiso.api.window import Window


class Api(Protocol):
    """One version of Voiso's API."""

    @property
    def probes(self) -> int:
        """Number of requests so far that only proved how the API behaves."""
        ...

    def read(
        self,
        window: Window,
        params: Mapping[str, str],
        policy: OutOfWindow,
        on_answer: OnAnswer | None = None,
    ) -> Content:
        """Read every record whose ``timestamp`` lies in a window."""
        ...

    def count(self, window: Window, params: Mapping[str, str], at_least: int) -> int:
        """Count a window's records, stopping once ``at_least`` are found."""
        ...

    def list_reference(self, name: str) -> list[dict[str, Any]]:
        """Return a list of the account's objects."""
        ...

    def check(self) -> None:
        """Send one small request, which fails if the key is not accepted."""
        ...


class CdrClient:
    """Reads from one Voiso account.

    :param settings: host, key and limits
    :param batch: records that one search returns without a token; the vendor's page says 10,000
    :param name: the id of the Airflow connection, which tells apart accounts on one host
    """

    def __init__(self, settings: Settings, *, batch: int = BATCH, name: str = "") -> None:
        self._base_url = settings.base_url
        self._name = name
        self._transport = Transport(settings, key_in_query(settings.key))
        self._api: Api = ApiV2(self._transport, settings, batch=batch)

    def close(self) -> None:
        """Close kept-alive connections."""
        self._transport.close()

    @property
    def requests(self) -> int:
        """Number of requests sent so far, retries included."""
        return self._transport.requests

    @property
    def retries(self) -> int:
        """Number of requests sent so far because another one had failed."""
        return self._transport.retries

    def selection(self, filters: Mapping[str, Any] | None = None) -> Selection:
        """Return the selection of a read with these filters, without a request.

        :raises VoisoConfigurationError: for a wrong filter
        """
        return Selection.of(self._base_url, self._name, filter_params(filters))

    def read(
        self,
        window: Window,
        filters: Mapping[str, Any] | None = None,
        *,
        out_of_window: OutOfWindow = "fail",
        on_answer: OnAnswer | None = None,
    ) -> WindowRead:
        """Read every record whose ``timestamp`` lies in a window.

        :param window: the window
        :param filters: request filters of the vendor's parameter table
        :param out_of_window: what to do with a record outside of the requested dates
        :param on_answer: gets to know how far the read is
        :return: the records, on local disk until the caller closes them
        :raises VoisoConfigurationError: for a wrong filter
        :raises VoisoError: of the class that tells why the window could not be read whole
        """
        params = filter_params(filters)
        requests, probes = self.requests, self._api.probes
        try:
            content = self._api.read(window, params, out_of_window, on_answer)
        except VoisoError as error:
            raise error.for_window(window, "could not be read") from None
        return WindowRead(
            window=window,
            selection=Selection.of(self._base_url, self._name, params),
            content=content.records,
            clock=content.clock,
            out_of_window=content.out_of_window,
            requests=self.requests - requests,
            probes=self._api.probes - probes,
        )

    def count(self, window: Window, filters: Mapping[str, Any] | None, *, at_least: int) -> int:
        """Count a window's records in small answers, stopping once ``at_least`` are found.

        :raises VoisoConfigurationError: for a wrong filter
        :raises VoisoError: of the class that tells why the window could not be read
        """
        params = filter_params(filters)
        try:
            return self._api.count(window, params, at_least)
        except VoisoError as error:
            raise error.for_window(window, "could not be counted") from None

    def list_reference(self, name: str) -> list[dict[str, Any]]:
        """Return one of the six reference lists.

        :param name: ``agents``, ``campaigns``, ``deleted_agents``, ``queues``, ``teams`` or
            ``wrapup_codes``
        :raises VoisoConfigurationError: for any other name
        """
        if name not in REFERENCE_LISTS:
            raise VoisoConfigurationError(
                f"Unknown reference list {name!r}. The API has: {', '.join(REFERENCE_LISTS)}."
            )
        return self._api.list_reference(name)

    def check(self) -> None:
        """Request one record of the last hour.

        :raises VoisoError: of the class that tells why that failed
        """
        self._api.check()
