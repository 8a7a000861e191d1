"""Looks for a secret in every spelling in which it could leave the package."""

from __future__ import annotations

import base64
import html
import json
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

HERE = str(Path(__file__).parent)
AWKWARD_KEYS = (
    "k+/=&%ü-€-secret",
    "quo\"te's\\back\\slash\\",
    r"(.*)[a-z]+$|^\d{2,}?\g<0>",
    "%s%(key)s%d{0}{key!r}{",
    "https://user:pw@host/?key=x#y",
    "<b>&amp;</b>'--;",
    "ß~§",
)
"""What a URL, a shell, JSON, HTML, SQL, a regular expression or a format string could stumble
over, and a short one."""


def text_of(error: BaseException, *, variables: bool = False) -> str:
    """Return all that can be read off an exception and the exceptions behind it.

    :param variables: also those of their frames outside of the tests, as some loggers show them
    """
    parts = ["".join(traceback.format_exception(type(error), error, error.__traceback__))]
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None:
            parts += [str(current), repr(current), repr(current.args), repr(vars(current))]
            waiting += [current.__cause__, current.__context__]
            for frame, _ in traceback.walk_tb(current.__traceback__):
                if variables and not frame.f_code.co_filename.startswith(HERE):
                    parts.append(repr(frame.f_locals))
    return "\n".join(parts)


@dataclass(frozen=True)
class Secret:
    """A text that must not be seen."""

    text: str

    def spellings(self) -> set[str]:
        """Return what to look for; forms so short that they occur by chance are left out."""
        plain = self.text.encode()
        quoted = {quote(self.text), quote(self.text, safe=""), quote_plus(self.text)}
        forms = {
            *quoted,
            *(re.sub("%..", lambda escape: escape[0].lower(), text) for text in quoted),
            *(quote(text, safe="") for text in quoted),
            html.escape(self.text),
            self.text.encode("ascii", "xmlcharrefreplace").decode(),
            json.dumps(self.text)[1:-1],
            json.dumps(self.text, ensure_ascii=False)[1:-1],
            json.dumps(json.dumps(self.text))[3:-3],
            repr(self.text)[1:-1],
            repr(plain)[2:-1],
            repr(repr(self.text))[2:-2],
            plain.hex(),
            plain.hex().upper(),
            self.text.encode("utf-16-le").decode(errors="replace"),
            self.text.encode("utf-16-be").decode(errors="replace"),
            *(_base64(plain, offset) for offset in range(3)),
        }
        return {self.text, *quoted, *(form for form in forms if len(form) > 7)}

    def assert_absent(self, *texts: str) -> None:
        for text in texts:
            for spelling in self.spellings():
                assert spelling not in text

    def assert_absent_from(self, error: BaseException) -> None:
        text = text_of(error, variables=True)
        self.assert_absent(text)
        # A traceback quotes source, where the names of parameters stand before other things than
        # their values.
        assert not re.search(r"[?&]key=|[?&](start_datetime|search_token|per_page)=", text)


def _base64(plain: bytes, offset: int) -> str:
    """Return what a text always looks like within the base64 of a longer one, of which it starts
    at an offset."""
    encoded = base64.b64encode(b"\0" * offset + plain).decode()
    sure = (offset + len(plain)) * 8 // 6
    return encoded[(0, 2, 3)[offset] : sure]
