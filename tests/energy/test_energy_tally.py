"""Conformance 1, 7, 11: intervals summed per task and host, gaps, reserved shares, figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_attribution import S, baselines, busy, energies, uses

from eco_dask.energy.attribution import HostUse, TaskUse, split_by_cpu, split_by_holder
from eco_dask.energy.carbon import machine
from eco_dask.energy.intensity import static_table
from eco_dask.energy.reading import Tier, Unavailable
from eco_dask.energy.tally import (
    NO_BASELINE,
    NO_EMBODIED,
    SHARED_GPU,
    MeteredSplit,
    Reserve,
    Tally,
    TaskEnergy,
    Terms,
    figures_of,
    reserved_shares_uj,
)

J = 1_000_000
FRANCE = Terms(static_table().intensity("FRA"), machine("laptop", 16))


def cpu(energy_uj, base_uw, use, tier=Tier.METERED) -> MeteredSplit:
    return MeteredSplit(split_by_cpu("cpu:0", energy_uj, base_uw, use), "rapl", tier)


@given(st.lists(st.tuples(energies, baselines, uses()), max_size=6))
def test_over_any_schedule_parts_make_up_the_total_exactly(intervals) -> None:
    tally = Tally(Reserve(2, 4))
    for energy, base, use in intervals:
        tally.add(use, [cpu(energy, base, use)])
    totals = tally.totals
    assert totals.total_uj == sum(energy for energy, _, _ in intervals)
    assert totals.residual_uj == 0
    keys = {task.key for _, _, use in intervals for task in use.tasks}
    finished = [tally.finish(key) for key in sorted(keys)]
    assert sum(it.marginal_uj for it in finished) == totals.tasks_uj
    assert sum(it.share_uj for it in finished) <= totals.base_uj


@given(energies, uses(), st.integers(1, 64), st.integers(1, 64), st.booleans())
def test_tasks_never_carry_more_idle_energy_than_there_is(base, use, slots, threads, own) -> None:
    shares = reserved_shares_uj(base, use, Reserve(slots, threads, own))
    assert shares.keys() == {task.key for task in use.tasks}
    assert min(shares.values(), default=0) >= 0
    assert sum(shares.values()) <= base


@pytest.mark.parametrize(
    ("reserve", "share_uj"),
    [
        (Reserve(1, 4), 2_500_000),
        (Reserve(1, 4, dedicated=True), 10 * J),
        (Reserve(2, 4, dedicated=True), 5 * J),
        (Reserve(4, 4), 2_500_000),
        # More slots than threads: the machine's idle power is still there once only.
        (Reserve(8, 4), 1_250_000),
    ],
)
def test_the_reserved_share_is_of_the_machine_or_of_the_offer(reserve, share_uj) -> None:
    use = busy(TaskUse("a", S, S))
    assert reserved_shares_uj(10 * J, use, reserve) == {"a": share_uj}


def test_a_task_over_a_gap_says_how_long_nothing_was_seen() -> None:
    tally, use = Tally(Reserve(1, 1)), busy(TaskUse("a", S, S))
    tally.add(use, [cpu(10 * J, 0, use)])
    tally.add(use, [])
    it = tally.finish("a")
    assert (it.marginal_uj, it.overlap_ns, it.gap_ns) == (10 * J, S, S)
    assert figures_of(it, FRANCE).gap_ms == 1000


@pytest.mark.parametrize("gpus", [frozenset(), frozenset({"gpu:x"})])
def test_a_device_without_meter_is_a_gap_for_those_who_used_it(gpus) -> None:
    tally, use = Tally(Reserve(1, 1)), busy(TaskUse("a", S, S, gpus=gpus))
    tally.add(use, [cpu(10 * J, 0, use)])
    it = tally.finish("a")
    assert it.marginal_uj == 10 * J
    assert (it.overlap_ns, it.gap_ns) == ((0, S) if gpus else (S, 0))


def test_memory_alone_does_not_meter_a_task() -> None:
    tally, use = Tally(Reserve(1, 1)), busy(TaskUse("a", S, S))
    tally.add(use, [MeteredSplit(split_by_cpu("dram:0", J, 0, use), "rapl", Tier.METERED)])
    assert tally.finish("a").gap_ns == S


def test_a_task_without_any_meter_is_unknown_not_zero() -> None:
    tally = Tally(Reserve(1, 1))
    tally.add(busy(TaskUse("a", S, S)), [])
    it = tally.finish("a")
    assert isinstance(it, Unavailable)
    assert "1.0 s of task a" in it.reason


def test_a_task_that_was_in_no_interval_is_unknown() -> None:
    assert isinstance(Tally(Reserve(1, 1)).finish("ghost"), Unavailable)


def test_a_finished_task_is_forgotten() -> None:
    tally, use = Tally(Reserve(1, 1)), busy(TaskUse("a", S, S))
    tally.add(use, [cpu(10 * J, 0, use)])
    tally.finish("a")
    assert isinstance(tally.finish("a"), Unavailable)


def test_metered_and_modelled_devices_mix_to_the_worst_with_the_metered_part() -> None:
    tally, use = Tally(Reserve(1, 1)), busy(TaskUse("a", S, S))
    dram = MeteredSplit(split_by_cpu("dram:0", 3 * J, 0, use), "model", Tier.MODELLED)
    tally.add(use, [cpu(9 * J, 0, use), dram])
    it = figures_of(tally.finish("a"), FRANCE)
    assert it.tier is Tier.MODELLED
    assert it.metered_share == 0.75
    assert it.sources == {"rapl", "model"}


def test_a_gpu_that_a_task_did_not_hold_is_no_part_of_its_class() -> None:
    use = busy(TaskUse("a", S, S), TaskUse("b", S, S, gpus=frozenset({"gpu:x"})))
    gpu = MeteredSplit(split_by_holder("gpu:x", 5 * J, 0, use), "nvml", Tier.SAMPLED)
    tally = Tally(Reserve(2, 2))
    tally.add(use, [cpu(10 * J, 0, use), gpu])
    without, holder = tally.finish("a"), tally.finish("b")
    assert (without.tier, without.sources) == (Tier.METERED, {"rapl"})
    assert (holder.tier, holder.marginal_uj) == (Tier.SAMPLED, 10 * J)
    assert SHARED_GPU in figures_of(holder, FRANCE).warnings


TASK = TaskEnergy(
    "a", 8 * J, 8 * J, 4 * J, 4 * J, Tier.METERED, frozenset({"rapl"}), 3600 * S, 0, 1
)


def test_figures_are_at_the_wall_and_hold_both_kinds_of_carbon() -> None:
    it = figures_of(TASK, FRANCE)
    assert (it.component_uj, it.marginal_uj, it.reserved_uj) == (8 * J, 10 * J, 15 * J)
    operational_g = 15 / 3.6e6 * 56.039
    assert it.gco2e[1] == pytest.approx(operational_g + 181_000 / 35_040 / 16, rel=1e-3)
    assert it.gco2e[0] < it.gco2e[1] < it.gco2e[2]
    assert it.grids == {"FRA 2023"}
    assert not it.warnings


@pytest.mark.parametrize(
    ("task", "terms", "warning"),
    [
        (TASK, replace(FRANCE, machine=None), NO_EMBODIED),
        (replace(TASK, baseline_known=False), FRANCE, NO_BASELINE),
        (replace(TASK, assumed_exclusive=True), FRANCE, SHARED_GPU),
    ],
)
def test_what_is_left_out_or_assumed_is_said(task, terms, warning) -> None:
    assert figures_of(task, terms).warnings == {warning}


def test_an_undeclared_country_is_warned_of() -> None:
    it = figures_of(TASK, replace(FRANCE, intensity=static_table().intensity("")))
    assert "declared no country" in next(iter(it.warnings))
    assert it.grids == {"WLD 2023"}


def test_an_unknown_baseline_marks_the_task() -> None:
    tally, use = Tally(Reserve(1, 1)), busy(TaskUse("a", S, S))
    tally.add(use, [replace(cpu(J, 0, use), baseline_known=False)])
    tally.add(use, [cpu(J, 0, use)])
    assert tally.finish("a").baseline_known is False


def test_a_reserve_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=">= 1"):
        Reserve(0, 4)


def test_an_empty_host_uses_nothing() -> None:
    tally, use = Tally(Reserve(1, 1)), HostUse(0, 0, 0, 0)
    tally.add(use, [cpu(0, 5 * J, use)])
    assert (tally.totals.total_uj, tally.totals.residual_uj) == (0, 0)
