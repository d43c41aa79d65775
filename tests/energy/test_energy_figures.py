"""Conformance 8, 11, 13: sums of figures, their class, a job's parts, cost, equivalents."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_figures import any_figures, figures

from eco_dask.energy.accounts import JobEnergy, Purpose, Run, RunEnd, account
from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.equivalents import equivalent, names
from eco_dask.energy.figures import EnergyFigures, electricity_cost, net_earnings, total
from eco_dask.energy.reading import Tier, Unavailable, worst_tier


@given(any_figures(), any_figures(), any_figures())
def test_sums_do_not_depend_on_order(a, b, c) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)


@given(st.lists(any_figures(), min_size=1, max_size=6))
def test_a_sum_has_the_worst_class_and_every_source(them) -> None:
    it = total(them)
    assert it.reserved_uj == sum(each.reserved_uj for each in them)
    assert it.tier is worst_tier(each.tier for each in them)
    assert it.sources == frozenset().union(*(each.sources for each in them))


def test_the_sum_of_nothing_is_unknown() -> None:
    assert total([]) is None


@given(any_figures())
def test_records_come_back_as_they_were_through_json(it) -> None:
    assert EnergyFigures.from_record(json.loads(json.dumps(it.as_record()))) == it


@pytest.mark.parametrize(
    "change",
    [
        {"marginal_uj": -1},
        {"marginal_uj": 1.5},
        {"component_uj": True},
        {"reserved_uj": 0},
        {"metered_uj": 10**9},
        {"gap_ms": "1"},
        {"tier": "A+"},
        {"carbon": [3, 2, 1]},
        {"carbon": [1, 2]},
        {"carbon": [1.0, 2, 3]},
        {"sources": "rapl"},
        {"warnings": [1]},
        {"surplus": 1},
    ],
)
def test_a_record_that_cannot_be_is_refused(change) -> None:
    with pytest.raises(ValueError):
        EnergyFigures.from_record(figures().as_record() | change)


def test_a_record_that_lacks_a_field_is_refused() -> None:
    record = figures().as_record()
    for name in record:
        with pytest.raises(ValueError, match=name):
            EnergyFigures.from_record({k: v for k, v in record.items() if k != name})


@pytest.mark.parametrize(
    ("it", "label"),
    [
        (figures(), "metered"),
        (figures(tier=Tier.MODELLED), "modelled (class C)"),
        (figures(tier=Tier.DEFAULT), "default (class D)"),
        (figures() + figures(tier=Tier.MODELLED), "metered 50 %, rest modelled (class C)"),
        (figures(999) + figures(1, tier=Tier.SAMPLED), "metered 99 %, rest sampled (class B)"),
    ],
)
def test_the_class_stands_beside_the_figures(it, label) -> None:
    assert it.label == label
    assert str(it).endswith(label)


@given(any_figures(), any_figures())
def test_what_is_modelled_is_never_called_metered(a, b) -> None:
    it = a + b
    assert (it.label == "metered") == (a.tier is b.tier is Tier.METERED)


def test_units_agree() -> None:
    it = figures(3600, 1800)
    assert (it.marginal_j, it.reserved_j, it.wh) == (1800, 3600, 1)
    assert it.gco2e == (1e-6, 2e-6, 4e-6)
    assert it.reserved_range_j == pytest.approx((3600 / 1.4, 3600 * 1.4))


def test_nothing_reserved_is_no_share() -> None:
    assert figures(0).metered_share == 0.0


def test_the_owner_pays_for_marginal_energy_only() -> None:
    kwh_j = 3.6e6
    it = figures(10 * kwh_j, 2 * kwh_j)
    assert electricity_cost(it, Decimal("0.30")) == Decimal("0.60")
    assert net_earnings(Decimal("0.50"), it, Decimal("0.30")) == Decimal("-0.10")


# ---------------------------------------------------------------------- jobs


runs = st.builds(Run, st.sampled_from(RunEnd), any_figures())


@given(st.lists(runs, max_size=8))
def test_a_job_is_the_sum_of_its_parts_to_the_microjoule(them) -> None:
    it = account(them)
    assert it.all == total(run.energy for run in them)
    assert it == account(them[::-1])


@pytest.mark.parametrize(
    ("end", "purpose"),
    [
        (RunEnd.ACCEPTED, "useful"),
        (RunEnd.AGREED, "verification"),
        (RunEnd.AUDIT, "verification"),
        (RunEnd.DISSENTED, "wasted"),
        (RunEnd.FAILED, "wasted"),
        (RunEnd.RECALLED, "wasted"),
        (RunEnd.COORDINATION, "coordination"),
    ],
)
def test_each_end_has_its_purpose(end, purpose) -> None:
    it = account([Run(end, figures(5))])
    assert getattr(it, purpose) == figures(5) == it.all
    assert it.share(Purpose(purpose)) == 1.0


def test_retries_and_losing_attempts_keep_their_energy() -> None:
    ends = [(RunEnd.FAILED, 3), (RunEnd.DISSENTED, 1), (RunEnd.ACCEPTED, 4), (RunEnd.AGREED, 2)]
    it = account([Run(end, figures(joules)) for end, joules in ends])
    assert it.all.reserved_j == 10
    assert [it.share(purpose) for purpose in Purpose] == [0.4, 0.2, 0.4, 0.0]


def test_unknown_energy_is_counted_as_unknown() -> None:
    it = account([Run(RunEnd.ACCEPTED, Unavailable("tally", "no meter ran"))])
    assert it == JobEnergy(None, None, None, None, 1, frozenset({"no meter ran"}))
    assert it.all is None
    assert it.share(Purpose.USEFUL) is None


# ---------------------------------------------------------------------- equivalents


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("led-hour", "about as much as 100 hours of a 10 W LED lamp"),
        ("kettle-litre", "about as much as 10 litres of water heated from 15 to 100 °C"),
        ("phone-charge", "about as much as 1 phone charge in the US"),
    ],
)
def test_equivalents_are_their_sourced_size(name, text) -> None:
    base = figures(3.6e6)
    it = EnergyFigures(
        base.component_uj,
        base.marginal_uj,
        base.reserved_uj,
        0,
        CarbonRange(0, 8_220_000, 9_000_000),
        Tier.MODELLED,
    )
    found = equivalent(it, name)
    assert found.text == text
    assert found.source


def test_there_is_no_other_equivalent() -> None:
    assert set(names()) == {"led-hour", "kettle-litre", "phone-charge"}
    with pytest.raises(ValueError, match="led-hour, kettle-litre, phone-charge"):
        equivalent(figures(), "tv-hour")
