"""How fast a provider is, measured by work whose answer is the same on every machine.

Entries are integers so small that every sum of products is exact in float64. So the order in
which a BLAS adds them does not matter, and a digest of the result can be audited anywhere.

::

    (seed, k) --BLAKE3--> two matrices --BLAS--> exact product --integers--> digest
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from eco_dask.types import DIGEST_SIZE_BYTES, Digest

#: Largest matrix edge: 2**20 * 2**20 * 4096 = 2**52 is still exact in float64.
SIZE_MAX = 4096
#: Speed of the reference core (score 1.0): one thread of an AMD EPYC with AVX-512, numpy 2.4 with
#: OpenBLAS 0.3.31 (SkylakeX kernel), measured in CPU time. Frozen: work units depend on it.
REFERENCE_FLOPS_PER_S = 5.0e10
#: What that core needs to draw, convert and digest one element, in seconds. With both constants
#: its steps took 1.81, 4.69, 9.24 and 53.9 ms at sizes 256, 384, 512 and 1024 and so score 0.91 to
#: 1.09. Smaller matrices stay in its caches and score up to 1.6, so they measure something else.
REFERENCE_ELEMENT_S = 1.5e-8
#: Scores are clamped to this range; beyond it a measurement is a mistake or a lie.
SCORE_MIN, SCORE_MAX = 0.01, 100.0

_LABEL = b"eco_dask benchmark 1\x00"
_ENTRY_BITS = 21
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """What a provider answers; its times are claims, so the gateway bounds them by its own."""

    #: One per step.
    digests: tuple[Digest, ...]
    #: Wall clock time of all steps, in seconds.
    elapsed_s: float
    #: CPU time of all threads of the process, in seconds.
    cpu_s: float


def run_benchmark(
    seed: bytes,
    steps: int,
    size: int,
    clock: Callable[[], float],
    cpu_clock: Callable[[], float],
) -> BenchmarkRun:
    """Do ``steps`` steps on ``size`` x ``size`` matrices.

    Parameters
    ----------
    seed : bytes
        Drawn by the gateway for this provider, so that nobody has the answers beforehand.
    steps, size : int
        Amount of work; ``2 * size**3`` floating-point operations a step.
    clock, cpu_clock : Callable[[], float]
        Wall and CPU time in seconds, such as ``time.perf_counter`` and ``time.process_time``.

    Raises
    ------
    ValueError
        ``steps`` or ``size`` is out of range.
    """
    _check_work(steps, size)
    started_s, cpu_started_s = clock(), cpu_clock()
    digests = tuple(_step_digest(seed, size, step) for step in range(steps))
    return BenchmarkRun(digests, clock() - started_s, cpu_clock() - cpu_started_s)


def audit_benchmark(seed: bytes, size: int, digests: Sequence[bytes], picks: Iterable[int]) -> bool:
    """Tell whether the picked steps were done right, by doing only these again.

    Parameters
    ----------
    digests : Sequence[bytes]
        The provider's answer. A step that it lacks counts as wrong.
    picks : Iterable[int]
        Steps to check, drawn after the answer came in.

    Raises
    ------
    ValueError
        Nothing or a negative step is picked, or ``size`` is out of range.
    """
    picked = sorted(set(picks))
    if not picked or picked[0] < 0:
        raise ValueError(f"pick at least one step, counted from 0; got {picked}")
    _check_work(1, size)
    if picked[-1] >= len(digests):
        return False
    return all(digests[step] == _step_digest(seed, size, step) for step in picked)


def score(steps: int, size: int, elapsed_s: float) -> float:
    """Return the speed in reference cores: 2.0 does the same work in half the time.

    Raises
    ------
    ValueError
        ``elapsed_s`` is no positive time, or the work is out of range.
    """
    _check_work(steps, size)
    if not (math.isfinite(elapsed_s) and elapsed_s > 0):
        raise ValueError(f"elapsed_s must be positive and finite; got {elapsed_s}")
    reference_s = 2 * size**3 / REFERENCE_FLOPS_PER_S + size**2 * REFERENCE_ELEMENT_S
    return min(max(steps * reference_s / elapsed_s, SCORE_MIN), SCORE_MAX)


def _check_work(steps: int, size: int) -> None:
    if steps < 1 or not 1 <= size <= SIZE_MAX:
        raise ValueError(f"need steps >= 1 and 1 <= size <= {SIZE_MAX}; got {steps}, {size}")


def _step_digest(seed: bytes, size: int, step: int) -> Digest:
    left, right = _draw(seed, size, step)
    # As integers there is no negative zero, whose sign depends on the order of additions.
    product = (left @ right).astype("<i8")
    mixed = product.view("<u8")
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _ODD
    digest = blake3(product.tobytes())
    digest.update(np.bitwise_xor.reduce(mixed, axis=1).astype("<u8").tobytes())
    digest.update(np.add.reduce(mixed, axis=0, dtype=np.uint64).astype("<u8").tobytes())
    return Digest(digest.digest(length=DIGEST_SIZE_BYTES))


def _draw(seed: bytes, size: int, step: int) -> npt.NDArray[np.float64]:
    """Draw two matrices of integers in [-2**20, 2**20); shape (2, size, size)."""
    place = size.to_bytes(4, "little") + step.to_bytes(8, "little")
    # BLAKE3's own stream, because numpy may change its generators between versions.
    stream = blake3(_LABEL + place + seed).digest(length=4 * 2 * size * size)
    words = np.frombuffer(stream, dtype="<u4") >> np.uint32(32 - _ENTRY_BITS)
    return (words.astype(np.float64) - 2.0 ** (_ENTRY_BITS - 1)).reshape(2, size, size)
