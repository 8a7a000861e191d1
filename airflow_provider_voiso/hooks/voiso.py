"""Hook for the Voiso CDR API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_voiso.api.read import OutOfWindow
from airflow_provider_voiso.api.records import decode
from airflow_provider_voiso.api.v2.filters import filter_params
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.arguments import check_count, check_one_of
from airflow_provider_voiso.compat import forms
from airflow_provider_voiso.compat.connections import find_connection
from airflow_provider_voiso.connection.form import CONNECTION_TYPE, EXTRA_FIELDS, field_behaviour
from airflow_provider_voiso.connection.settings import settings_from_connection
from airflow_provider_voiso.exceptions import VoisoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_provider_voiso.api.client import CdrClient
    from airflow_provider_voiso.api.read import WindowRead


class VoisoHook(BaseHook):
    """Reads call detail records and reference lists from one Voiso account.

    A window is read whole and checked before its first record is returned, so a caller never sees
    an incomplete one. Pages go to a temporary file on local disk, so memory does not grow with the
    window.

    :param voiso_conn_id: connection of type ``voiso``
    """

    conn_name_attr = "voiso_conn_id"
    default_conn_name = "voiso_default"
    conn_type = CONNECTION_TYPE
    hook_name = "Voiso"

    def __init__(self, voiso_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.voiso_conn_id = voiso_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields as Airflow before 3.2 wants them."""
        return forms.form_widgets(EXTRA_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which fields the form relabels and hides."""
        return field_behaviour()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the client, which holds the key; a copy looks up the connection again."""
        return {name: value for name, value in vars(self).items() if name != "client"}

    @cached_property
    def client(self) -> CdrClient:
        """The account that the connection names."""
        # Not while a DAG file is parsed: requests takes longer than the rest of this package.
        from airflow_provider_voiso.api.client import CdrClient  # noqa: PLC0415 - slow

        settings = settings_from_connection(find_connection(self.voiso_conn_id))
        return CdrClient(settings, name=self.voiso_conn_id)

    def get_conn(self) -> CdrClient:
        """Return the client.

        :raises VoisoConfigurationError: if there is no such connection, or a field of it cannot be
            used
        """
        return self.client

    def iter_cdrs(
        self, start: datetime, end: datetime, filters: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Return every record whose ``timestamp`` lies in ``[start, end)``, each ``uuid`` once.

        They are ordered by ``timestamp`` and ``uuid``. If a record changed while the window was
        read, its last state is returned.

        :param start: first instant, with a time zone
        :param end: first instant that no longer belongs to the window, with a time zone
        :param filters: request parameters of the vendor's table other than key, paging and dates,
            as a dict; lists become comma lists
        :raises VoisoConfigurationError: for wrong filters, before any request
        :raises VoisoNoWindowError: for a naive or a reversed window, before any request
        :raises VoisoError: if the window could not be read whole, before the first record
        """
        pages = self.iter_cdr_pages(start, end, filters)
        return (decode(record) for page in pages for record in page)

    def iter_cdr_pages(
        self,
        start: datetime,
        end: datetime,
        filters: Mapping[str, Any] | None = None,
        *,
        out_of_window: OutOfWindow = "fail",
    ) -> Iterator[list[bytes]]:
        """Return the records of :meth:`iter_cdrs` by pages, each as the JSON that the API sent.

        :param start: see :meth:`iter_cdrs`
        :param end: see :meth:`iter_cdrs`
        :param filters: see :meth:`iter_cdrs`
        :param out_of_window: what to do with a record outside of the requested dates: ``fail``,
            ``keep`` or ``drop``
        """
        window = Window(start, end)
        filter_params(filters)
        check_one_of(out_of_window, "out_of_window", get_args(OutOfWindow))

        def pages() -> Iterator[list[bytes]]:
            with self.read(window, filters, out_of_window=out_of_window) as read:
                yield from read

        return pages()

    def read(
        self,
        window: Window,
        filters: Mapping[str, Any] | None = None,
        *,
        out_of_window: OutOfWindow = "fail",
    ) -> WindowRead:
        """Read a window whole; closing the returned value removes its records from the local disk.

        :param window: see :meth:`iter_cdrs`
        :param filters: see :meth:`iter_cdrs`
        :param out_of_window: see :meth:`iter_cdr_pages`
        """
        return self.client.read(window, filters, out_of_window=out_of_window)

    def count_cdrs(
        self,
        start: datetime,
        end: datetime,
        filters: Mapping[str, Any] | None = None,
        *,
        at_least: int,
    ) -> int:
        """Count the records of a window, stopping once ``at_least`` are found.

        :param start: see :meth:`iter_cdrs`
        :param end: see :meth:`iter_cdrs`
        :param filters: see :meth:`iter_cdrs`
        :param at_least: number of records after which no further page is requested
        """
        check_count(at_least, "at_least")
        return self.client.count(Window(start, end), filters, at_least=at_least)

    def list_reference(self, name: str) -> list[dict[str, Any]]:
        """Return one of the account's lists of objects; the filters take their ids.

        :param name: ``queues``, ``agents``, ``teams``, ``wrapup_codes``, ``campaigns`` or
            ``deleted_agents``
        :raises VoisoConfigurationError: for any other name
        """
        return self.client.list_reference(name)

    def test_connection(self) -> tuple[bool, str]:
        """Request one record of the last hour; return whether that worked, and a message."""
        try:
            self.client.check()
        except VoisoError as error:
            return False, str(error)
        return True, "The API answered and accepts the key."
