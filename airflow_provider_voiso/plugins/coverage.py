"""The plugin that adds the coverage page to Airflow 3.1 and later, and nothing to older ones."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_voiso.compat.pages import has_pages
from airflow_provider_voiso.plugins.files import PREFIX, serve


class VoisoCoveragePlugin(AirflowPlugin):
    """Mounts the page's files and names the page in Airflow's navigation.

    Every process of Airflow loads it; only the api-server reads a file.
    """

    name = "voiso_coverage"

    if has_pages():
        fastapi_apps = [{"app": serve, "url_prefix": PREFIX, "name": "Voiso coverage"}]
        external_views = [
            {
                "name": "Voiso coverage",
                # Relative, so that it is found below whatever path Airflow is served.
                "href": f"{PREFIX.lstrip('/')}/coverage",
                "destination": "nav",
                "category": "browse",
                "url_route": "voiso-coverage",
            }
        ]
