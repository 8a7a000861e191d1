"""Whether an existing table can hold what a load brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Dialect, ExistingTable
    from airflow_provider_voiso.destinations.sql.job import Job, TableJob

KEYS = frozenset({"uuid", "ended_at"})
"""Columns without which a table is not one of call records; no other may be NOT NULL."""


def missing_columns(existing: ExistingTable | None) -> tuple[Column, ...]:
    """Return the columns that an existing table lacks; a table that does not exist lacks none."""
    if existing is None:
        return ()
    return tuple(column for column in COLUMNS if column.name not in existing.columns)


def check_fit(existing: ExistingTable | None, dialect: Dialect, job: Job) -> None:
    """Check that a table exists or may be created, and that it holds every value of ours.

    :raises VoisoConfigurationError: naming what to change
    """
    if existing is None:
        if not job.create_table:
            raise job.refusal("does not exist. Create it, or set create_table=True")
        return
    missing_keys = [each.name for each in missing_columns(existing) if each.name in KEYS]
    if missing_keys:
        names = ", ".join(missing_keys)
        raise job.refusal(f"is not one of call records: it lacks {names}. Name another table")
    check_columns(existing, dialect, job, COLUMNS, KEYS)
    if job.mode == "upsert" and not existing.has_unique_uuid:
        raise job.refusal("has no unique key on uuid alone, which mode='upsert' needs. Add one")


def check_columns(
    existing: ExistingTable,
    dialect: Dialect,
    job: TableJob,
    columns: Sequence[Column],
    keys: Collection[str],
) -> None:
    """Check that an existing table holds every value of some columns, so far as it has them.

    :param columns: what is loaded
    :param keys: columns among them that may be NOT NULL
    :raises VoisoConfigurationError: naming what to change
    """
    misfits = "; ".join(_misfits(existing, dialect, columns, keys))
    if misfits:
        raise job.refusal(f"has columns that cannot hold every value: {misfits}. Change them")
    required = ", ".join(_required_of_others(existing, columns))
    if required:
        raise job.refusal(
            f"requires a value in {required}, which no record has. Give the column a default, or "
            "let it be NULL"
        )
    if existing.flaw:
        raise job.refusal(existing.flaw)


def _misfits(
    existing: ExistingTable, dialect: Dialect, columns: Sequence[Column], keys: Collection[str]
) -> Iterator[str]:
    for column in columns:
        found = existing.columns.get(column.name)
        if found is None:
            continue
        if found.is_generated:
            yield f"{column.name} is generated and must be an ordinary column"
        elif not dialect.holds(column, found.type):
            yield f"{column.name} is {found.type} and must be {dialect.declared(column)}"
        elif not found.takes_null and column.name not in keys:
            yield f"{column.name} is NOT NULL and must allow NULL"


def _required_of_others(existing: ExistingTable, columns: Sequence[Column]) -> Iterator[str]:
    ours = {column.name for column in columns}
    for name, column in existing.columns.items():
        may_be_left_out = column.takes_null or column.has_default or column.is_generated
        if name not in ours and not may_be_left_out:
            yield name
