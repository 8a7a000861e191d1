"""Links on a task's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom, conf

from airflow_provider_voiso.compat.assets import is_asset
from airflow_provider_voiso.compat.links import worker_makes_links
from airflow_provider_voiso.compat.pages import has_pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import BaseOperator

_OBJECT_URL = "voiso_object_url"
"""Key of the XCom in which an export leaves the URL for Airflow 2."""


class _LinkedOperator(Protocol):
    object_url: str | None
    do_xcom_push: bool


class VoisoObjectLink(BaseOperatorLink):
    """Leads to the exported object: in AWS's console, or at the endpoint of another server."""

    name = "Exported object"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL; empty if the task has written no object."""
        if worker_makes_links():
            return getattr(operator, "object_url", None) or ""
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


def leave_object_url(
    operator: _LinkedOperator, context: Mapping[str, Any], url: str | None
) -> None:
    """Leave an object's URL where :class:`VoisoObjectLink` looks for it."""
    operator.object_url = url
    ti = context.get("ti")
    is_pushed = operator.do_xcom_push and not worker_makes_links()
    if url is not None and ti is not None and is_pushed:
        ti.xcom_push(key=_OBJECT_URL, value=url)
