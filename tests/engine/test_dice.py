"""Dice: replayable, in range, even."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.engine.dice import Dice

chances = st.integers(0, 2**64 - 1)


@given(chances, st.lists(st.integers(1, 10**9), max_size=20))
def test_the_same_chance_gives_the_same_choices_in_range(chance: int, bounds: list[int]) -> None:
    one, two = Dice(chance), Dice(chance)
    choices = [one.below(bound) for bound in bounds]
    assert choices == [two.below(bound) for bound in bounds]
    assert all(0 <= choice < bound for choice, bound in zip(choices, bounds, strict=True))


@pytest.mark.parametrize("bound", [2, 3, 7, 10])
def test_choices_are_even_within_one_stream_and_across_neighbouring_chances(bound: int) -> None:
    stream, rolls = Dice(0), 6000
    within = Counter(stream.below(bound) for _ in range(rolls))
    across = Counter(Dice(chance).below(bound) for chance in range(rolls))
    for counts in (within, across):
        assert set(counts) == set(range(bound))
        expected = rolls / bound
        chi_square = sum((n - expected) ** 2 / expected for n in counts.values())
        # Beyond four standard deviations of the chi-square distribution.
        assert chi_square < bound - 1 + 4 * (2 * (bound - 1)) ** 0.5


def test_first_choices_match_the_published_generator() -> None:
    # SplitMix64 seeded with 0 begins with 0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4.
    dice = Dice(0)
    assert [dice.below(2**64), dice.below(2**64)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]
