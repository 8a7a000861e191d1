"""The hook of a connection to a SQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_voiso.compat.connections import find_connection
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook


def sql_hook(conn_id: str) -> DbApiHook:
    """Return the hook of a connection.

    :raises VoisoConfigurationError: if there is no such connection, its provider is not installed,
        or it is not a SQL database
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook  # noqa: PLC0415 - slow

    connection = find_connection(conn_id)
    said: str | None = None
    try:
        hook = connection.get_hook()  # type: ignore[no-untyped-call]
    except (AirflowException, ImportError, ValueError) as error:
        # A ValueError may quote the connection's URI.
        words = "" if isinstance(error, ValueError) else f": {error}"
        said = f"{type(error).__name__}{words}".rstrip(".")
    if said is not None:
        raise VoisoConfigurationError(
            f"No installed provider has a hook for the type {connection.conn_type!r} of the "
            f"connection '{conn_id}'. {said}. Install the provider of the database, or change the "
            "type."
        )
    if not isinstance(hook, DbApiHook):
        raise VoisoConfigurationError(
            f"The connection '{conn_id}' is not a SQL database; its hook is {type(hook).__name__}."
        )
    return hook
