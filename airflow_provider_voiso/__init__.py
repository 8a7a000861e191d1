"""Apache Airflow provider for Voiso call detail records.

Everything that a DAG file needs can be imported from here; each name is loaded when it is first
asked for, so that importing the package itself loads neither Airflow nor an HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_voiso.exceptions import (
        VoisoAuthenticationError,
        VoisoBadRequestError,
        VoisoClockError,
        VoisoConfigurationError,
        VoisoDestinationError,
        VoisoError,
        VoisoNoWindowError,
        VoisoOpenWindowError,
        VoisoOutOfWindowError,
        VoisoPaginationError,
        VoisoPermissionError,
        VoisoRateLimitError,
        VoisoReconciliationError,
        VoisoResponseError,
        VoisoServerError,
        VoisoShrunkError,
        VoisoSpoolError,
        VoisoTlsError,
        VoisoTransportError,
        VoisoUnsettledError,
        VoisoWindowError,
    )
    from airflow_provider_voiso.hooks.voiso import VoisoHook
    from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
    from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
    from airflow_provider_voiso.operators.reference_to_s3 import VoisoReferenceToS3Operator
    from airflow_provider_voiso.operators.reference_to_sql import VoisoReferenceToSqlOperator
    from airflow_provider_voiso.run.last_windows import last_windows
    from airflow_provider_voiso.run.sub_windows import sub_windows
    from airflow_provider_voiso.run.window import resolve_window
    from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

__version__ = "1.0.0rc1"

__all__ = [
    "VoisoAuthenticationError",
    "VoisoBadRequestError",
    "VoisoCdrSensor",
    "VoisoCdrToS3Operator",
    "VoisoCdrToSqlOperator",
    "VoisoClockError",
    "VoisoConfigurationError",
    "VoisoDestinationError",
    "VoisoError",
    "VoisoHook",
    "VoisoNoWindowError",
    "VoisoOpenWindowError",
    "VoisoOutOfWindowError",
    "VoisoPaginationError",
    "VoisoPermissionError",
    "VoisoRateLimitError",
    "VoisoReconciliationError",
    "VoisoReferenceToS3Operator",
    "VoisoReferenceToSqlOperator",
    "VoisoResponseError",
    "VoisoServerError",
    "VoisoShrunkError",
    "VoisoSpoolError",
    "VoisoTlsError",
    "VoisoTransportError",
    "VoisoUnsettledError",
    "VoisoWindowError",
    "__version__",
    "last_windows",
    "resolve_window",
    "sub_windows",
]

_HOMES = {
    "VoisoHook": "hooks.voiso",
    "VoisoCdrToS3Operator": "operators.cdr_to_s3",
    "VoisoCdrToSqlOperator": "operators.cdr_to_sql",
    "VoisoReferenceToS3Operator": "operators.reference_to_s3",
    "VoisoReferenceToSqlOperator": "operators.reference_to_sql",
    "VoisoCdrSensor": "sensors.cdr",
    "last_windows": "run.last_windows",
    "resolve_window": "run.window",
    "sub_windows": "run.sub_windows",
}
"""Where each name stands; all others of ``__all__`` are errors."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES.get(name, 'exceptions')}")
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
