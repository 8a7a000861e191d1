"""The account and the filters of a read, identified without showing the filters."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROUNDS = 100_000
"""A filter may be a phone number; trying all numbers would break the digest of a single round."""
_DIGITS = 16


@dataclass(frozen=True)
class Selection:
    """An account and the filters of a read.

    :param account: host name of the account
    :param name: the id of the Airflow connection, which tells apart accounts on one host
    :param params: filters as request parameters; never shown
    """

    account: str
    name: str
    params: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, base_url: str, name: str, params: Mapping[str, str]) -> Selection:
        """Return the selection of a read from the account at a URL."""
        return cls(urlsplit(base_url).hostname or "", name, params)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digits that identify the selection; port and key do not enter."""
        text = json.dumps([self.account, self.name, sorted(self.params.items())])
        rounds = _ROUNDS if self.params else 1
        digest = hashlib.pbkdf2_hmac("sha256", text.encode(), b"voiso selection", rounds)
        return digest.hex()[:_DIGITS]

    def __str__(self) -> str:
        filters = "filters" if self.params else "no filters"
        return f"{self.digest} ({self.account or 'no host'}, {filters})"
