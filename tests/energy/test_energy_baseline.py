"""The idle power of a device: a low percentile over idle time, by supply, of the last week."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.baseline import CLASS_UW, Baseline, IdleInterval, Supply

W = 1_000_000
DAY_S = 86_400.0


def seen(*watts: float, at_s: float = 0.0, supply: Supply = Supply.AC, busy: float = 0.0):
    baseline = Baseline()
    for power_w in watts:
        interval = IdleInterval(at_s, 10.0, round(power_w * 10 * W), busy, supply)
        baseline = baseline.with_interval(interval)
    return baseline


@given(st.lists(st.floats(0.5, 200), min_size=20, max_size=60))
def test_it_is_the_fifth_percentile_to_a_class(watts) -> None:
    expected = sorted(watts)[-(-len(watts) // 20) - 1]
    found = seen(*watts).power_uw(Supply.AC, 0.0)
    assert found == pytest.approx(expected * W, abs=CLASS_UW + 1)


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(),
        seen(*[5.0] * 5),
        seen(*[5.0] * 20, busy=0.05),
        seen(*[5.0] * 20, supply=Supply.BATTERY),
        seen(*[5.0] * 20, at_s=-7 * DAY_S),
    ],
    ids=["nothing", "50 s only", "busy", "on battery only", "a week ago"],
)
def test_too_little_seen_is_unknown_not_zero(baseline) -> None:
    assert baseline.power_uw(Supply.AC, 0.0) is None


def test_battery_and_mains_are_apart() -> None:
    both = seen(*[5.0] * 20)
    for interval in [IdleInterval(0.0, 10.0, 20 * W, 0.0, Supply.BATTERY)] * 20:
        both = both.with_interval(interval)
    assert both.power_uw(Supply.AC, 0.0) == pytest.approx(5 * W, abs=CLASS_UW)
    assert both.power_uw(Supply.BATTERY, 0.0) == pytest.approx(2 * W, abs=CLASS_UW)


def test_what_is_older_than_a_week_is_forgotten() -> None:
    later = seen(*[5.0] * 20).with_interval(IdleInterval(7 * DAY_S, 90.0, 900 * W, 0.0))
    assert later.power_uw(Supply.AC, 7 * DAY_S) == pytest.approx(10 * W, abs=CLASS_UW)
    assert len(later.seconds) == 1


def test_an_interval_of_no_length_says_nothing() -> None:
    assert Baseline().with_interval(IdleInterval(0.0, 0.0, 5, 0.0)) == Baseline()
