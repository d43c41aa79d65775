"""Conformance 7, 8: wraps, resets, steps back, sleep, silence; never negative, never NaN."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.monotone import (
    CounterRule,
    Level,
    Moment,
    MonotoneCounter,
    PowerIntegral,
    RawCounter,
)
from eco_dask.energy.reading import Reading, Tier, Unavailable

J = 1_000_000
RANGE = 65_532 * J
RULE = CounterRule(watts_max=500.0)


def run(*steps: tuple[float, int], range_uj: int | None = RANGE) -> list[tuple[int, int]]:
    counter = MonotoneCounter(RULE)
    levels = [counter.advance(RawCounter(raw, range_uj), Moment(at_s)) for at_s, raw in steps]
    return [(level.energy_uj, level.epoch) for level in levels]


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        pytest.param([(0, 7 * J)], (0, 0), id="the-first-value-is-the-origin"),
        pytest.param([(0, 7 * J), (1, 37 * J)], (30 * J, 0), id="a-rise-is-energy"),
        pytest.param([(0, 7 * J), (1, 7 * J)], (0, 0), id="no-rise-is-no-energy"),
        pytest.param([(0, RANGE - 10 * J), (1, 20 * J)], (30 * J, 0), id="a-wrap-is-energy"),
        pytest.param([(0, 5000 * J), (1, 3 * J)], (0, 1), id="a-reset-is-a-gap"),
        pytest.param([(0, 5000 * J), (1, 5000 * J - 40)], (0, 1), id="a-step-back-is-a-gap"),
        pytest.param([(0, 7 * J), (1, 9007 * J)], (0, 1), id="an-unbelievable-rise-is-a-gap"),
        pytest.param([(0, 7 * J), (3600, 400 * J)], (0, 1), id="a-sleep-is-a-gap"),
        pytest.param([(0, 7 * J), (10, 400 * J)], (393 * J, 0), id="ten-seconds-are-no-gap"),
        pytest.param([(5, 7 * J), (4, 9 * J)], (0, 1), id="a-clock-that-steps-back-is-a-gap"),
        pytest.param(
            [(0, 7 * J), (0, 9 * J), (1, 11 * J)], (4 * J, 0), id="D-of-zero-loses-nothing"
        ),
        pytest.param([(0, 7 * J), (0.01, 37 * J)], (30 * J, 0), id="one-late-step-is-no-excess"),
        pytest.param([(0, 5000 * J), (1, 3 * J), (2, 13 * J)], (10 * J, 1), id="counts-on-after"),
    ],
)
def test_counter_becomes_monotone(steps: list[tuple[float, int]], last: tuple[int, int]) -> None:
    assert run(*steps)[-1] == last


def test_without_a_range_a_fall_is_a_gap_even_where_a_wrap_would_fit() -> None:
    assert run((0, RANGE - 10 * J), (1, 20 * J), range_uj=None)[-1] == (0, 1)


def test_a_new_boot_is_a_gap_whatever_the_counter_says() -> None:
    counter = MonotoneCounter(RULE)
    counter.advance(RawCounter(5), Moment(1.0, "a"))
    assert counter.advance(RawCounter(9), Moment(1.5, "b")) == Level(0, 1, 1.5)


@given(
    st.lists(
        st.tuples(st.floats(-5, 30, allow_nan=False), st.integers(0, RANGE)),
        min_size=1,
        max_size=40,
    )
)
def test_energy_and_epoch_never_fall_whatever_the_counter_does(
    steps: list[tuple[float, int]],
) -> None:
    at_s, times = 100.0, []
    for gap_s, raw in steps:
        at_s += gap_s
        times.append((at_s, raw))
    levels = run(*times)
    assert all(isinstance(energy, int) and energy >= 0 for energy, _ in levels)
    assert all(
        a[0] <= b[0] and a[1] <= b[1] and (a[1] == b[1] or a[0] == b[0])
        for a, b in pairwise(levels)
    )


@given(st.lists(st.integers(0, 400 * J), max_size=60), st.integers(0, RANGE - 1))
def test_a_counter_that_wraps_shows_exactly_what_was_used(used: list[int], origin: int) -> None:
    raw, steps = origin, [(0.0, origin)]
    for second, energy in enumerate(used, start=1):
        raw = (raw + energy) % RANGE
        steps.append((float(second), raw))
    assert run(*steps)[-1] == (sum(used), 0)


def test_splitting_an_interval_of_power_changes_at_most_a_microjoule() -> None:
    whole, split = PowerIntegral(), PowerIntegral()
    for at_s in (0.0, 9.0):
        one = whole.advance(33.3, Moment(at_s))
    for step in range(91):
        many = split.advance(33.3, Moment(step / 10))
    assert abs(one.energy_uj - many.energy_uj) <= 1


def test_power_is_integrated_by_trapezoids() -> None:
    integral = PowerIntegral()
    integral.advance(10.0, Moment(0.0))
    integral.advance(30.0, Moment(2.0))
    assert integral.advance(30.0, Moment(3.0)).energy_uj == 70 * J


def test_power_across_a_silence_bounds_no_area() -> None:
    integral = PowerIntegral()
    integral.advance(10.0, Moment(0.0))
    assert integral.advance(10.0, Moment(11.0)) == Level(0, 1, 11.0)


@pytest.mark.parametrize("watts", [math.nan, math.inf, -0.1])
def test_what_is_no_power_is_refused(watts: float) -> None:
    with pytest.raises(ValueError, match="power"):
        PowerIntegral().advance(watts, Moment(0.0))


def bank(still_max_s: float | None = None) -> Bank[RawCounter]:
    return Bank(Meter("made", Tier.METERED, lambda: MonotoneCounter(RULE), still_max_s))


def test_an_unreadable_sample_is_unavailable_and_its_energy_comes_with_the_next() -> None:
    meters, silent = bank(), Unavailable("made", "busy")
    meters.take({"cpu:0": RawCounter(0)}, Moment(0.0))
    assert meters.take({"cpu:0": silent}, Moment(1.0)) == {"cpu:0": silent}
    last = meters.take({"cpu:0": RawCounter(60 * J)}, Moment(2.0))["cpu:0"]
    assert last == Reading("cpu:0", 60 * J, 2.0, "made", Tier.METERED)


def test_an_unplugged_device_is_unavailable_and_begins_anew_when_it_returns() -> None:
    meters = bank()
    meters.take({"gpu:a": RawCounter(0)}, Moment(0.0))
    meters.take({"gpu:a": RawCounter(10 * J)}, Moment(1.0))
    gone = meters.take({"gpu:b": RawCounter(5)}, Moment(2.0))
    assert isinstance(gone["gpu:a"], Unavailable)
    assert "gone" in gone["gpu:a"].reason
    back = meters.take({"gpu:a": RawCounter(11 * J)}, Moment(3.0))["gpu:a"]
    assert isinstance(back, Reading)
    assert (back.energy_uj, back.epoch) == (10 * J, 1)


def test_a_counter_that_stands_still_is_broken_and_not_zero() -> None:
    meters = bank(still_max_s=5.0)
    for second in range(6):
        sample = meters.take({"cpu:0": RawCounter(77)}, Moment(float(second)))
        assert isinstance(sample["cpu:0"], Reading)
    still = meters.take({"cpu:0": RawCounter(77)}, Moment(6.0))["cpu:0"]
    assert isinstance(still, Unavailable)
    assert "stands still" in still.reason
    assert isinstance(meters.take({"cpu:0": RawCounter(78)}, Moment(7.0))["cpu:0"], Reading)
