"""Looks for a secret in every spelling in which it could leave the package."""

from __future__ import annotations

import base64
import html
import json
import re
import traceback
from dataclasses import dataclass
from urllib.parse import quote, quote_plus


def text_of(error: BaseException) -> str:
    """Return all that can be read off an exception, its arguments and the exceptions behind it."""
    parts = ["".join(traceback.format_exception(type(error), error, error.__traceback__))]
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None:
            parts += [str(current), repr(current), repr(current.args), repr(vars(current))]
            waiting += [current.__cause__, current.__context__]
    return "\n".join(parts)


@dataclass(frozen=True)
class Secret:
    """A text that must not be seen."""

    text: str

    def spellings(self) -> set[str]:
        plain = self.text.encode()
        return {
            self.text,
            quote(self.text),
            quote(self.text, safe=""),
            quote_plus(self.text),
            html.escape(self.text),
            json.dumps(self.text)[1:-1],
            repr(self.text)[1:-1],
            repr(plain)[2:-1],
            base64.b64encode(plain).decode().rstrip("="),
            plain.hex(),
        }

    def assert_absent(self, *texts: str) -> None:
        for text in texts:
            for spelling in self.spellings():
                assert spelling not in text

    def assert_absent_from(self, error: BaseException) -> None:
        text = text_of(error)
        self.assert_absent(text)
        # A traceback quotes source, where the names of parameters stand before other things than their values.
        assert not re.search(r"[?&]key=|[?&](start_datetime|search_token|per_page)=", text)
