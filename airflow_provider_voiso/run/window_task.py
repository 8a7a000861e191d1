"""The arguments that all tasks on the window of a run share."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_voiso.arguments import check_bool, check_text
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.run.filters import check_filters
from airflow_provider_voiso.run.lengths import check_length
from airflow_provider_voiso.run.templates import is_rendered_later
from airflow_provider_voiso.run.window import check_window_arguments, resolve_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.api.window import Window


class WindowTask(BaseOperator):
    """A task on the call detail records of one window.

    The window is ``window_start`` to ``window_end`` if both are given, else the run's partition,
    else its data interval, else the last complete period of the DAG's timetable.

    :param voiso_conn_id: connection of type ``voiso`` (templated)
    :param filters: request parameters of the vendor's table other than key, paging and dates, as a
        dict; lists become comma lists (templated). A template gives a text, so give a whole dict or
        a list by an XComArg, or set ``render_template_as_native_obj=True`` on the DAG
    :param window_start: first instant of the window: a datetime with a zone or ISO 8601 with an
        offset (templated)
    :param window_end: first instant that no longer belongs to the window, likewise (templated)
    :param granularity: length of a partition that the DAG's own timetable does not tell; days and
        longer units are counted on the calendar of the DAG's time zone
    :param allow_open_window: accept a window that is not over yet
    """

    # An operator, not a mixin: `default_args` and `partial()` know only the arguments of operators.
    template_fields: Sequence[str] = ("voiso_conn_id", "filters", "window_start", "window_end")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    ui_color = "#e4f1fb"

    def __init__(
        self,
        *,
        voiso_conn_id: str = VoisoHook.default_conn_name,
        filters: Mapping[str, Any] | None = None,
        window_start: datetime | str | None = None,
        window_end: datetime | str | None = None,
        granularity: timedelta | relativedelta | None = None,
        allow_open_window: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not is_rendered_later(voiso_conn_id):
            check_text(voiso_conn_id, "voiso_conn_id")
        check_filters(filters)
        check_window_arguments(window_start, window_end)
        if granularity is not None:
            check_length(granularity, "granularity")
        check_bool(allow_open_window, "allow_open_window")
        self.voiso_conn_id = voiso_conn_id
        self.filters = filters
        self.window_start = window_start
        self.window_end = window_end
        self.granularity = granularity
        self.allow_open_window = allow_open_window

    @cached_property
    def hook(self) -> VoisoHook:
        """The hook of the connection."""
        return VoisoHook(self.voiso_conn_id)

    def resolve_window(self, context: Mapping[str, Any]) -> Window:
        """Return the window of the run.

        :raises VoisoNoWindowError: if the run has none
        :raises VoisoOpenWindowError: if it is not over yet
        """
        return resolve_window(
            context,
            window_start=self.window_start,
            window_end=self.window_end,
            granularity=self.granularity,
            allow_open_window=self.allow_open_window,
        )
