"""Conformance 1 to 6, 8, 12: the split of an interval, as laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.attribution import (
    PPM,
    HostUse,
    Split,
    TaskUse,
    apportion,
    split_by_cpu,
    split_by_holder,
)

S = 1_000_000_000
J = 1_000_000

ns = st.integers(0, 20 * S)
energies = st.integers(0, 10**12)
baselines = st.integers(0, 500 * J)


@st.composite
def uses(draw: st.DrawFn) -> HostUse:
    keys = draw(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=6))
    tasks = tuple(
        TaskUse(key, draw(ns), draw(ns), draw(st.integers(1, 4)), draw(held)) for key in keys
    )
    return HostUse(draw(ns), draw(ns), draw(ns), draw(ns), tasks)


held = st.sampled_from([frozenset(), frozenset({"gpu:a"}), frozenset({"gpu:b"})])
splits = st.sampled_from(
    [
        lambda e, b, use: split_by_cpu("cpu:0", e, b, use),
        lambda e, b, use: split_by_holder("gpu:a", e, b, use),
        lambda e, b, use: split_by_holder("gpu:a", e, b, use, 300_000),
    ]
)


def busy(*tasks: TaskUse, service_ns: int = 0, other_ns: int = 0) -> HostUse:
    """One second in which every CPU-second is accounted for."""
    worker_ns = sum(it.cpu_ns for it in tasks) + service_ns
    return HostUse(S, worker_ns + other_ns, worker_ns, service_ns, tasks)


@given(splits, energies, baselines, uses())
def test_every_microjoule_has_one_owner_and_none_is_negative(split, energy, base, use) -> None:
    it = split(energy, base, use)
    assert it.base_uj + it.other_uj + it.overhead_uj + sum(it.task_uj.values()) == energy
    assert it.residual_uj == 0
    assert min(it.base_uj, it.other_uj, it.overhead_uj, *it.task_uj.values()) >= 0


@given(splits, energies, baselines, uses(), st.randoms(use_true_random=False))
def test_the_order_of_tasks_does_not_matter(split, energy, base, use, random) -> None:
    tasks = list(use.tasks)
    random.shuffle(tasks)
    assert split(energy, base, use) == split(energy, base, replace(use, tasks=tuple(tasks)))


@given(energies, baselines, uses(), ns, ns)
def test_equal_tasks_get_the_same_to_a_microjoule(energy, base, use, cpu_ns, overlap_ns) -> None:
    twins = tuple(TaskUse(key, cpu_ns, overlap_ns) for key in ("twin 1", "twin 2"))
    it = split_by_cpu("cpu:0", energy, base, replace(use, tasks=use.tasks + twins))
    assert abs(it.task_uj["twin 1"] - it.task_uj["twin 2"]) <= 1


@given(energies, baselines, st.integers(0, S), st.integers(0, S), st.integers(0, S))
def test_a_sleeping_task_gets_nothing(energy, base, cpu_ns, service_ns, other_ns) -> None:
    tasks = (TaskUse("works", cpu_ns, S), TaskUse("sleeps", 0, S))
    use = busy(*tasks, service_ns=service_ns, other_ns=other_ns)
    assert split_by_cpu("cpu:0", energy, base, use).task_uj["sleeps"] == 0


@given(energies, baselines, st.integers(1, S))
def test_foreign_load_is_never_billed(energy, base, other_ns) -> None:
    use = HostUse(S, other_ns, 0, 0, (TaskUse("sleeps", 0, S),))
    it = split_by_cpu("cpu:0", energy, base, use)
    assert it.other_uj == energy - it.base_uj


@given(energies, baselines, uses(), ns, ns, ns)
def test_more_cpu_time_never_means_less_energy(energy, base, use, low, more, overlap_ns) -> None:
    tasks = (TaskUse("less", low, overlap_ns), TaskUse("more", low + more, overlap_ns))
    it = split_by_cpu("cpu:0", energy, base, replace(use, tasks=use.tasks + tasks))
    # Of equal tasks the first by key may have the odd microjoule.
    assert it.task_uj["less"] <= it.task_uj["more"] + (more == 0)


@given(uses(), st.integers(1, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_splitting_an_interval_changes_a_figure_by_its_roundings_only(use, unit, n, m) -> None:
    """Each of base, own, tasks and a task's part is rounded once per interval, by less than 1."""

    def scaled(k: int) -> Split:
        tasks = tuple(
            TaskUse(it.key, it.cpu_ns * k, it.overlap_ns * k, it.slots) for it in use.tasks
        )
        whole = HostUse(
            use.duration_ns * k, use.busy_ns * k, use.worker_ns * k, use.service_ns * k, tasks
        )
        return split_by_cpu("cpu:0", unit * k, 1, whole)

    once, first, second = scaled(n + m), scaled(n), scaled(m)
    for key, uj in once.task_uj.items():
        assert abs(first.task_uj[key] + second.task_uj[key] - uj) <= 4
    assert abs(first.base_uj + second.base_uj - once.base_uj) <= 1
    assert abs(first.other_uj + second.other_uj - once.other_uj) <= 2


