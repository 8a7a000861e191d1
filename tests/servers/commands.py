"""Several commands of the ``airflow`` program in one process, as each start of it takes seconds."""

from __future__ import annotations

import json
import sys

_RUN = """
import json, sys
from airflow.cli.cli_parser import get_parser
for arguments in json.loads(sys.argv[1]):
    parsed = get_parser().parse_args(arguments)
    parsed.func(parsed)
"""


def several_commands(*commands: list[str]) -> list[str]:
    """Return a program that carries out commands, each as a list of its arguments."""
    return [sys.executable, "-c", _RUN, json.dumps(commands)]
