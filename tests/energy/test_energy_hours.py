"""Owners' hours and jobs that can wait."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.hours import (
    Closed,
    HourForecast,
    Open,
    OwnerHours,
    Window,
    Wish,
    may_work,
    when_to_start,
)

H = 3600.0
DAY = 24 * H
#: Monday, 5 January 1970, 00:00 UTC.
MONDAY = 4 * DAY
WEEKDAYS = frozenset(range(5))
NIGHTS = OwnerHours((Window(WEEKDAYS, 22, 6),))


@pytest.mark.parametrize(
    ("hour", "is_open"),
    [
        (0, False),  # the night of Sunday is none of the owner's
        (21.99, False),
        (22, True),
        (29.99, True),
        (30, False),
        (4 * 24 + 23, True),
        (5 * 24 + 5, True),  # Saturday morning is Friday's night
        (5 * 24 + 23, False),
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(hour, is_open) -> None:
    assert isinstance(may_work(NIGHTS, MONDAY + hour * H), Open) == is_open


@pytest.mark.parametrize(
    ("hour", "opens_h"), [(0, 22), (7, 22), (24 + 7, 24 + 22), (130, 166 + 24)]
)
def test_a_closed_machine_says_when_it_opens(hour, opens_h) -> None:
    it = may_work(NIGHTS, MONDAY + hour * H)
    # From Saturday on that is Monday's night.
    assert it == Closed("outside of the owner's hours", MONDAY + opens_h * H)


def test_hours_are_of_the_owners_clock() -> None:
    india = OwnerHours((Window(frozenset({0}), 9, 10),), utc_offset_s=5.5 * H)
    assert may_work(india, MONDAY + 3.5 * H) == Open()
    assert may_work(india, MONDAY + 3 * H) == Closed(
        "outside of the owner's hours", MONDAY + 3.5 * H
    )


@given(st.floats(0, 1e9), st.integers(0, 127).filter(bool), st.integers(0, 23), st.integers(1, 24))
def test_when_it_opens_it_is_open(now_s, mask, begins, ends) -> None:
    if begins == ends:
        ends += 1 if ends < 24 else -1
    days = frozenset(day for day in range(7) if mask >> day & 1)
    hours = OwnerHours((Window(days, begins, ends),), utc_offset_s=-8 * H)
    it = may_work(hours, now_s)
    if isinstance(it, Closed):
        assert now_s < it.until_s <= now_s + 7 * DAY
        assert may_work(hours, it.until_s) == Open()


@pytest.mark.parametrize(
    ("g_per_kwh", "says"), [(99, None), (100, None), (101, "101 g/kWh"), (None, "unknown")]
)
def test_a_carbon_limit_holds_also_against_the_unknown(g_per_kwh, says) -> None:
    it = may_work(OwnerHours(g_per_kwh_max=100), MONDAY, g_per_kwh)
    assert it == Open() if says is None else says in it.reason


def test_without_limits_it_is_always_open() -> None:
    assert may_work(OwnerHours(), 0.0) == Open()


@pytest.mark.parametrize("args", [({}, 1, 2), ({7}, 1, 2), ({0}, 1, 1), ({0}, -1, 2), ({0}, 1, 25)])
def test_hours_that_cannot_be_are_refused(args) -> None:
    with pytest.raises(ValueError):
        Window(frozenset(args[0]), *args[1:])


# ---------------------------------------------------------------------- jobs that can wait


def forecast(*costs: float) -> list[HourForecast]:
    return [HourForecast(k * H, cost) for k, cost in enumerate(costs)]


@pytest.mark.parametrize(
    ("now_h", "deadline_h", "work_h", "costs", "start_h", "reason"),
    [
        (0, 6, 1, (5, 4, 1, 4, 5, 5), 2, "later hours"),
        # The deadline comes before the best hour.
        (0, 3, 1, (5, 4, 3, 1), 1.5, "later hours"),
        # Two hours of work: the pair counts, not the best hour.
        (0, 9, 2, (5, 1, 9, 2, 2, 9), 3, "later hours"),
        (0, 9, 1, (1, 1, 1), 0, "no later hour"),
        (0, 9, 1, (1, 2, 3), 0, "no later hour"),
        (0, 1.5, 1, (5, 1), 0, "no time"),
        (0, 1, 2, (5, 1), 0, "no time"),
        (0, 9, 1, (), 0, "no forecast"),
        # Half an hour of work at 1:30 of the cheap hour is as good as at 1:00: the earliest.
        (0, 9, 0.5, (5, 1, 5), 1, "later hours"),
        # Mid-hour: the rest of this hour is dear.
        (0.5, 9, 1, (9, 1, 5), 1, "later hours"),
    ],
)
def test_a_job_starts_when_it_costs_least(
    now_h, deadline_h, work_h, costs, start_h, reason
) -> None:
    it = when_to_start(now_h * H, Wish(deadline_h * H, work_h * H), forecast(*costs))
    assert it.at_s == start_h * H
    assert reason in it.reason


@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.floats(0, 5 * H),
    st.floats(1, 20 * H),
    st.floats(60, 5 * H),
)
def test_a_deadline_that_can_be_kept_is_kept(costs, now_s, until_s, work_s) -> None:
    wish = Wish(now_s + until_s, work_s)
    it = when_to_start(now_s, wish, forecast(*costs))
    assert it.at_s == now_s or now_s < it.at_s <= wish.latest_s
    if it.cost is not None:
        assert it.cost <= it.cost_now


@given(st.lists(st.integers(0, 9), min_size=3, max_size=8), st.integers(1, 100))
def test_no_start_is_better_than_the_one_chosen(costs, minutes) -> None:
    wish = Wish(len(costs) * H, minutes * 60.0, slack_share=0.0)
    it = when_to_start(0.0, wish, forecast(*costs))
    if it.cost is None:
        return
    step = 60.0
    for k in range(math.floor(wish.latest_s / step) + 1):
        at_s = k * step
        mean = sum(costs[int((at_s + m * step) // H)] for m in range(minutes)) / minutes
        assert it.cost <= mean + 1e-9


@pytest.mark.parametrize(
    "made", [lambda: Wish(1, 0), lambda: Wish(1, 1, -1), lambda: HourForecast(0, math.nan)]
)
def test_wishes_that_cannot_be_are_refused(made) -> None:
    with pytest.raises(ValueError):
        made()