@pytest.mark.parametrize(
    ("energy_j", "base_w", "use", "expected_j"),
    [
        # 5 W idle + 10 W per busy core; two tasks on a core each, the owner on a third.
        (35, 5, busy(TaskUse("a", S, S), TaskUse("b", S, S), other_ns=S), (5, 10, 0, 10, 10)),
        # The worker's own threads are nobody's task.
        (25, 5, busy(TaskUse("a", S, S), TaskUse("b", 0, S), service_ns=S), (5, 0, 10, 10, 0)),
        # BLAS threads worked 2 s, half of it during each task.
        (
            45,
            5,
            HostUse(S, 4 * S, 4 * S, 0, (TaskUse("a", S, S), TaskUse("b", S, S))),
            (5, 0, 0, 20, 20),
        ),
        # Or all of it during one, which another had left.
        (
            35,
            5,
            HostUse(S, 3 * S, 3 * S, 0, (TaskUse("a", S, S), TaskUse("b", 0, 0))),
            (5, 0, 0, 30, 0),
        ),
        # Less energy than the baseline expects: all of it is base.
        (3, 5, busy(TaskUse("a", S, S), TaskUse("b", 0, S)), (3, 0, 0, 0, 0)),
        # An empty interval.
        (0, 5, HostUse(0, 0, 0, 0, (TaskUse("a", 0, 0), TaskUse("b", 0, 0))), (0, 0, 0, 0, 0)),
        # The counter moved though no clock did.
        (7, 5, HostUse(0, 0, 0, 0, (TaskUse("a", 0, 0), TaskUse("b", 0, 0))), (0, 7, 0, 0, 0)),
    ],
)
def test_known_cases(energy_j, base_w, use, expected_j) -> None:
    it = split_by_cpu("cpu:0", energy_j * J, base_w * J, use)
    parts = (it.base_uj, it.other_uj, it.overhead_uj, it.task_uj["a"], it.task_uj["b"])
    assert parts == tuple(part * J for part in expected_j)


def test_worker_time_without_any_task_is_overhead() -> None:
    it = split_by_cpu("cpu:0", 10 * J, 0, HostUse(S, 2 * S, S, 0))
    assert (it.other_uj, it.overhead_uj) == (5 * J, 5 * J)


def test_a_worker_is_never_busier_than_its_host() -> None:
    it = split_by_cpu("cpu:0", 10 * J, 0, HostUse(S, S, 2 * S, 0, (TaskUse("a", 2 * S, S),)))
    assert it.task_uj["a"] == 10 * J


def test_two_workers_on_a_host_are_one_host() -> None:
    """Had each worker been given the host's energy, the two would have been billed 40 J of 20."""
    tasks = (TaskUse("of worker 1", S, S), TaskUse("of worker 2", S, S))
    it = split_by_cpu("cpu:0", 20 * J, 0, busy(*tasks))
    assert it.task_uj == {"of worker 1": 10 * J, "of worker 2": 10 * J}


@pytest.mark.parametrize(
    ("own_ppm", "others_j", "assumed"), [(None, 0, True), (PPM // 4, 60, False), (0, 80, False)]
)
def test_a_gpu_goes_to_its_holders_by_time(own_ppm, others_j, assumed) -> None:
    gpu = frozenset({"gpu:a"})
    tasks = (
        TaskUse("long", 0, 3 * S, gpus=gpu),
        TaskUse("short", 0, S, gpus=gpu),
        TaskUse("none", 9 * S, 4 * S),
    )
    it = split_by_holder("gpu:a", 100 * J, 5 * J, HostUse(4 * S, 0, 0, 0, tasks), own_ppm)
    own_j = 80 - others_j
    assert it.base_uj == 20 * J
    assert it.other_uj == others_j * J
    assert it.task_uj == {"long": own_j * J * 3 // 4, "short": own_j * J // 4}
    assert it.assumed_exclusive is assumed


def test_a_gpu_that_no_task_holds_works_for_its_owner() -> None:
    it = split_by_holder("gpu:a", 9 * J, 0, busy(TaskUse("a", S, S)))
    assert (it.other_uj, dict(it.task_uj), it.assumed_exclusive) == (9 * J, {}, False)


@given(st.integers(0, 10**15), st.dictionaries(st.text(), st.integers(0, 10**12), min_size=1))
def test_apportioned_parts_are_within_one_of_their_share(total, weights) -> None:
    if not sum(weights.values()):
        weights[next(iter(weights))] = 1
    shares = apportion(total, weights)
    assert sum(shares.values()) == total
    for key, share in shares.items():
        assert abs(share * sum(weights.values()) - total * weights[key]) < sum(weights.values())


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: apportion(1, {}), "divide 1"),
        (lambda: apportion(1, {"a": 2, "b": -1}), "divide 1"),
        (lambda: TaskUse("a", -1, 0), "times are >= 0"),
        (lambda: HostUse(0, 0, -1, 0), "times are >= 0"),
        (lambda: HostUse(0, 0, 0, 0, (TaskUse("a", 0, 0),) * 2), "twice"),
        (lambda: split_by_cpu("cpu:0", -1, 0, HostUse(0, 0, 0, 0)), "-1 uJ"),
        (lambda: split_by_holder("gpu:a", 1, 0, HostUse(0, 0, 0, 0), PPM + 1), "own_ppm"),
        (lambda: Split("cpu:0", 3, 1, 1, 0, {}), "make up the total"),
        (lambda: Split("cpu:0", 0, 1, -1, 0, {}), "make up the total"),
    ],
)
def test_what_cannot_be_is_refused(made, says) -> None:
    with pytest.raises(ValueError, match=says):
        made()
