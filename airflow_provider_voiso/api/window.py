"""The half-open interval of time that one export covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from airflow_provider_voiso.exceptions import VoisoNoWindowError

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def epoch_us(instant: datetime) -> int:
    """Return an aware datetime as whole microseconds since 1970-01-01 UTC."""
    # Not with "-": Airflow passes pendulum's datetimes, and their difference cannot be divided.
    return datetime.__sub__(instant, EPOCH) // MICROSECOND


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval ``[start, end)`` of instants; any zone goes in, UTC is kept.

    :param start: first instant that belongs to the window, with a time zone
    :param end: first instant that no longer belongs to it, with a time zone
    :raises VoisoNoWindowError: if a bound is naive or the start is not before the end
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if not isinstance(value, datetime):
                raise VoisoNoWindowError(
                    f"The window's {name} must be a datetime, not {type(value).__name__}."
                )
            if value.utcoffset() is None:
                raise VoisoNoWindowError(
                    f"The window's {name} {value.isoformat()} has no time zone. Give it an offset, "
                    f"such as {value.isoformat()}+00:00."
                )
            # Plain datetimes: those of pendulum compare and add in another way.
            try:
                plain = EPOCH + (epoch_us(value) * MICROSECOND)
            except OverflowError:
                raise VoisoNoWindowError(
                    f"The window's {name} is beyond the years 1 to 9999 in UTC."
                ) from None
            object.__setattr__(self, name, plain)
        if self.start >= self.end:
            raise VoisoNoWindowError(
                f"The window {self} is empty or reversed: its start must be before its end."
            )

    def __str__(self) -> str:
        return f"[{self.start.isoformat()}, {self.end.isoformat()})"

    @property
    def start_us(self) -> int:
        """The start in microseconds since the epoch."""
        return epoch_us(self.start)

    @property
    def end_us(self) -> int:
        """The end in microseconds since the epoch."""
        return epoch_us(self.end)
