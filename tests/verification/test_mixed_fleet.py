"""Real processes with other kernels, SIMD levels and thread counts: honest answers all agree."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from eco_dask.sketches import sketch
from eco_dask.types import TaskKind
from eco_dask.verification.compare import Agrees, Differs, agree
from eco_dask.verification.sketch import Sketch
from eco_dask.verification.tolerance import Close, comparison_for

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from checks import CHEATS, blocks
from fleet import DTYPES, KINDS, VARIANTS, Answer, Task, run_fleet, tasks

TASKS = tasks(12 * len(KINDS) * len(DTYPES))


@pytest.fixture(scope="module")
def fleet() -> dict[str, list[Answer]]:
    return run_fleet(TASKS)


def verdict(task: Task, one: Answer, other: Answer) -> object:
    comparison = comparison_for(TaskKind(task.kind), np.dtype(task.dtype))
    assert isinstance(comparison, Close)
    a, b = Sketch.from_bytes(one.sketch), Sketch.from_bytes(other.sketch)
    return agree(a, b, comparison.tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_honest_answers_are_told_apart(kind: str, fleet: dict[str, list[Answer]]) -> None:
    for i, task in enumerate(TASKS):
        if task.kind == kind:
            for one, other in itertools.combinations(VARIANTS, 2):
                found = verdict(task, fleet[one][i], fleet[other][i])
                assert isinstance(found, Agrees), (task, one, other, found)


def test_the_fleet_is_mixed(fleet: dict[str, list[Answer]]) -> None:
    differing = {
        task.kind
        for i, task in enumerate(TASKS)
        if len({answers[i].digest for answers in fleet.values()}) > 1
    }
    # Which of the others differ depends on the processor this runs on.
    assert differing >= {"matmul", "solve"}


def test_answers_to_two_tasks_of_a_kind_never_agree(fleet: dict[str, list[Answer]]) -> None:
    answers = fleet["native"]
    step = len(KINDS) * len(DTYPES)
    pairs = [(TASKS[i], answers[i], answers[i + step]) for i in range(len(TASKS) - step)]
    assert all(isinstance(verdict(*pair), Differs) for pair in pairs)


@pytest.mark.parametrize("cheat", CHEATS)
@pytest.mark.parametrize(
    ("kind", "honest"), [pytest.param(k, h, id=f"{k}-{h.dtype}") for k, h in blocks()]
)
def test_a_cheat_in_a_block_is_caught(kind: str, honest: np.ndarray, cheat: object) -> None:
    comparison = comparison_for(TaskKind(kind), honest.dtype, terms=1000)
    assert isinstance(comparison, Close)
    for number in range(3):
        seed = number.to_bytes(32, "big")
        wrong = cheat(honest, number)  # type: ignore[operator]
        found = agree(sketch(honest, seed), sketch(wrong, seed), comparison.tolerance)
        assert isinstance(found, Differs)
