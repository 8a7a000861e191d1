"""Airflow's connections.

Look them up in the task's main thread. On Airflow 3 a worker asks its supervisor over one socket,
and a triggerer's event loop cannot ask at all: there it must be ``await
sync_to_async(find_connection)(conn_id)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


def find_connection(conn_id: Any) -> Connection:
    """Return a connection.

    :param conn_id: the id; a template or an XCom may have made something else of it
    :raises VoisoConfigurationError: if there is no such connection
    """
    if not isinstance(conn_id, str) or not conn_id:
        shown = "is empty" if conn_id == "" else f"must be a text, not {type(conn_id).__name__}"
        raise VoisoConfigurationError(f"The id of a connection {shown}.")
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        pass
    raise VoisoConfigurationError(
        f"The connection {conn_id!r} does not exist. Add it under Admin, Connections, or name "
        "another one."
    )
