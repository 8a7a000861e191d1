"""A connection as the Amazon provider reads it, without the provider's lines in each task's log."""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

_warnings = logging.getLogger(__name__)
_warnings.setLevel(logging.WARNING)


class QuietAwsConnection(AwsConnectionWrapper):
    """Logs warnings only, and not in each task where the credentials were found."""

    _log: Any = _warnings
