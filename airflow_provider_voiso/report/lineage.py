"""What an export tells OpenLineage: counts and column names, no record and no filter."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_voiso.destinations.columns import COLUMNS, FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import Connection
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.sql.table_name import TableName
    from airflow_provider_voiso.report.manifest import Manifest

log = logging.getLogger(__name__)

_SOURCE = "cdr"


@dataclass(frozen=True, slots=True)
class Place:
    """A destination by OpenLineage's rules of naming.

    :param namespace: server, bucket or file that holds it
    :param name: its name there
    :param columns: names of its columns; None if it has none, as NDJSON
    """

    namespace: str
    name: str
    columns: Collection[str] | None


def all_columns() -> list[str]:
    """Return the names of the columns of a file, or of a table that has them all."""
    return [column.name for column in COLUMNS]


def object_place(uri: str, columns: Collection[str] | None) -> Place:
    """Return the place of an object.

    :param uri: such as ``s3://bucket/key``
    """
    parts = urlsplit(uri, allow_fragments=False)
    key = uri.removeprefix(f"{parts.scheme}://{parts.netloc}/")
    return Place(f"{parts.scheme}://{parts.netloc}", key, columns)


def table_place(
    hook: DbApiHook, connection: Connection, table: TableName, columns: Collection[str]
) -> Place:
    """Return the place of a table, named as the hook names those that SQL operators use."""
    info = hook.get_openlineage_database_info(connection)
    if info is None:
        # What follows a question mark may be a token.
        server = (connection.host or "").partition("?")[0]
        return Place(f"{connection.conn_type}://{server}", str(table), columns)
    schema = table.schema or _default_schema(hook)
    if schema is None and info.database is None:  # MySQL, whose databases are its schemas
        schema = connection.schema
    parts = [info.database, schema, table.name]
    name = ".".join(part for part in parts if part)
    return Place(f"{info.scheme}://{info.authority}", name, columns)


def _default_schema(hook: DbApiHook) -> str | None:
    """Return the schema of tables that are named without one; some hooks ask the database."""
    try:
        return hook.get_openlineage_default_schema()
    except Exception as error:  # noqa: BLE001 - drivers raise of many kinds, and a name without it will do
        log.debug("The schema of the table is not known: %s.", type(error).__name__)
        return None


def export_lineage(account: str, place: Place, manifest: Manifest) -> Any:
    """Return the lineage of an export as Airflow's OpenLineage provider takes it.

    :param account: host name of the Voiso account
    :param place: where the records went
    """
    from airflow.providers.common.compat.openlineage.facet import (  # noqa: PLC0415 - optional, slow
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415 - optional

    statistics = OutputStatisticsOutputDatasetFacet(rowCount=manifest.records, size=manifest.bytes)
    output = OutputDataset(
        namespace=place.namespace,
        name=place.name,
        facets={} if place.columns is None else {"schema": _schema(place.columns)},
        outputFacets={"outputStatistics": statistics},
    )
    return OperatorLineage(
        inputs=[Dataset(namespace=f"voiso://{account}", name=_SOURCE)], outputs=[output]
    )


def no_lineage() -> Any:
    """Return the lineage of an export that failed: Airflow warns of a None."""
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415 - optional

    return OperatorLineage()


def _schema(names: Collection[str]) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (  # noqa: PLC0415 - optional, slow
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    meanings = {field.column: field.meaning for field in FIELDS}
    fields = [
        SchemaDatasetFacetFields(
            name=column.name, type=column.type, description=meanings.get(column.name)
        )
        for column in COLUMNS
        if column.name in names
    ]
    return SchemaDatasetFacet(fields=fields)
