"""Masking of secrets in logs; Airflow moved the function twice."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

_HOMES = (
    "airflow.sdk.log",
    "airflow.sdk.execution_time.secrets_masker",
    "airflow.utils.log.secrets_masker",
)


def mask_secret(secret: str) -> None:
    """Mask a text in all logs that Airflow writes from now on.

    common-compat has this function only in releases that need Python 3.11.
    """
    for module in _HOMES:
        with suppress(ImportError, AttributeError):
            import_module(module).mask_secret(secret)
            return
    raise ImportError("This Airflow has no mask_secret where versions 2.11 to 3.3 have it.")
