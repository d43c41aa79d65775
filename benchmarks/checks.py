"""What verification without a second attempt costs, and whether it errs on either side.

    task, commitment, sketch, check ──timed in turns──► shares
    mixed fleet of real processes ──sketches compared──► honest pairs rejected
    cheats of several kinds ──sketch, algebraic check──► cheats missed

Figures
-------
commit_cost_share
    Encoding, BLAKE3 and sketch of a 1000 x 1000 float64 block over the matmul that made it; one
    BLAS thread, as in a provider's slot. Shortest times of many; the matmul's by its CPU time, as
    a busy machine never leaves it alone for 40 ms, while BLAKE3 may use another core.
commit_cpu_share
    The same in CPU time of all threads.
commit_gb_per_s
    Bytes of that block over the time of all three.
sketch_cost_share
    The sketch alone.
freivalds_cost_share
    Check over product at n = 2000.
NAME_cost_share
    The other algebraic checks over their tasks, at sizes where each applies.
honest_rejected
    Tasks of which any two honest answers of the fleet were told apart.
honest_tasks, honest_bits_differ
    How many there were, and share of them whose answers were not all the same bits.
honest_used_max
    Largest honest difference over the tolerance.
cheats_missed, cheats
    A float16 shortcut, 1 % of the elements zeroed, and one element (of at least half the root mean
    square) off by 1 %, in results of tasks of either precision, compared by sketch with a seed
    each; and the same in factors and sorted arrays, which their checks must fail.
"""

from __future__ import annotations

import itertools
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import finish, median_ratio, parse_options, say
from fleet import VARIANTS, run_fleet, tasks

from eco_dask.checks import Call, Failed, Passed, checker_of
from eco_dask.sketches import sketch, sketch_encoded
from eco_dask.types import TaskKind
from eco_dask.values import encode
from eco_dask.verification.compare import Agrees, agree
from eco_dask.verification.sketch import Sketch
from eco_dask.verification.tolerance import Close, comparison_for

