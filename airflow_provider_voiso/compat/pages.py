"""Pages of plugins, which Airflow shows since 3.1."""

from __future__ import annotations

from airflow import __version__


def has_pages() -> bool:
    """Tell whether this Airflow shows pages of plugins beside its own."""
    major, minor = __version__.split(".")[:2]
    return (int(major), int(minor)) >= (3, 1)
