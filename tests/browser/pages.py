"""What a person does on Airflow's own pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import airflow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from playwright.sync_api import Locator, Page


def open_trigger_dialog(page: Page, dag_id: str) -> Locator:
    """Open the dialog behind a DAG's button Trigger."""
    page.goto(f"/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").click()
    dialog = page.locator("[role=dialog][data-scope=dialog]")
    dialog.get_by_text(f"Trigger Dag - {dag_id}").wait_for()
    return dialog


def pick(dialog: Locator, label: str, instant: datetime) -> None:
    """Choose date and time in a field's picker; the page shows UTC."""
    # A field of a DAG's parameter that must be filled has an asterisk behind its label.
    named = dialog.page.locator("label").filter(has_text=re.compile(rf"^{label}\b"))
    field = dialog.get_by_role("group").filter(has=named)
    field.get_by_test_id("datetime-input").click()
    picker = dialog.page.locator("[role=dialog][data-scope=popover][data-state=open]")
    picker.get_by_placeholder("YYYY/MM/DD").fill(f"{instant:%Y/%m/%d}")
    picker.get_by_placeholder("HH:mm").fill(f"{instant:%H:%M}")
    picker.get_by_placeholder("HH:mm").press("Enter")
    field.get_by_text(f"{instant:%b %d, %Y %H:%M}").wait_for()
    dialog.page.keyboard.press("Escape")
    picker.wait_for(state="detached")


def start_backfill(page: Page, dag_id: str, first: datetime, last: datetime) -> None:
    """Start a backfill of the runs from a first to a last date, both included."""
    dialog = open_trigger_dialog(page, dag_id)
    dialog.get_by_text("Run this Dag for a range of dates").click()
    pick(dialog, "From", first)
    pick(dialog, "To", last)
    dialog.get_by_role("button", name="Run Backfill").click()
    dialog.wait_for(state="hidden")


def task_page(dag_id: str, run_id: str, task_id: str, tab: str = "") -> str:
    """Return the path of a task's page in a run."""
    return f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/{tab}"


def trigger_on_demand(
    page: Page,
    dag_id: str,
    window: tuple[datetime, datetime],
    types: Iterable[str],
    *,
    switched: Iterable[str],
) -> None:
    """Fill in the form of the DAG that exports any range, and send it.

    :param switched: labels of the checkboxes to click
    """
    dialog = open_trigger_dialog(page, dag_id)
    for label, instant in zip(("From", "To"), window, strict=True):
        pick(dialog, label, instant)
    for kind in types:
        dialog.get_by_label("Select one or multiple values").fill(kind)
        page.get_by_role("option", name=kind, exact=True).click()
    for label in switched:
        dialog.get_by_label(label).locator("..").click()
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    dialog.wait_for(state="hidden")


def open_connection_form(page: Page, conn_id: str) -> Locator:
    """Open the form of a new connection of the type Voiso."""
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.locator("[role=dialog][data-scope=dialog]")
    dialog.locator("[name=connection_id]").fill(conn_id)
    dialog.get_by_role("combobox").fill("voiso")
    page.get_by_role("option", name="Voiso").click()
    return dialog


def show_extra_fields(dialog: Locator) -> None:
    """Open the section of a connection's form that holds its type's own fields."""
    # From Airflow 3.4 on it is open, and named after the type.
    if tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 4):
        dialog.get_by_role("button", name="Extra Fields", exact=True).click()
