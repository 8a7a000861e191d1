"""The name of a table, as the user gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_voiso.arguments import check_text
from airflow_provider_voiso.exceptions import VoisoConfigurationError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as the user names it; the case counts where the database distinguishes it.

    :param schema: schema that holds the table, or None for the connection's default
    :param name: name of the table
    """

    schema: str | None
    name: str

    @classmethod
    def parse(cls, text: Any) -> TableName:
        """Read ``name`` or ``schema.name``.

        :raises VoisoConfigurationError: if it is no text, or a part is not a plain identifier:
            letters, digits and underscores, no digit first, 63 characters at most
        """
        check_text(text, "table")
        parts = text.split(".")
        are_plain = all(_IDENTIFIER.fullmatch(part) for part in parts)
        if len(parts) > 2 or not are_plain:
            raise VoisoConfigurationError(
                f"{text!r} is not a table name. Give `name` or `schema.name`, each of letters, "
                "digits and underscores, not starting with a digit, at most 63 characters long."
            )
        schema = parts[0] if len(parts) == 2 else None
        return cls(schema, parts[-1])

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name
