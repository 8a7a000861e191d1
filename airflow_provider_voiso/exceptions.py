"""Every error of this package, as one tree under :class:`VoisoError`.

Messages never hold an API key, a URL's query string or the content of a record. An error that also
is an ``AirflowFailException`` fails the task at once, as no retry can help. The first paragraph of
each class says what happened and the second what to do; docs/failures.md is made from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

if TYPE_CHECKING:
    from typing_extensions import Self


class VoisoError(AirflowException):
    """Anything that went wrong while reading from Voiso or writing what was read.

    ``window`` is the window that failed as text, None if the error belongs to no window;
    ``failure`` says what failed with it.
    """

    window: str | None = None
    failure: str = ""

    def for_window(self, window: object, failure: str) -> Self:
        """Name the window that failed in front of the message, unless one is named already.

        :param window: the window; its text is kept
        :param failure: what failed, such as ``could not be read``
        :return: the error itself, so that it can be raised in the same statement
        """
        if self.window is None:
            self.window = str(window)
            self.failure = failure
        return self

    def __str__(self) -> str:
        message = super().__str__()
        if self.window is None:
            return message
        return f"The window {self.window} {self.failure}. {message}"


class VoisoConfigurationError(VoisoError, AirflowFailException, ValueError):
    """A connection field, an argument, a table or a missing package that a person must change.

    Change what the message names.
    """


class VoisoAuthenticationError(VoisoError, AirflowFailException):
    """The API key is unknown to this host.

    Check the connection's password (the API key), and that its host is the cluster of that key's
    owner.
    """


class VoisoPermissionError(VoisoError, AirflowFailException):
    """The API key is known but may not read call detail records.

    Ask the account's administrator for access, or use another user's key.
    """


class VoisoBadRequestError(VoisoError, AirflowFailException):
    """The API, or something before it, refused the request as wrong or redirected it.

    Check the connection's host, the proxy if there is one, and the task's filters.
    """


class VoisoRateLimitError(VoisoError):
    """The API was asked too often, after every retry of the request.

    Set the connection's `requests_per_second`, or run fewer tasks at once (a pool).
    """


class VoisoServerError(VoisoError):
    """The API failed on its side, after every retry of the request.

    Let the task retry later; if it lasts, tell Voiso. A smaller `per_page` asks less of the API at
    once.
    """


class VoisoTransportError(VoisoError):
    """No whole answer arrived.

    Check the connection's host and the network; raise its `timeout` if answers are large or slow.
    """


class VoisoTlsError(VoisoTransportError):
    """The host's certificate was not accepted.

    Check the connection's host; name the CA bundle that signed the certificate in its `verify`.
    """


class VoisoResponseError(VoisoError):
    """An answer arrived that is not what the API documents.

    Check the connection's host; lower `per_page` if the answer was too large; if it lasts, tell
    Voiso.
    """


class VoisoPaginationError(VoisoError):
    """Pages or search tokens loop, restart, or end before the whole search was read.

    Narrow the task's filters or its window, and tell Voiso.
    """


class VoisoUnsettledError(VoisoError):
    """The window's records kept changing while they were read.

    Export it later, or put a VoisoCdrSensor with `settle` before the export.
    """


class VoisoWindowError(VoisoError, ValueError):
    """The window cannot be exported: there is none, or it is not over yet.

    Raised as one of its subclasses: for the first no retry helps, for the second waiting does.
    """


class VoisoNoWindowError(VoisoWindowError, VoisoConfigurationError):
    """The arguments are no window, or none can be derived from the run.

    Give `window_start` and `window_end` with offsets, or a schedule whose runs have a period.
    """


class VoisoOpenWindowError(VoisoWindowError):
    """The window is not over yet.

    Let the run start after the window's end, or give the task `retries` that last until then.
    """


class VoisoClockError(VoisoError):
    """The clock in which the API reads dates cannot be proved, or is not the connection's.

    Set the connection's `timezone` to `auto`, or to the zone that the message leads to.
    """


class VoisoOutOfWindowError(VoisoError):
    """The API returned records that lie outside of what was asked for.

    Look at those records in Voiso; set `out_of_window` to `drop` or `keep` only if you know why
    they are there.
    """


class VoisoSpoolError(VoisoError):
    """The local disk of the worker could not keep what was read.

    Free space in the worker's temporary directory, or let `TMPDIR` name another one.
    """

    @classmethod
    def of(cls, error: OSError, window: object) -> Self:
        """Return the error for what the operating system says.

        :param window: the window that was being read; its text is shown
        """
        return cls(
            f"The records of {window} could not be kept on the worker's local disk: "
            f"{error.strerror}. Nothing was exported. Free space in its temporary directory, or "
            "let TMPDIR name another one."
        )


class VoisoShrunkError(VoisoError, AirflowFailException):
    """The window would hold far fewer records than before, which `fail_if_fewer_than` forbids.

    Look whether the API key still may read all records, and whether the filters changed; if the
    loss is right, clear the task with a smaller `fail_if_fewer_than`. A reference list that became
    empty is replaced with `allow_empty=True` only.
    """


class VoisoReconciliationError(VoisoError):
    """The destination does not hold what was read, or cannot be looked at to see that.

    Look for what else writes to the object or table (another run, a trigger, a policy); give the
    right to read it.
    """


class VoisoDestinationError(VoisoError):
    """S3 or the database refused or broke off the load; it holds the old state or the new one.

    Look the code up that the message names: rights, space, locks, keys of the table; its own words
    are in its log.
    """
