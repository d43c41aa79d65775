"""Facts of readings and tiers."""

from __future__ import annotations

import math

import pytest

from eco_dask.energy.reading import Reading, Tier, Unavailable, readings, worst_tier


def reading(
    energy_uj: int = 5, at_s: float = 1.0, epoch: int = 0, device: str = "cpu:0"
) -> Reading:
    return Reading(device, energy_uj, at_s, "rapl", Tier.METERED, epoch)


def test_only_a_hardware_counter_is_called_metered() -> None:
    assert [tier for tier in Tier if tier.label == "metered"] == [Tier.METERED]


def test_spreads_never_shrink_from_a_better_tier_to_a_worse() -> None:
    for better, worse in zip(list(Tier), list(Tier)[1:], strict=False):
        assert better.component_spread <= worse.component_spread
        assert better.wall_spread <= worse.wall_spread
        assert better.relative_spread <= worse.relative_spread


def test_the_walls_figure_is_never_surer_than_the_components() -> None:
    assert all(tier.wall_spread >= tier.component_spread for tier in Tier)


def test_a_sum_has_the_worst_tier_of_its_parts() -> None:
    assert worst_tier([Tier.METERED, Tier.MODELLED, Tier.SAMPLED]) is Tier.MODELLED


def test_an_empty_sum_has_no_tier() -> None:
    with pytest.raises(ValueError):
        worst_tier([])


@pytest.mark.parametrize(
    "facts",
    [
        {"energy_uj": -1},
        {"energy_uj": 1.5},
        {"energy_uj": True},
        {"at_s": math.nan},
        {"at_s": math.inf},
        {"device": "cpu"},
        {"device": "screen:0"},
    ],
)
def test_what_is_no_reading_is_refused(facts: dict) -> None:
    with pytest.raises(ValueError):
        reading(**facts)


def test_energy_between_readings_of_one_epoch_is_their_difference() -> None:
    assert reading(12, 2.0).since(reading(5, 1.0)) == 7


def test_energy_across_a_gap_is_unknown_and_not_zero() -> None:
    assert reading(12, 2.0, epoch=1).since(reading(5, 1.0)) is None


@pytest.mark.parametrize(
    "other", [reading(device="cpu:1"), reading(energy_uj=6), reading(at_s=9.0)]
)
def test_readings_that_do_not_follow_each_other_are_not_subtracted(other: Reading) -> None:
    with pytest.raises(ValueError):
        reading().since(other)


def test_unavailable_devices_are_left_out_and_not_counted_as_zero() -> None:
    silent = Unavailable("rapl", "no permission")
    assert readings({"cpu:0": reading(), "cpu:1": silent}) == {"cpu:0": reading()}
    assert readings(silent) == {}
