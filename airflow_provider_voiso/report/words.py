"""Windows, counts and sizes as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_voiso.api.window import Window


def window_text(window: Window) -> str:
    """Return a window such as ``2026-03-10 00:00 to 2026-03-11 00:00 UTC``."""
    return f"{_instant_text(window.start)} to {_instant_text(window.end)} UTC"


def _instant_text(instant: datetime) -> str:
    timespec = "auto" if instant.second or instant.microsecond else "minutes"
    return instant.replace(tzinfo=None).isoformat(" ", timespec)


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 record`` or ``12,345 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size_text(size: int) -> str:
    """Return a number of bytes with a unit of thousands of them."""
    if size < 1_000:
        return count_text(size, "byte")
    if size < 1_000_000:
        return f"{size / 1_000:.1f} kB"
    if size < 1_000_000_000:
        return f"{size / 1_000_000:.1f} MB"
    return f"{size / 1_000_000_000:.1f} GB"


def seconds_text(seconds: float) -> str:
    """Return a time such as ``4.2 s``, ``83 s`` or ``12 min 5 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s"
