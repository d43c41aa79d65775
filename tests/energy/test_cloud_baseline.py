"""Conformance 17: pinned coefficients, signed savings, and what may not be said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_figures import figures

from eco_dask.energy.cloud import (
    CloudWork,
    cloud_j,
    compare,
    location_effect_g,
    vcpu_baseline,
)
from eco_dask.energy.data_files import in_range, named, rows
from eco_dask.energy.intensity import static_table
from eco_dask.energy.reading import Tier

HOUR = CloudWork(vcpu_h=1.0)


@pytest.mark.parametrize(
    ("name", "wh"), [("conservative", 2.25), ("typical", 2.41), ("upper", 4.52)]
)
def test_a_vcpu_hour_in_each_baseline(name, wh) -> None:
    it = vcpu_baseline(name)
    assert it.wh_per_vcpu_h == pytest.approx(wh, abs=0.005)
    assert it.source.split()[-1] in {"b7a049c", "b0032d9"}
    assert cloud_j(HOUR, it) == pytest.approx(wh * 3600, abs=18)


def test_the_conservative_baseline_is_the_least_and_the_upper_the_most() -> None:
    order = [vcpu_baseline(name).wh_per_vcpu_h for name in ("conservative", "typical", "upper")]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("used_j", "verdict", "begins"),
    [
        (1_000, "less", "7.1 kJ less than the cloud"),
        (8_000, "no clear difference", "no clear difference"),
        (100_000, "more", "91.9 kJ more than the cloud"),
    ],
)
def test_a_loss_is_shown_as_a_loss(used_j, verdict, begins) -> None:
    it = compare(HOUR, figures(used_j))
    assert it.verdict == verdict
    assert str(it).startswith(begins)
    assert it.saved_j == pytest.approx(8102 - used_j, abs=5)
    assert "conservative baseline" in str(it)


@given(st.floats(0.001, 1e4), st.floats(0, 1e7), st.sampled_from(Tier))
def test_nothing_is_claimed_where_the_range_reaches_across_zero(vcpu_h, used_j, tier) -> None:
    it = compare(CloudWork(vcpu_h), figures(used_j, tier=tier))
    assert it.saved_low_j <= it.saved_j <= it.saved_high_j
    assert (it.verdict == "no clear difference") == (it.saved_low_j <= 0 <= it.saved_high_j)
    if it.verdict == "more":
        assert it.saved_j < 0


def test_a_worse_class_widens_the_range() -> None:
    metered, modelled = (compare(HOUR, figures(2000, tier=it)) for it in Tier if it.value in "AC")
    assert modelled.saved_low_j < metered.saved_low_j
    assert modelled.saved_high_j > metered.saved_high_j


def test_marginal_energy_is_compared_apart() -> None:
    it = compare(HOUR, figures(9_000, 2_000))
    assert it.saved_j < 0 < it.saved_marginal_j


def test_gpu_hours_count_by_model() -> None:
    work = CloudWork(0.0, {"T4": 2.0})
    assert cloud_j(work, vcpu_baseline("conservative")) == pytest.approx(71 * 2 * 1.15 * 3600)
    with pytest.raises(ValueError, match="T4, A10G, V100"):
        cloud_j(CloudWork(1.0, {"GTX": 1.0}), vcpu_baseline("upper"))


def test_negative_work_is_refused() -> None:
    with pytest.raises(ValueError, match="hours"):
        CloudWork(-1.0)
    with pytest.raises(ValueError, match="hours"):
        CloudWork(1.0, {"T4": -1.0})


def test_every_family_can_be_true_and_is_pinned() -> None:
    for row in rows("cloud.json", "families"):
        in_range(row["min_w"], 0.2, 2.0, row["name"])
        in_range(row["max_w"], 1.0, 6.0, row["name"])
        assert row["commit"] in {"b7a049c", "b0032d9"}


@pytest.mark.parametrize("watts", [(3.68, 8.96), (float("nan"), 2.0)])
def test_rows_that_cannot_be_true_are_refused(watts) -> None:
    """3.68 to 8.96 W is what one edition says of its newest processor."""
    with pytest.raises(ValueError, match="outside of what can be"):
        in_range(watts[0], 0.2, 2.0, "min_w")


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="epyc-3"):
        named("cloud.json", "families", "z80")


def test_the_effect_of_the_place_may_be_against_us() -> None:
    poland = static_table().intensity("POL")
    assert location_effect_g(3.6e6, poland, "eu-north-1") == pytest.approx(8.8 - 661.926)
    assert location_effect_g(3.6e6, static_table().intensity("FRA"), "us-east-1") > 0
