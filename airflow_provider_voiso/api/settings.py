"""What a client must know to talk to one Voiso account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

AUTO = "auto"
"""The time zone to be found out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the API is, whose key is used, and how hard it may be asked.

    :param base_url: scheme, host and optional port, without a trailing slash
    :param key: API key of one Voiso user; that user's rights narrow what is returned
    :param timezone: IANA name of the clock in which the API reads ``start_datetime`` and ``end_datetime``, or ``auto``
        to find it out; either is proved by a record
    :param longest_interaction: hours; needed only if the API turns out to select interactions by their start
    :param per_page: records to ask for per answer, 1 to 10000
    :param timeout: seconds within which a whole answer must have arrived
    :param max_retries: how often a request is sent again after 5xx or a transport error; after 429 four times as often
    :param max_connections: requests that may be in flight at once
    :param requests_per_second: upper bound for one process, or None for no bound
    :param verify: False to skip certificate checks, or the path of a CA bundle
    """

    base_url: str
    key: str = field(repr=False)
    timezone: str = AUTO
    longest_interaction: float | None = None
    per_page: int = 10_000
    timeout: float = 60.0
    max_retries: int = 5
    max_connections: int = 1
    requests_per_second: float | None = None
    verify: bool | str = True

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled, which would write the key somewhere.

        :raises TypeError: always
        """
        raise TypeError("Settings hold an API key; they are not pickled.")
