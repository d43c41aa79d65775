"""Claims of energy from outside: what can be is counted, what cannot is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.plausible import SLACK_S, Bounds, Meterage
from eco_dask.energy.reading import Tier
from eco_dask.energy.tally import TaskEnergy

LAPTOP = Bounds(threads=8)


def task(marginal_j: float = 10.0, seconds: float = 2.0, **fields: Any) -> TaskEnergy:
    made = TaskEnergy(
        "lease", int(marginal_j * 1e6), 0, 0, 0, Tier.MODELLED, frozenset({"load-model"}),
        int(seconds * 1e9), 0, 1,
    )  # fmt: skip
    return replace(made, **fields)


def judged(it: TaskEnergy, elapsed_s: float = 5.0) -> str | None:
    fault = Meterage(100.0).fault(it, LAPTOP, 100.0, 100.0 + elapsed_s)
    return fault.reason if fault else None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"tier": Tier.DEFAULT}, None),
        ({"sources": frozenset({"load-model", "nvml"})}, None),
        ({"sources": frozenset()}, "no such meter"),
        ({"sources": frozenset({"crystal ball"})}, "no such meter"),
        ({"tier": Tier.METERED}, "a better class than its meters give"),
        (
            {"tier": Tier.METERED, "sources": frozenset({"rapl", "load-model"})},
            "a better class than its meters give",
        ),
        (
            {"tier": Tier.METERED, "sources": frozenset({"rapl"})},
            "said to be metered, and a part of it is not",
        ),
        ({"marginal_metered_uj": 10_000_001}, "a part is more than the whole"),
        ({"share_metered_uj": 1}, "a part is more than the whole"),
        ({"overlap_ns": 60 * 10**9}, "more time than has passed"),
        ({"gap_ns": 60 * 10**9}, "more time than has passed"),
        ({"marginal_uj": 10**13}, "more power than the machine can draw"),
        ({"share_uj": 10**13}, "more power than the machine can draw"),
    ],
)
def test_a_claim_is_judged(fields: dict[str, Any], reason: str | None) -> None:
    assert judged(task(**fields)) == reason


def test_runs_that_are_each_possible_may_be_too_much_together() -> None:
    meterage = Meterage(0.0)
    claim = task(marginal_j=LAPTOP.power_max_w * 4, seconds=2.0)
    verdicts = [meterage.fault(claim, LAPTOP, 0.0, 10.0) for _ in range(5)]
    assert [it is None for it in verdicts] == [True, True, True, False, False]
    assert meterage.claimed_uj == 3 * claim.marginal_uj


def test_a_machine_of_a_million_threads_is_believed_to_be_a_large_one() -> None:
    assert Bounds(10**6, 10**6).power_max_w == Bounds(512, 16).power_max_w


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 100)), max_size=20))
def test_what_is_believed_never_exceeds_what_the_machine_can_draw(
    claims: list[tuple[float, float]],
) -> None:
    meterage, now_s, believed_uj = Meterage(0.0), 0.0, 0
    for joules, seconds in claims:
        now_s += seconds
        claim = task(joules, seconds)
        if meterage.fault(claim, LAPTOP, now_s - seconds, now_s) is None:
            believed_uj += claim.marginal_uj
    assert believed_uj <= LAPTOP.power_max_w * (now_s + SLACK_S) * 1e6