GOALS = {
    "commit_cost_share": "<= 0.05",
    "commit_gb_per_s": ">= 1",
    "freivalds_cost_share": "<= 0.05",
    "honest_rejected": "<= 0",
    "honest_tasks": ">= 2000",
    "cheats_missed": "<= 0",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    rounds: int
    honest_tasks: int
    seeds: int


FULL = Sizes(rounds=9, honest_tasks=2600, seeds=20)
QUICK = Sizes(rounds=5, honest_tasks=2002, seeds=3)


#: Of one thread, which all that is timed with it runs in: neighbours do not count.
CPU = time.process_time


def best_s(
    run: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the shortest of some runs: a neighbour only ever adds to it."""
    elapsed_s = []
    for _ in range(times):
        started_s = clock()
        run()
        elapsed_s.append(clock() - started_s)
    return min(elapsed_s)


# ---------------------------------------------------------------------- costs


def measure_commitment(sizes: Sizes) -> dict[str, float]:
    """Compare committing to a block with computing it."""
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 1000, 1000))
    block = a @ b

    def commit() -> object:
        encoded = encode(block)
        return encoded.digest, sketch_encoded(encoded, bytes(32))

    encoded = encode(block)
    products_s, commits_s, commits_cpu_s, sketches_s = [], [], [], []
    for _ in range(sizes.rounds):
        products_s.append(best_s(lambda: a @ b, 5, CPU))
        commits_s.append(best_s(commit, 20))
        commits_cpu_s.append(best_s(commit, 20, CPU))
        sketches_s.append(best_s(lambda: sketch_encoded(encoded, bytes(32)), 20))
        say(f"matmul {products_s[-1] * 1e3:.1f} ms, commitment {commits_s[-1] * 1e3:.2f} ms")
    return {
        "commit_cost_share": min(commits_s) / min(products_s),
        "commit_cpu_share": min(commits_cpu_s) / min(products_s),
        "commit_gb_per_s": block.nbytes / 1e9 / statistics.median(commits_s),
        "sketch_cost_share": min(sketches_s) / min(products_s),
    }


def checked_calls() -> dict[str, tuple[Callable[..., Any], Call]]:
    """Return a call of every function that has a check, large enough for it."""
    generator = np.random.default_rng(1)
    a, b = generator.standard_normal((2, 2000, 2000))
    small = a[:600, :600].copy()
    single, other = a.astype(np.float32), b.astype(np.float32)
    definite = a @ a.T / 2000 + np.eye(2000)
    return {
        "freivalds": (np.matmul, Call((a, b))),
        "freivalds_f32": (np.matmul, Call((single, other))),
        "solve": (np.linalg.solve, Call((a, b[0]))),
        "qr": (np.linalg.qr, Call((small,))),
        "svd": (np.linalg.svd, Call((small,), {"full_matrices": False})),
        "cholesky": (np.linalg.cholesky, Call((definite,))),
        "eigh": (np.linalg.eigh, Call((definite[:600, :600].copy(),))),
        "fft_rows": (np.fft.fft, Call((a,))),
        "fft_long": (np.fft.fft, Call((a.ravel()[: 1 << 21],))),
        "sort": (np.sort, Call((a.ravel(),))),
    }


def measure_checks(sizes: Sizes) -> dict[str, float]:
    """Compare every check with its task, and let it judge right and wrong answers."""
    figures: dict[str, float] = {}
    missed = tried = 0
    for name, (function, call) in checked_calls().items():
        checker = checker_of(function)
        if checker is None:
            raise RuntimeError(f"{name} has no check")
        pairs = []
        for _ in range(max(2, sizes.rounds // 3)):
            answer = function(*call.args, **call.kwargs)
            task_s = best_s(lambda f=function, c=call: f(*c.args, **c.kwargs), 1, CPU)
            check_s = best_s(lambda k=checker, c=call, o=answer: k(c, o, bytes(32)), 3, CPU)
            pairs.append((check_s, task_s))
        figures[f"{name}_cost_share"] = median_ratio(pairs)
        for number in range(sizes.seeds):
            seed = number.to_bytes(32, "little")
            if not isinstance(checker(call, answer, seed), Passed):
                raise TypeError(f"{name}: an honest answer did not pass its check")
            # One wrong number of a long transform is found with a chance of 1 in 32 only.
            for cheat in CHEATS if name != "fft_long" else (zero_some,):
                tried += 1
                missed += not isinstance(
                    checker(call, cheated(answer, cheat, number), seed), Failed
                )
        say(f"check of {name}: {figures[f'{name}_cost_share']:.1%} of the task; {missed} missed")
    return {**figures, "check_cheats_missed": missed, "check_cheats": tried}


# ---------------------------------------------------------------------- honest answers


def measure_honesty(sizes: Sizes) -> dict[str, float]:
    """Compare all pairs of answers of a mixed fleet."""
    given = tasks(sizes.honest_tasks)
    say(f"{len(given)} tasks on a fleet of {', '.join(VARIANTS)}")
    answers = run_fleet(given)
    rejected = differing = 0
    used = 0.0
    for i, task in enumerate(given):
        comparison = comparison_for(TaskKind(task.kind), np.dtype(task.dtype))
        mine = [fleet[i] for fleet in answers.values()]
        differing += len({answer.digest for answer in mine}) > 1
        if not isinstance(comparison, Close):
            rejected += len({answer.digest for answer in mine}) > 1
            continue
        sketches = [Sketch.from_bytes(answer.sketch) for answer in mine]
        verdicts = [
            agree(a, b, comparison.tolerance) for a, b in itertools.combinations(sketches, 2)
        ]
        used = max(used, *(v.used for v in verdicts if isinstance(v, Agrees)))
        refused = [v for v in verdicts if not isinstance(v, Agrees)]
        if refused:
            rejected += 1
            say(f"{task} was rejected: {refused[0]}")
    return {
        "honest_rejected": rejected,
        "honest_tasks": len(given),
        "honest_bits_differ": differing / len(given),
        "honest_used_max": used,
    }


# ---------------------------------------------------------------------- cheats


def shorten(answer: Any, seed: int) -> Any:
    """Compute in half precision, as far as a result shows it."""
    del seed
    if answer.dtype.kind == "c":
        return (answer.real.astype("f2") + 1j * answer.imag.astype("f2")).astype(answer.dtype)
    return answer.astype(np.float16).astype(answer.dtype)


def zero_some(answer: Any, seed: int) -> Any:
    """Leave 1 % out."""
    chosen = np.random.default_rng([seed, 1]).random(answer.shape) < 0.01
    return np.where(chosen, 0, answer).astype(answer.dtype)


def bend_one(answer: Any, seed: int) -> Any:
    """Change one element of some size by 1 %."""
    generator = np.random.default_rng([seed, 2])
    enough = np.sqrt(np.mean(np.abs(answer) ** 2)) / 2
    changed = answer.copy().reshape(-1)
    while True:
        i = generator.integers(changed.size)
        if abs(changed[i]) >= enough:
            changed[i] *= 1.01
            return changed.reshape(answer.shape)


CHEATS = (shorten, zero_some, bend_one)


def cheated(answer: Any, cheat: Callable[[Any, int], Any], seed: int) -> Any:
    """Apply a cheat to an array, or to the first of several."""
    if isinstance(answer, tuple):
        return (cheat(answer[0], seed), *answer[1:])
    return cheat(answer, seed)


def blocks() -> Iterator[tuple[str, Any]]:
    """Yield results of tasks, 1000 x 1000, in single and double precision."""
    generator = np.random.default_rng(2)
    for dtype in (np.float32, np.float64):
        a, b = generator.standard_normal((2, 1000, 1000)).astype(dtype)
        yield "matmul", a @ b
        yield "exp", np.exp(a)
        yield "fft", np.fft.fft(a)
        if dtype is np.float64:
            yield "solve", np.linalg.solve(a + 60 * np.eye(1000), b)
            yield "svd", np.linalg.svd(a[:, :300], full_matrices=False)[0]
        yield "mean", np.mean(a.reshape(-1, 4) ** 2, axis=1)


def measure_cheats(sizes: Sizes) -> dict[str, float]:
    """Compare honest results with results of cheats."""
    missed = tried = 0
    for kind, honest in blocks():
        comparison = comparison_for(TaskKind(kind), honest.dtype, terms=1000)
        if not isinstance(comparison, Close):
            raise TypeError(f"{kind} is compared exactly; its cheats are no question")
        for number in range(sizes.seeds):
            seed = number.to_bytes(32, "little")
            right = sketch(honest, seed)
            for cheat in CHEATS:
                tried += 1
                wrong = sketch(cheat(honest, number), seed)
                if isinstance(agree(right, wrong, comparison.tolerance), Agrees):
                    missed += 1
                    say(f"missed: {cheat.__name__} in {kind} of {honest.dtype}")
        say(f"cheats in {kind} of {honest.dtype}: {missed} of {tried} missed so far")
    return {"sketch_cheats_missed": missed, "sketch_cheats": tried}


def main() -> None:
    """Measure everything and print the figures."""
    sizes = QUICK if parse_options(__doc__).quick else FULL
    figures: dict[str, float] = {}
    for measure in (measure_commitment, measure_checks, measure_honesty, measure_cheats):
        figures |= measure(sizes)
    for name in ("cheats_missed", "cheats"):
        figures[name] = figures.pop(f"check_{name}") + figures.pop(f"sketch_{name}")
    finish("checks", figures)


if __name__ == "__main__":
    main()
