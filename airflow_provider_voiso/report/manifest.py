"""The manifest of an export: one value for XCom, log, asset events, lineage and calendar."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.report.words import count_text, seconds_text, size_text

if TYPE_CHECKING:
    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.base import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one export did, in numbers; nothing of a record, a key or a filter.

    :param window_start: first instant of the window, ISO 8601 in UTC
    :param window_end: first instant that no longer belongs to it, likewise
    :param records: records exported, each ``uuid`` once
    :param duplicates: records that came twice in one answer and were left out
    :param out_of_window: records that lie outside of what was asked for
    :param unfinished: conversations among the records that are not over, so that they may still
        change
    :param requests: requests sent, retries included
    :param probes: requests among them that proved something
    :param clock: in which clock the API reads dates
    :param bytes: size of the object, or of the records as JSON in SQL
    :param uri: address of the object; only for an object
    :param table: name of the table; only for a table
    :param columns_missing: columns that the table lacks, so that their values went to ``extra``;
        only if there are any
    :param inserted: rows that are new; only for a table, where it is known
    :param updated: rows that stood there with other values; likewise
    :param deleted: rows of the window that are gone; likewise
    :param changed: whether anything was written; only where it is known
    :param records_before: records of the window that the destination held before; likewise
    """

    window_start: str
    window_end: str
    records: int
    duplicates: int
    out_of_window: int
    unfinished: int
    requests: int
    probes: int
    clock: str
    bytes: int
    uri: str | None = None
    table: str | None = None
    columns_missing: list[str] | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    changed: bool | None = None
    records_before: int | None = None

    @classmethod
    def of(cls, window: Window, read: WindowRead, written: Written) -> Manifest:
        """Return the manifest of a window that was read and written.

        :param window: the window of the run; with a lookback, more was read
        """
        return cls(
            window_start=window.start.isoformat(),
            window_end=window.end.isoformat(),
            records=read.records,
            duplicates=read.duplicates,
            out_of_window=read.out_of_window,
            unfinished=read.unfinished,
            requests=read.requests,
            probes=read.probes,
            clock=read.clock,
            bytes=written.bytes,
            uri=written.uri,
            table=written.table,
            columns_missing=list(written.columns_missing) if written.columns_missing else None,
            inserted=written.inserted,
            updated=written.updated,
            deleted=written.deleted,
            changed=written.changed,
            records_before=written.records_before,
        )

    def line(self, *, seconds: float, changed: int) -> str:
        """Return one line for a person.

        :param seconds: how long the export took
        :param changed: records that changed while they were read
        """
        line = (
            f"Exported {count_text(self.records, 'record')} ({size_text(self.bytes)}) to "
            f"{self.uri or self.table} in {seconds_text(seconds)} with "
            f"{count_text(self.requests, 'request')}."
        )
        remarks = {
            "changed while they were read": changed,
            "unfinished": self.unfinished,
            "came more than once": self.duplicates,
            "outside of the window or filters": self.out_of_window,
        }
        said = [f"{number:,} {words}" for words, number in remarks.items() if number]
        return f"{line} Of the records: {', '.join(said)}." if said else line

    def as_dict(self) -> dict[str, Any]:
        """Return what is known as plain values, for XCom and asset events."""
        return {name: value for name, value in asdict(self).items() if value is not None}
