"""What a load is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.sql.table_name import TableName

Mode = Literal["replace_window", "upsert"]


@dataclass(frozen=True, kw_only=True)
class TableJob:
    """What every load is asked to do.

    :param table: table to load into
    :param create_table: create the table if it does not exist
    :param add_columns: add the columns that an existing table lacks; without it, their values go
        to ``extra``
    """

    table: TableName
    create_table: bool
    add_columns: bool

    @property
    def subject(self) -> str:
        """What is loaded, as the middle of a sentence."""
        raise NotImplementedError

    def refusal(self, flaw: str) -> VoisoConfigurationError:
        """Return the error for a table that does not fit.

        :param flaw: what is wrong with the table, and what to change
        """
        return VoisoConfigurationError(
            f"The table {self.table} {flaw}. Nothing of {self.subject} was loaded."
        )


@dataclass(frozen=True, kw_only=True)
class Job(TableJob):
    """What the load of one window is asked to do; its table gets a key and an index.

    :param window: window of the run
    :param mode: ``replace_window`` deletes rows of the window that Voiso no longer returns;
        ``upsert`` adds and updates by uuid and deletes nothing
    :param fail_if_fewer_than: share of the window's rows that must be left, None if any number will
        do; for ``replace_window``
    :raises VoisoConfigurationError: if the mode is unknown
    """

    window: Window
    mode: Mode
    fail_if_fewer_than: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            known = ", ".join(get_args(Mode))
            raise VoisoConfigurationError(f"mode={self.mode!r} is not one of {known}.")

    @property
    def subject(self) -> str:
        """The window."""
        return str(self.window)
