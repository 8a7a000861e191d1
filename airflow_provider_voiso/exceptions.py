"""Every error of this package, as one tree under :class:`VoisoError`.

Messages never hold an API key, a URL's query string or the content of a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

if TYPE_CHECKING:
    from airflow_provider_voiso.api.window import Window


class VoisoError(AirflowException):
    """Anything that went wrong while reading from Voiso or writing what was read."""


class VoisoConfigurationError(VoisoError, AirflowFailException, ValueError):
    """A connection field, an argument or a missing package that a person must change; a retry cannot help."""


class VoisoAuthenticationError(VoisoError, AirflowFailException):
    """The API key is unknown to this host (status 401, or an error body that says so)."""


class VoisoPermissionError(VoisoError, AirflowFailException):
    """The API key is known but may not read call detail records (status 403)."""


class VoisoBadRequestError(VoisoError, AirflowFailException):
    """The API refused the request as wrong (status 400, 404, 405, 422, 424 or a redirect)."""


class VoisoRateLimitError(VoisoError):
    """The API still answered 429 after every retry of the request."""


class VoisoServerError(VoisoError):
    """The API still answered with a 5xx status after every retry of the request."""


class VoisoTransportError(VoisoError):
    """No whole answer arrived: refused, reset, timed out, truncated, or no such host."""


class VoisoTlsError(VoisoTransportError):
    """The host's certificate was not accepted."""


class VoisoResponseError(VoisoError):
    """An answer arrived that is not what the API documents."""


class VoisoPaginationError(VoisoError):
    """Pages or search tokens do not lead through the whole search: a loop, a restart or a truncation."""


class VoisoUnsettledError(VoisoError):
    """The window's records kept changing while they were read."""


class VoisoWindowError(VoisoError, ValueError):
    """The window is not a window, cannot be derived from the run, or is not over yet."""


class VoisoClockError(VoisoError):
    """It cannot be proved in which clock the API reads dates, or it is not the one that the connection names."""


class VoisoOutOfWindowError(VoisoError):
    """The API returned records that lie outside of what was asked for."""


class VoisoSpoolError(VoisoError):
    """The local disk of the worker could not keep what was read."""

    @classmethod
    def of(cls, error: OSError, window: Window) -> VoisoSpoolError:
        """Return the error for what the operating system says."""
        return cls(
            f"The records of {window} could not be kept on the worker's local disk: {error.strerror}. Nothing was "
            "exported. Free space in its temporary directory, or let TMPDIR name another one."
        )


class VoisoReconciliationError(VoisoError):
    """The destination does not hold the number of records that were read."""


class VoisoDestinationError(VoisoError):
    """The database refused a statement of the load; the values that it may quote are left out."""
