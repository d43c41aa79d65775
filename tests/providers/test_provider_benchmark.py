"""The benchmark: the same bits on every machine, and a cheat is caught where one looks."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eco_dask.types
from eco_dask.providers import benchmark
from eco_dask.providers.benchmark import (
    SCORE_MAX,
    SCORE_MIN,
    SIZE_MAX,
    audit_benchmark,
    run_benchmark,
    score,
)
from eco_dask.types import DIGEST_SIZE_BYTES

REPOSITORY = Path(eco_dask.types.__file__).parents[1]
SEED = b"\x07" * 32
#: What every machine, BLAS and numpy must answer for SEED, sizes 1, 16 and 100, step 0.
GOLDEN = {
    1: "0c844b8b72aaad39d5140105e8592a2920243108c79e1f366e0191455545f5f9",
    16: "13aa76c03cb0ff0f0a21f630758da7aba56e583643196a3f691c3debc9488927",
    100: "e17195360de02d0b2f43b95ea00e539943c3d883a2fbe778b6ffb9befc3375b8",
}
RUNNER = """
import time
from eco_dask.providers.benchmark import run_benchmark
run = run_benchmark(b"\\x07" * 32, 3, 300, time.perf_counter, time.process_time)
print(*(digest.hex() for digest in run.digests))
"""


def ticking(step_s: float):
    return itertools.count(0, step_s).__next__


def run(seed: bytes, steps: int, size: int) -> tuple[bytes, ...]:
    return run_benchmark(seed, steps, size, ticking(1.0), ticking(0.5)).digests


@pytest.mark.parametrize("size", GOLDEN)
def test_the_answer_never_changes(size: int) -> None:
    assert run(SEED, 1, size)[0].hex() == GOLDEN[size]


def digests_under(**variables: str) -> list[str]:
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | variables
    answer = subprocess.run(
        [sys.executable, "-c", RUNNER], env=env, check=True, capture_output=True, timeout=120
    )
    return answer.stdout.decode().split()


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    ],
    ids=str,
)
def test_every_kind_of_machine_gives_the_same_digests(variables: dict[str, str]) -> None:
    assert digests_under(**variables) == [digest.hex() for digest in run(SEED, 3, 300)]


@given(seed=st.binary(min_size=1, max_size=32), size=st.integers(1, 40), step=st.integers(0, 9))
def test_the_product_is_exact(seed: bytes, size: int, step: int) -> None:
    left, right = benchmark._draw(seed, size, step)
    exact = left.astype(np.int64) @ right.astype(np.int64)
    assert np.array_equal((left @ right).astype(np.int64), exact)
    assert max(np.abs(left).max(), np.abs(right).max()) <= 2**20


def test_no_sum_of_products_leaves_the_exact_integers() -> None:
    assert (2**20) ** 2 * SIZE_MAX < 2**53


def test_entries_fill_their_range_evenly() -> None:
    entries = benchmark._draw(SEED, 200, 0)
    assert entries.min() < -0.99 * 2**20
    assert entries.max() > 0.99 * 2**20
    assert abs(entries.mean()) < 0.02 * 2**20


@given(
    digests=st.just(run(SEED, 8, 6)),
    picks=st.sets(st.integers(0, 7), min_size=1),
    changed=st.integers(0, 7),
    bit=st.integers(0, 8 * DIGEST_SIZE_BYTES - 1),
)
def test_one_changed_digest_is_caught_exactly_when_picked(
    digests: tuple[bytes, ...], picks: set[int], changed: int, bit: int
) -> None:
    forged = list(digests)
    number = int.from_bytes(forged[changed], "big") ^ (1 << bit)
    forged[changed] = number.to_bytes(DIGEST_SIZE_BYTES, "big")
    assert audit_benchmark(SEED, 6, digests, picks)
    assert audit_benchmark(SEED, 6, forged, picks) == (changed not in picks)


@settings(max_examples=30)
@given(seed=st.binary(min_size=32, max_size=32), steps=st.integers(1, 5), size=st.integers(1, 30))
def test_an_honest_run_passes_every_audit(seed: bytes, steps: int, size: int) -> None:
    assert audit_benchmark(seed, size, run(seed, steps, size), range(steps))


@pytest.mark.parametrize(
    "digests",
    [
        (),
        run(SEED, 2, 6),
        run(SEED, 3, 7),
        run(b"\x08" * 32, 3, 6),
        run(SEED, 3, 6)[::-1],
        (run(SEED, 1, 6)[0],) * 3,
        tuple(digest[:31] for digest in run(SEED, 3, 6)),
        (b"",) * 3,
    ],
    ids=["none", "too few", "other size", "other seed", "other order", "repeated", "cut", "empty"],
)
def test_answers_to_another_question_are_caught(digests: tuple[bytes, ...]) -> None:
    assert not audit_benchmark(SEED, 6, digests, range(3))


def test_times_come_from_the_given_clocks() -> None:
    done = run_benchmark(SEED, 4, 5, ticking(3.0), ticking(0.25))
    assert (len(done.digests), done.elapsed_s, done.cpu_s) == (4, 3.0, 0.25)


@pytest.mark.parametrize(("steps", "size"), [(0, 5), (-1, 5), (1, 0), (1, -2), (1, SIZE_MAX + 1)])
def test_work_out_of_range_is_refused(steps: int, size: int) -> None:
    with pytest.raises(ValueError, match="need steps >= 1"):
        run(SEED, steps, size)


@pytest.mark.parametrize("picks", [[], [-1], [0, -2]])
def test_an_audit_of_nothing_is_refused(picks: list[int]) -> None:
    with pytest.raises(ValueError, match="pick at least one step"):
        audit_benchmark(SEED, 6, run(SEED, 2, 6), picks)


@pytest.mark.parametrize(
    ("size", "measured_step_s"), [(256, 1.81e-3), (384, 4.69e-3), (512, 9.24e-3), (1024, 53.9e-3)]
)
def test_the_reference_core_scores_about_one(size: int, measured_step_s: float) -> None:
    assert score(10, size, 10 * measured_step_s) == pytest.approx(1.0, rel=0.1)


@given(steps=st.integers(1, 50), size=st.integers(64, 1024), elapsed_s=st.floats(1e-9, 1e9))
def test_half_the_time_is_twice_the_score_within_the_clamp(
    steps: int, size: int, elapsed_s: float
) -> None:
    slow, fast = score(steps, size, elapsed_s), score(steps, size, elapsed_s / 2)
    assert SCORE_MIN <= slow <= fast <= SCORE_MAX
    if slow > SCORE_MIN and fast < SCORE_MAX:
        assert fast == pytest.approx(2 * slow)


@pytest.mark.parametrize("elapsed_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_score_needs_a_time(elapsed_s: float) -> None:
    with pytest.raises(ValueError, match="elapsed_s"):
        score(1, 5, elapsed_s)
