"""The owner comes first: a table of what is seen, what was wanted, and what follows."""

from __future__ import annotations

import calendar
import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.hours import OwnerHours
from eco_dask.errors import ConfigurationError
from eco_dask.host.hours_text import parse_hours
from eco_dask.host.presence import REASONS, PresenceRule, Sight, judge, next_opening_s

#: A Wednesday, 15:00 UTC.
NOW_S = calendar.timegm((2026, 7, 1, 15, 0, 0))
CLEAN = OwnerHours(g_per_kwh_max=50.0)
NIGHTS = parse_hours(["Mon-Fri 22:00-06:00", "Sat,Sun"])


def sight(**seen) -> Sight:
    return Sight(NOW_S, **seen)


CASES = {
    "nothing is known, nothing is asked": ({}, {}, ()),
    "idle long enough": ({"idle_s_min": 180}, {"idle_s": 180.0}, ()),
    "somebody types": ({"idle_s_min": 180}, {"idle_s": 2.0}, ("in-use",)),
    "nobody can sit there": ({"idle_s_min": 180}, {"idle_s": math.inf}, ()),
    "whether somebody types is unknown": ({"idle_s_min": 180}, {}, ("in-use-unknown",)),
    "somebody types, which matters not": ({}, {"idle_s": 0.0}, ()),
    "on battery": ({}, {"on_battery": True}, ("battery",)),
    "on battery, which is allowed": ({"on_battery": True}, {"on_battery": True}, ()),
    "plugged in": ({}, {"on_battery": False}, ()),
    "others work": ({"load_max": 0.25}, {"other_load": 0.26}, ("load",)),
    "others work a little": ({"load_max": 0.25}, {"other_load": 0.25}, ()),
    "others' work is unknown": ({"load_max": 0.25}, {}, ()),
    "hot": ({"temperature_max_c": 80}, {"temperature_c": 80.5}, ("heat",)),
    "warm": ({"temperature_max_c": 80}, {"temperature_c": 79.0}, ()),
    "metered": ({}, {"metered": True}, ("metered",)),
    "metered, which is allowed": ({"on_metered": True}, {"metered": True}, ()),
    "a listed program": (
        {"programs": ("Blender", "game")}, {"programs": frozenset({"blender.exe", "sh"})},
        ("program",),
    ),
    "other programs": ({"programs": ("game",)}, {"programs": frozenset({"gamepad"})}, ()),
    "out of hours": ({"hours": NIGHTS}, {}, ("hours",)),
    "grid over the owner's limit": ({"hours": CLEAN, "g_per_kwh": 60.0}, {}, ("hours",)),
    "grid below it": ({"hours": CLEAN, "g_per_kwh": 40.0}, {}, ()),
    "a limit and an unknown grid": ({"hours": CLEAN}, {}, ("hours",)),
    "in hours by the owner's clock": ({"hours": NIGHTS}, {"utc_offset_s": 8 * 3600.0}, ()),
    "the GPU is used": ({}, {"gpu_used": True}, ("gpu",)),
    "the GPU is shared": ({"gpu_shared": True}, {"gpu_used": True}, ()),
    "the day's transfer is used up": (
        {"transfer_bytes_max": 100}, {"transferred_bytes": 100}, ("transfer",),
    ),
    "all at once": (
        {"idle_s_min": 60, "load_max": 0.5}, {"idle_s": 0.0, "on_battery": True, "other_load": 0.9},
        ("in-use", "battery", "load"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "seen", "codes"), CASES.values(), ids=CASES)
def test_what_is_seen_and_wanted_decides(wanted, seen, codes) -> None:
    reasons = judge(PresenceRule(**wanted), sight(**seen))
    assert tuple(reason.code for reason in reasons) == codes
    assert all(reason.words and "{" not in reason.words for reason in reasons)


@pytest.mark.parametrize(
    ("wanted", "seen", "ends"),
    [
        ({"load_max": 0.4}, {"other_load": 0.35}, False),
        ({"load_max": 0.4}, {"other_load": 0.29}, True),
        ({"temperature_max_c": 80}, {"temperature_c": 76.0}, False),
        ({"temperature_max_c": 80}, {"temperature_c": 74.0}, True),
    ],
)
def test_a_pause_for_load_or_heat_ends_well_below_its_limit(wanted, seen, ends) -> None:
    rule = PresenceRule(**wanted)
    assert judge(rule, sight(**seen)) == ()
    assert (judge(rule, sight(**seen), {"load", "heat"}) == ()) is ends


def test_the_next_opening_is_told() -> None:
    assert next_opening_s(PresenceRule(hours=NIGHTS), sight()) == NOW_S + 7 * 3600
    assert next_opening_s(PresenceRule(), sight()) is None


_maybe = st.none() | st.floats(0, 1000)
_yes_no = st.none() | st.booleans()


@given(
    st.builds(
        Sight, st.just(NOW_S), idle_s=_maybe, on_battery=_yes_no, other_load=_maybe,
        temperature_c=_maybe, metered=_yes_no, gpu_used=_yes_no,
    )
)  # fmt: skip
def test_an_owner_who_asks_for_nothing_is_never_paused(seen: Sight) -> None:
    assert judge(PresenceRule(on_battery=True, on_metered=True, gpu_shared=True), seen) == ()


@given(st.sampled_from([f.name for f in fields(Sight)][1:]), st.sets(st.sampled_from([*REASONS])))
def test_what_is_not_seen_never_adds_a_reason(name, before) -> None:
    wanted = PresenceRule(load_max=0.1, temperature_max_c=50, programs=("a",), transfer_bytes_max=9)
    seen = {"on_battery": True, "other_load": 0.9, "temperature_c": 90.0, "metered": True,
            "programs": frozenset("a"), "gpu_used": True, "transferred_bytes": 10}  # fmt: skip
    all_of = judge(wanted, sight(**seen), before)
    seen.pop(name, None)
    assert set(judge(wanted, sight(**seen), before)) <= set(all_of)


@pytest.mark.parametrize("text", ["Mon", "Mon-Fri 22:00-06:00", "08:00-12:30", "Sat,Sun 9-17"])
def test_hours_are_read(text) -> None:
    (window,) = parse_hours([text]).windows
    assert window.days


def test_days_wrap_around_the_week() -> None:
    (window,) = parse_hours(["Fri-Mon 1:15-2:30"]).windows
    assert (window.days, window.begins_h, window.ends_h) == ({4, 5, 6, 0}, 1.25, 2.5)


@pytest.mark.parametrize(
    "text", ["", "Someday", "Mon 8", "8:00-25:00", "8:77-9", "Mon 8-9 x", "8-8"]
)
def test_what_is_no_hours_is_refused_with_an_example(text) -> None:
    with pytest.raises(ConfigurationError, match="22:00-06:00"):
        parse_hours([text])


@pytest.mark.parametrize("wanted", [{"load_max": 0}, {"load_max": 2}, {"idle_s_min": -1}])
def test_a_rule_that_is_none_is_refused(wanted) -> None:
    with pytest.raises(ValueError, match="got"):
        PresenceRule(**wanted)
