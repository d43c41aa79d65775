"""Numbers as people read them; what is unknown is a dash, never 0."""

from __future__ import annotations

import math

import pytest

from eco_dask.display import words


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (words.count(12_345), "12,345"),
        (words.points(12_345), "12.345"),
        (words.points(0), "0.000"),
        (words.energy(3_600_000_000), "1 Wh"),
        (words.energy(3_600_000), "1 mWh"),
        (words.ratio(2), "2.00"),
        (words.chance(0.00012), "1.2e-04"),
        (words.share(1, 4), "25 %"),
        (words.share(0, 4), "0 %"),
        (words.span(0.25), "0.2 s"),
        (words.span(59), "59 s"),
        (words.span(600), "10 min"),
        (words.span(86_400 * 3), "3 d"),
        (words.grams(0.2), "200 mg"),
        (words.grams(1500.0), "1.5 kg"),
    ],
)
def test_each_number_has_its_unit(said: str, text: str) -> None:
    assert said == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "12", True, [], {}])
def test_what_is_no_number_is_unknown(value: object) -> None:
    for word in (
        words.count, words.points, words.energy, words.grams, words.ratio, words.chance,
        words.span, words.clock,
    ):  # fmt: skip
        assert word(value) == words.UNKNOWN
    assert words.share(value, 1) == words.share(1, value) == words.UNKNOWN


def test_a_part_of_nothing_is_unknown() -> None:
    assert words.share(1, 0) == words.UNKNOWN
