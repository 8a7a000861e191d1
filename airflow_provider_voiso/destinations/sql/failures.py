"""Errors of databases, without the records, passwords and addresses that they may quote."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.sql.job import TableJob

_TOLD_CHARACTERS = 300
_RUN = 4
"""Characters of a secret that no message may have in sequence."""
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|private|auth", re.IGNORECASE)
# A URL's userinfo, and an assignment as in a connection string of ODBC.
_LOOKS_SECRET = re.compile(r"://\S*@|\b(?:password|passwd|pwd|uid|token|secret)\s*=", re.IGNORECASE)
# What a driver raises of its own accord for options that it does not know: nothing was sent yet.
_UNKNOWN_OPTION = frozenset({"ProgrammingError", "NotSupportedError", "InvalidInputException"})


def connection_failure(error: Exception, hook: DbApiHook, job: TableJob) -> VoisoError:
    """Return what to raise for an error that came before there was a connection.

    At that time no record is in play, so that the error's own words are told unless they may hold
    a secret.
    """
    connection = f"the connection '{hook.get_conn_id()}'"
    said = _said(error, hook)
    if _is_of_the_server(error):
        return VoisoDestinationError(
            f"The database of {connection} cannot be reached: {said}. Nothing of {job.subject} was "
            "loaded. Check the connection's host, port, login and database."
        )
    return VoisoConfigurationError(
        f"The hook of {connection} failed before it connected: {said}. Nothing of {job.subject} "
        "was loaded. Check the connection's type and extra, and that its driver is installed."
    )


def load_failure(error: Exception, job: TableJob) -> VoisoDestinationError:
    """Return the exception for an error during a load; the error's words may quote records."""
    return VoisoDestinationError(
        f"Loading {job.subject} into the table {job.table} failed in the database: "
        f"{type(error).__name__} ({code_of(error)}). The table holds all of this load or nothing "
        "of it. Look the code up, then run the task again. The database's own words are withheld, "
        "as they may quote records; its log has them."
    )


def check_failure(error: Exception, job: TableJob) -> VoisoDestinationError:
    """Return what to raise for an error of the database before anything was read."""
    return VoisoDestinationError(
        f"Looking at the table {job.table} failed in the database: {type(error).__name__} "
        f"({code_of(error)}). Nothing of {job.subject} was read or loaded. Look the code up, then "
        "run the task again."
    )


def code_of(error: BaseException) -> str:
    """Return the code that a driver gives to an error, or ``no code``."""
    codes = _codes(error)
    return " ".join(codes) or "no code"


def _codes(error: BaseException) -> list[str]:
    # No driver has its code in the same place; mysql-connector-python's -1 means none.
    found = []
    for name in ("sqlstate", "pgcode", "sqlite_errorname", "errno"):
        code = getattr(error, name, None)
        if code and code != -1:
            found.append(str(code))
    if not found and error.args and isinstance(error.args[0], int):
        found.append(str(error.args[0]))
    return found


def _is_of_the_server(error: Exception) -> bool:
    """Tell whether the network or the server failed, rather than the hook with its fields."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, OSError):
        return not isinstance(error, FileNotFoundError)
    # PEP 249 gives every driver a class `Error`, above all that it raises.
    is_of_the_driver = "Error" in names
    is_of_an_option = bool(names & _UNKNOWN_OPTION) and not _codes(error)
    return is_of_the_driver and not is_of_an_option


def _said(error: Exception, hook: DbApiHook) -> str:
    """Return class and code of an error, and its words if they can hold no secret."""
    kind = f"{type(error).__name__} ({code_of(error)})"
    words = " ".join(str(error).split())
    if not words or _LOOKS_SECRET.search(words) or _holds_secret(words, hook):
        return kind
    return f"{kind}: {words[:_TOLD_CHARACTERS].rstrip('.')}"


def _holds_secret(words: str, hook: DbApiHook) -> bool:
    """Tell whether words hold a secret of the connection or a part of it, in any usual spelling.

    A part is enough: who reads an address wrongly takes the rest of a password for a host.
    """
    try:
        connection: Any = hook.get_connection(hook.get_conn_id())
        secrets = [connection.password, *_secrets_of(connection.extra_dejson)]
    except Exception:  # noqa: BLE001 - a connection that cannot be read may hold anything
        return True
    return any(
        spelling[start : start + _RUN] in words
        for secret in secrets
        if secret
        for spelling in _spellings(secret)
        for start in range(max(1, len(spelling) - _RUN + 1))
    )


def _spellings(secret: str) -> set[str]:
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
    }


def _secrets_of(value: Any, *, is_secret: bool = False) -> Iterator[str]:
    """Yield the texts of an extra that stand under a name such as ``password`` or ``token``."""
    if isinstance(value, dict):
        for name, item in value.items():
            named_so = bool(_SECRET_NAME.search(str(name)))
            yield from _secrets_of(item, is_secret=is_secret or named_so)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets_of(item, is_secret=is_secret)
    elif is_secret and value is not None:
        yield str(value)
