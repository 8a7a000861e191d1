"""How ``make site`` builds the documentation: offline, and any warning fails it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).parents[1]
# Importing Airflow makes its home; autodoc imports the package.
os.environ.setdefault("AIRFLOW_HOME", str(ROOT / "build" / "airflow"))
sys.path.insert(0, str(ROOT))

import airflow_provider_voiso  # noqa: E402 - after Airflow's home is known

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "airflow-provider-voiso"
author = "The airflow-provider-voiso maintainers"
version = release = airflow_provider_voiso.__version__
_REPOSITORY = re.search(
    r'^Repository = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
)

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["linkify"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
# References of our own must resolve; those of Airflow and Python are on other sites.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!airflow_provider_voiso).*")]

html_theme = "furo"
html_title = f"{project} {release}"
html_theme_options = {
    "source_repository": _REPOSITORY[1] if _REPOSITORY else "",
    "source_branch": "main",
    "source_directory": "docs/",
}


def setup(app: Sphinx) -> None:
    """Show the drawing of the imports as text; Git hosts draw it."""
    app.add_lexer("mermaid", TextLexer)
