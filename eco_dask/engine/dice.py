"""Choices derived from 64 random bits that came with an event.

chance ──splitmix64──► a stream of choices
"""

from __future__ import annotations

from typing import TypeVar

_T = TypeVar("_T")
_MASK = (1 << 64) - 1


class Dice:
    """A stream of numbers from one event's ``chance``.

    SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): one
    event rarely needs more than a few choices, and 64 bits from the operating system seed each.
    """

    __slots__ = ("_state",)

    def __init__(self, chance: int) -> None:
        self._state = chance & _MASK

    def below(self, bound: int) -> int:
        """Return a number in ``range(bound)``; the bias is below ``bound / 2**64``."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) * bound) >> 64

    def shuffle(self, what: list[_T]) -> None:
        """Put a list into a random order (Fisher and Yates)."""
        for i in range(len(what) - 1, 0, -1):
            j = self.below(i + 1)
            what[i], what[j] = what[j], what[i]

    def happens(self, probability: float) -> bool:
        """Say whether something of that probability happens."""
        return self.below(1 << 53) < probability * (1 << 53)
