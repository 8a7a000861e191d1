"""The settings of a client: host, key, time zone and limits."""

# No "from __future__ import annotations": the connection's form and the check of its extra are
# generated from the annotations.

from dataclasses import dataclass, field
from typing import Annotated, NoReturn

from msgspec import Meta

AUTO = "auto"
"""The value of ``timezone`` that makes the client find out the zone."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Host, key, time zone and limits of one Voiso account.

    A field with a title is a field of the connection's extra; its description says what it means.

    :param base_url: scheme, host and optional port, without a trailing slash
    :param key: API key of one Voiso user; that user's rights narrow what is returned
    """

    base_url: str
    key: str = field(repr=False)
    timezone: Annotated[
        str,
        Meta(
            title="Time zone of the API",
            description="Clock in which the API reads start_datetime and end_datetime: auto to "
            "find it out, or an IANA name such as UTC or Europe/Berlin. Either is proved by a "
            "record.",
        ),
    ] = AUTO
    longest_interaction: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=8784,
                title="Longest interaction in hours",
                description="Needed only if an export says that the API selects interactions by "
                "their start.",
            ),
        ]
        | None
    ) = None
    per_page: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            title="Records per page",
            description="Records to ask for per answer, 1 to 10000.",
        ),
    ] = 10_000
    timeout: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            title="Timeout in seconds",
            description="Seconds within which a whole answer must have arrived.",
        ),
    ] = 60
    max_retries: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            title="Retries per request",
            description="How often a request is sent again after 5xx or a transport error; four "
            "times as often after 429.",
        ),
    ] = 5
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            title="Parallel requests",
            description="Requests of one task that may be in flight at once.",
        ),
    ] = 1
    requests_per_second: (
        Annotated[
            float,
            Meta(
                ge=0.001,
                le=1000,
                title="Requests per second",
                description="Upper bound for one task; empty for no bound.",
            ),
        ]
        | None
    ) = None
    verify: Annotated[
        bool | str,
        Meta(
            title="Verify the certificate",
            description="true, false, or the path of a CA bundle that exists on every worker.",
        ),
    ] = True

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled, which would write the key somewhere.

        :raises TypeError: always
        """
        raise TypeError("Settings hold an API key; they are not pickled.")
