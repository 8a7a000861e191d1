"""Rows as lines of text, in the form that both PostgreSQL's COPY and MySQL's LOAD DATA read by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.export.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from airflow_provider_voiso.export.columns import Column
    from airflow_provider_voiso.export.sql_dialect import Block

_NULL = r"\N"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def lines(block: Block, instant: Callable[[datetime], str] = str) -> bytes:
    """Return one line per record, in UTF-8: its values between tabs, with backslashes before what would end them.

    :param instant: how a datetime is written
    """
    cells = [_cells(column, values, instant) for column, values in zip(COLUMNS, block, strict=True)]
    text = "\n".join(map("\t".join, zip(*cells, strict=True)))
    return (text + "\n").encode() if text else b""


def _cells(column: Column, values: Sequence[Any], instant: Callable[[datetime], str]) -> list[str]:
    if column.type not in {"text", "json"}:
        written = instant if column.type == "instant" else str
        return [_NULL if value is None else written(value) for value in values]
    # Searching the whole column is many times faster than replacing in each value, and seldom finds anything.
    together = "".join(filter(None, values))
    if any(character in together for character in "\\\t\n\r"):
        return [_NULL if value is None else value.translate(_ESCAPES) for value in values]
    return [_NULL if value is None else value for value in values]
