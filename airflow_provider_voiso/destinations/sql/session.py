"""Work on a table over a connection of its own, whose errors quote no values."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_voiso.destinations.sql.databases import dialect_of
from airflow_provider_voiso.destinations.sql.dialect import BusyError
from airflow_provider_voiso.destinations.sql.failures import (
    check_failure,
    connection_failure,
    load_failure,
)
from airflow_provider_voiso.exceptions import VoisoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.sql.dialect import Dialect
    from airflow_provider_voiso.destinations.sql.job import TableJob

_T = TypeVar("_T")

# Faults of code quote no values, and would be hard to find without their traceback.
_FAULTS_OF_CODE = (AttributeError, ImportError, NameError)


def in_session(
    hook: DbApiHook,
    job: TableJob,
    work: Callable[[Dialect, Any], _T],
    *,
    wait: bool,
    is_own: Callable[[Exception], bool] = lambda _: False,
) -> _T:
    """Work over a connection of its own, rolled back if the work fails, and closed at its end.

    :param hook: connection to the database
    :param job: what to do, for the messages
    :param work: is given the dialect and the connection; the commit is its own
    :param wait: wait for a database that one process at a time can open; without it, nothing is
        loaded, but only looked at
    :param is_own: tells whether an error is not the database's, and is raised as it is
    :raises BusyError: if the database is not free and ``wait`` is false
    :raises VoisoConfigurationError: if the hook fails before it connects
    :raises VoisoDestinationError: if the database cannot be reached or refuses a statement
    """
    connected = False
    try:
        dialect = dialect_of(hook)
        with dialect.connect(hook, wait=wait) as connection:
            connected = True
            try:
                return work(dialect, connection)
            except BaseException as error:
                if isinstance(error, Exception) or dialect.can_roll_back_amid_an_answer:
                    with suppress(Exception):
                        connection.rollback()
                raise
    except (VoisoError, BusyError):
        raise
    except Exception as error:
        if is_own(error) or (connected and isinstance(error, _FAULTS_OF_CODE)):
            raise
        if not connected:
            failure = connection_failure(error, hook, job)
        elif wait:
            failure = load_failure(error, job)
        else:
            failure = check_failure(error, job)
    # Raised outside of the handler, as a context would hold the driver's words, which quote values.
    raise failure
