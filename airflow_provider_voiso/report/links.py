"""Links on a task's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom, conf

from airflow_provider_voiso.compat.assets import is_asset
from airflow_provider_voiso.compat.pages import has_pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import BaseOperator

_OBJECT_URL = "voiso_object_url"
"""Key of the XCom in which an export leaves the URL."""


class VoisoObjectLink(BaseOperatorLink):
    """Leads to the exported object: in AWS's console, or at the endpoint of another server."""

    name = "Exported object"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the URL; empty if the task has written no object.

        Airflow 3 asks on the worker once the task is over, Airflow 2 asks in the webserver.
        """
        return XCom.get_value(key=_OBJECT_URL, ti_key=ti_key) or ""


class VoisoCoverageLink(BaseOperatorLink):
    """Leads to the page that shows which windows of the task's asset were exported."""

    name = "Coverage"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the URL; empty if the task has no asset in its outlets.

        A worker may not know Airflow's address: then the URL is relative to that.
        """
        asset = next(filter(is_asset, operator.outlets), None)
        if asset is None:
            return ""
        # A reference has either a name or a URI.
        wanted = getattr(asset, "uri", None) or getattr(asset, "name", "")
        page = f"voiso/coverage?{urlencode({'asset': wanted})}"
        base = conf.get("api", "base_url", fallback="")
        return f"{base.rstrip('/')}/{page}" if base else page


def coverage_links() -> tuple[BaseOperatorLink, ...]:
    """Return the link to the coverage page, where Airflow has that page."""
    return (VoisoCoverageLink(),) if has_pages() else ()


def leave_object_url(context: Mapping[str, Any], url: str) -> None:
    """Leave an object's URL for :class:`VoisoObjectLink`, if there is a task instance."""
    ti = context.get("ti")
    if ti is not None:
        ti.xcom_push(key=_OBJECT_URL, value=url)
