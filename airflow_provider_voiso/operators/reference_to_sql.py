"""Export of reference lists to a SQL table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_voiso.arguments import check_bool, check_text
from airflow_provider_voiso.destinations.sql.hooks import sql_hook
from airflow_provider_voiso.destinations.sql.reference_table import ReferenceTable
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.operators.reference import VoisoReferenceOperator
from airflow_provider_voiso.run.templates import is_rendered_later

if TYPE_CHECKING:
    from collections.abc import Sequence


class VoisoReferenceToSqlOperator(VoisoReferenceOperator):
    """Exports one reference list to a SQL table, all of whose rows it replaces in one transaction.

    Readers see the old rows until the new ones are committed. Further parameters: see
    :class:`~airflow_provider_voiso.operators.reference.VoisoReferenceOperator`.

    :param sql_conn_id: connection whose hook is a ``DbApiHook`` (templated)
    :param table: ``name`` or ``schema.name`` of a table that holds this list alone (templated)
    :param create_table: create the table if it is missing, without a key: the API promises none
    :param add_columns: add columns that an existing table lacks; otherwise what the API returned
        for them goes to ``extra``
    :return: manifest with ``reference``, ``records``, ``fetched_at`` (ISO, UTC), ``bytes`` (size of
        the items as JSON), ``table``, ``records_before`` (rows that were replaced), and
        ``columns_missing`` if the table lacks some
    """

    template_fields: Sequence[str] = (
        *VoisoReferenceOperator.template_fields,
        "sql_conn_id",
        "table",
    )

    def __init__(
        self,
        *,
        sql_conn_id: str,
        table: str,
        create_table: bool = True,
        add_columns: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not is_rendered_later(sql_conn_id):
            check_text(sql_conn_id, "sql_conn_id")
        if not is_rendered_later(table):
            TableName.parse(table)
        check_bool(create_table, "create_table")
        check_bool(add_columns, "add_columns")
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.create_table = create_table
        self.add_columns = add_columns

    def destination(self) -> ReferenceTable:
        """Return the table."""
        return ReferenceTable(
            hook=sql_hook(self.sql_conn_id),
            table=TableName.parse(self.table),
            reference=self.reference,
            create_table=self.create_table,
            add_columns=self.add_columns,
            allow_empty=self.allow_empty,
        )

    def asset_uri(self) -> str:
        """Return a URI of the table, by the id of its connection."""
        return f"sql://{quote(self.sql_conn_id, safe='')}/{quote(self.table, safe='.')}"
