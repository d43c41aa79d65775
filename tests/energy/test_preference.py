"""Weights of providers by a recruiter's preference."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.preference import WEIGHT_MIN, Offer, Prefer, weights
from eco_dask.energy.reading import Tier
from eco_dask.types import ProviderId

FAST = Offer(ProviderId("fast"), 2.0, 4.0, 6.0, Tier.METERED, 600)
FRUGAL = Offer(ProviderId("frugal"), 1.0, 2.0, 3.0, Tier.METERED, 600)
NORTH = Offer(ProviderId("north"), 1.0, 4.0, 6.0, Tier.METERED, 30)
UNKNOWN = Offer(ProviderId("unknown"), 1.0, 4.0)
ALL = (FAST, FRUGAL, NORTH, UNKNOWN)

offers = st.builds(
    Offer,
    st.text("abc", min_size=1).map(ProviderId),
    st.floats(0.01, 100),
    st.floats(0, 1000),
    st.none() | st.floats(0, 1000),
    st.sampled_from(Tier),
    st.none() | st.floats(0, 1000),
)
fleets = st.lists(offers, max_size=6, unique_by=lambda it: it.provider)
prefers = st.sampled_from(get_args(Prefer))


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("energy", {"fast": 0.25, "frugal": 1.0, "north": 0.25, "unknown": WEIGHT_MIN}),
        ("carbon", {"fast": WEIGHT_MIN, "frugal": WEIGHT_MIN, "north": 1.0, "unknown": WEIGHT_MIN}),
        ("speed", {"fast": 1.0, "frugal": 0.25, "north": 0.25, "unknown": 0.25}),
        ("price", {"fast": 0.25, "frugal": 1.0, "north": 0.25, "unknown": 0.25}),
    ],
)
def test_each_preference_weighs_its_own_figure(prefer, expected) -> None:
    assert weights(ALL, prefer) == pytest.approx(expected)


@given(fleets, prefers)
def test_weights_lie_between_the_floor_and_one_and_the_best_has_one(fleet, prefer) -> None:
    it = weights(fleet, prefer)
    assert it.keys() == {offer.provider for offer in fleet}
    assert all(WEIGHT_MIN <= weight <= 1 for weight in it.values())
    assert not fleet or max(it.values()) == 1


@given(fleets, prefers, st.randoms(use_true_random=False))
def test_the_order_of_offers_does_not_matter(fleet, prefer, random) -> None:
    shuffled = fleet.copy()
    random.shuffle(shuffled)
    assert weights(fleet, prefer) == weights(shuffled, prefer)


@pytest.mark.parametrize("prefer", ["energy", "carbon"])
def test_hiding_a_figure_gains_nothing(prefer) -> None:
    hidden = Offer(FAST.provider, FAST.score, FAST.price_mpt)
    given_, kept_back = weights(ALL, prefer), weights((hidden, *ALL[1:]), prefer)
    assert kept_back[FAST.provider] <= given_[FAST.provider]


def test_a_guess_counts_at_its_high_end() -> None:
    guess = Offer(ProviderId("guess"), 1.0, 2.0, 3.0, Tier.DEFAULT, 600)
    it = weights((FRUGAL, guess), "energy")
    assert it[guess.provider] == pytest.approx((1.4 / 3.0) ** 2)


def test_where_nothing_is_known_all_are_equal() -> None:
    assert set(weights((UNKNOWN, Offer(ProviderId("b"), 2.0, 1.0)), "energy").values()) == {1.0}


def test_another_preference_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="energy, carbon, speed, price"):
        weights(ALL, "beauty")


@pytest.mark.parametrize(
    "numbers", [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0, -1.0), (1.0, float("nan"))]
)
def test_an_offer_that_cannot_be_is_refused(numbers) -> None:
    with pytest.raises(ValueError, match="finite"):
        Offer(ProviderId("a"), *numbers)
