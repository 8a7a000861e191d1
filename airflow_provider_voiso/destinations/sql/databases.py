"""Which dialect loads into which database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.sql.duckdb import DuckdbDialect
from airflow_provider_voiso.destinations.sql.mysql import MysqlDialect
from airflow_provider_voiso.destinations.sql.portable import PortableDialect
from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.destinations.sql.sqlite import SqliteDialect

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.sql.dialect import Dialect

_DIALECTS: dict[str, type[Dialect]] = {
    "duckdb": DuckdbDialect,
    "mysql": MysqlDialect,
    "postgresql": PostgresDialect,
    "sqlite": SqliteDialect,
}


def dialect_of(hook: DbApiHook) -> Dialect:
    """Return the dialect of a hook's database, the portable one if it has none of its own.

    What the portable dialect does not guarantee stands in
    :mod:`airflow_provider_voiso.destinations.sql.portable`.
    """
    # A bridge to PostgreSQL names that dialect, yet its connection can neither copy nor tell a
    # constraint.
    is_bridge = hook.conn_type in {"jdbc", "odbc"}
    name = hook.conn_type if is_bridge else hook.dialect_name
    if name == "default":
        name = hook.conn_type
    return _DIALECTS.get(name, PortableDialect)()
