"""Random choices that are the same in every process: all of them come from given bits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Chance:
    """Draws in sequence from a fixed supply of random bits.

    Each draw uses up some bits, so draws are independent of each other. With no bits left, every
    draw is 0.

    :param bits: the supply, a whole number of zero or more
    """

    __slots__ = ("_bits",)

    def __init__(self, bits: int) -> None:
        self._bits = bits

    @classmethod
    def of(cls, text: str) -> Chance:
        """Return 256 bits of chance that depend on nothing but a text."""
        return cls(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))

    def below(self, limit: int) -> int:
        """Draw a whole number from 0 to ``limit - 1``."""
        self._bits, drawn = divmod(self._bits, limit)
        return drawn

    def one_in(self, number: int) -> bool:
        """Draw True once in ``number`` times."""
        self._bits, drawn = divmod(self._bits, number)
        return drawn == 0

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of the choices."""
        self._bits, drawn = divmod(self._bits, len(choices))
        return choices[drawn]
