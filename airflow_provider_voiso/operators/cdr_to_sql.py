"""Export of call detail records to a SQL table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, get_args
from urllib.parse import quote

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.arguments import check_bool, check_one_of, check_text
from airflow_provider_voiso.compat.connections import find_connection
from airflow_provider_voiso.destinations.shrinking import check_share
from airflow_provider_voiso.destinations.sql.hooks import sql_hook
from airflow_provider_voiso.destinations.sql.job import Mode
from airflow_provider_voiso.destinations.sql.table import SqlTable
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.operators.base import VoisoCdrExportOperator
from airflow_provider_voiso.report.lineage import all_columns, table_place
from airflow_provider_voiso.run.lengths import check_length, shifted
from airflow_provider_voiso.run.mapped import check_mapped_destination
from airflow_provider_voiso.run.templates import is_rendered_later

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dateutil.relativedelta import relativedelta

    from airflow_provider_voiso.report.lineage import Place
    from airflow_provider_voiso.report.manifest import Manifest


class VoisoCdrToSqlOperator(VoisoCdrExportOperator):
    """Exports the call detail records of one window to a SQL table, in one transaction.

    Readers see the window as it was before or as it is after, never in between; no transaction is
    open while the API is asked. Databases without transactions are the exception: see the page
    "Databases" of the documentation. Further parameters, and where the window comes from: see
    :class:`~airflow_provider_voiso.operators.base.VoisoCdrExportOperator`.

    :param sql_conn_id: connection whose hook is a ``DbApiHook`` (templated)
    :param table: ``name`` or ``schema.name`` (templated)
    :param mode: ``replace_window`` deletes the window's rows that the API no longer returns: give
        each set of ``filters`` a table of its own. ``upsert`` deletes nothing. Both insert what is
        new, update by ``uuid`` what differs, and leave all other rows alone.
    :param create_table: create the table, its key and an index on ``ended_at`` if it is missing;
        DuckDB needs neither
    :param add_columns: add columns that an existing table lacks; otherwise their values go to
        ``extra``
    :param lookback: read that much before the window as well, to catch records that changed since;
        upsert only. None is no lookback; months and years of a ``relativedelta`` are counted on the
        calendar, in UTC
    :param fail_if_fewer_than: share of the window's rows, such as 0.9, below which they are not
        replaced, but the task fails and is not retried; ``replace_window`` only. None, the default,
        only logs a warning when there are fewer rows than before
    :return: manifest with ``window_start``, ``window_end``, ``records``, ``duplicates``,
        ``out_of_window``, ``requests``, ``probes`` (requests among them that proved something),
        ``clock`` (in which the API reads dates), ``bytes`` (size of the records as JSON),
        ``table``, ``inserted``, ``updated`` and ``deleted`` rows, ``changed`` (whether there are
        any), ``records_before`` (rows of the window before), and ``columns_missing`` if the table
        lacks some
    """

    destination_kind: ClassVar[str] = "sql"
    template_fields: Sequence[str] = (
        *VoisoCdrExportOperator.template_fields,
        "sql_conn_id",
        "table",
    )

    def __init__(
        self,
        *,
        sql_conn_id: str,
        table: str,
        mode: Mode = "replace_window",
        create_table: bool = True,
        add_columns: bool = False,
        lookback: timedelta | relativedelta | None = None,
        fail_if_fewer_than: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not is_rendered_later(sql_conn_id):
            check_text(sql_conn_id, "sql_conn_id")
        if not is_rendered_later(table):
            TableName.parse(table)
        check_one_of(mode, "mode", get_args(Mode))
        check_bool(create_table, "create_table")
        check_bool(add_columns, "add_columns")
        lookback = timedelta(0) if lookback is None else lookback
        check_length(lookback, "lookback")
        if lookback and mode != "upsert":
            raise VoisoConfigurationError(
                "A lookback needs mode='upsert': replace_window would delete rows it does not read."
            )
        check_share(fail_if_fewer_than)
        if fail_if_fewer_than is not None and mode == "upsert":
            raise VoisoConfigurationError(
                "fail_if_fewer_than needs mode='replace_window': an upsert deletes nothing."
            )
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.mode: Mode = mode
        self.create_table = create_table
        self.add_columns = add_columns
        self.lookback = lookback
        self.fail_if_fewer_than = fail_if_fewer_than

    def destination(self, context: Mapping[str, Any], window: Window) -> SqlTable:
        """Return the table."""
        table = TableName.parse(self.table)
        if self.mode == "replace_window":
            check_mapped_destination(
                self,
                context,
                window,
                connection="sql_conn_id",
                arguments=("table",),
                place=lambda task, part: f"the window {part} of the table {task.table}",
                hint="Give each a table of its own, or use mode='upsert'.",
            )
        return SqlTable(
            hook=sql_hook(self.sql_conn_id),
            table=table,
            window=window,
            mode=self.mode,
            create_table=self.create_table,
            add_columns=self.add_columns,
            fail_if_fewer_than=self.fail_if_fewer_than,
        )

    def lineage_place(self, manifest: Manifest) -> Place:
        """Return the table, with the columns that it has."""
        missing = manifest.columns_missing or []
        columns = [name for name in all_columns() if name not in missing]
        connection = find_connection(self.sql_conn_id)
        return table_place(
            sql_hook(self.sql_conn_id), connection, TableName.parse(self.table), columns
        )

    def window_to_read(self, window: Window) -> Window:
        """Return the window and what the lookback adds before it."""
        return Window(shifted(window.start, self.lookback, "lookback", sign=-1), window.end)

    def asset_uri(self) -> str:
        """Return a URI of the table, by the id of its connection."""
        return f"sql://{quote(self.sql_conn_id, safe='')}/{quote(self.table, safe='.')}"
