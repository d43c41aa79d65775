"""A mixed fleet on one machine: the same tasks on other processors' kernels and thread counts.

    python fleet.py < tasks ──one process per variant──► digest and sketch of every answer

The variables are read when numpy is loaded, hence a process each. Inputs come from uniform numbers
alone, which are the same bits everywhere.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What makes honest providers differ; see the shared table of effects in ``docs``.
VARIANTS: dict[str, dict[str, str]] = {
    "native": {"OPENBLAS_NUM_THREADS": "1"},
    "haswell": {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"},
    "haswell-2": {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"},
    "prescott-2": {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "2"},
    "prescott-plain": {
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENBLAS_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    },
}
_VARIABLES = {name for variant in VARIANTS.values() for name in variant}
DTYPES = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class Task:
    """One computation, the same for every provider."""

    kind: str
    dtype: str
    number: int

    @property
    def seed(self) -> bytes:
        """What the gateway would reveal after the commitments."""
        return self.number.to_bytes(32, "little")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider gives of its result."""

    digest: bytes
    sketch: bytes


def tasks(n: int, kinds: Sequence[str] = ()) -> list[Task]:
    """Return ``n`` tasks, kinds and precisions in turn."""
    every = [(kind, dtype) for kind in kinds or KINDS for dtype in DTYPES]
    return [Task(*every[i % len(every)], number=i) for i in range(n)]


def run_fleet(given: Sequence[Task]) -> dict[str, list[Answer]]:
    """Return every variant's answers, by one process after the other."""
    return {name: _run_variant(variant, given) for name, variant in VARIANTS.items()}


def _run_variant(variant: dict[str, str], given: Sequence[Task]) -> list[Answer]:
    environment = {k: v for k, v in os.environ.items() if k not in _VARIABLES} | variant
    lines = "".join(f"{t.kind} {t.dtype} {t.number}\n" for t in given)
    out = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input=lines.encode(),
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
    ).stdout
    answers, at = [], 0
    while at < len(out):
        (size,) = struct.unpack_from("<Q", out, at)
        at += 8 + size
        answers.append(Answer(out[at - size : at - size + 32], out[at - size + 32 : at]))
    if len(answers) != len(given):
        raise RuntimeError(f"{len(answers)} answers to {len(given)} tasks")
    return answers


# ---------------------------------------------------------------------- tasks


def numbers(task: Task, *shape: int, which: int = 0) -> Any:
    """Return input, uniform with mean 0 and variance 1."""
    import numpy as np

    generator = np.random.default_rng([task.number, which])
    return ((generator.random(shape) - 0.5) * 12**0.5).astype(task.dtype)


def compute(task: Task) -> Any:
    """Return the task's result."""
    return KINDS[task.kind](task, _order(task))


def _order(task: Task) -> int:
    return 48 + 29 * task.number % 160


def _matmul(task: Task, n: int) -> Any:
    a, b = numbers(task, n, 4 * n), numbers(task, 4 * n, n, which=1)
    return abs(a) @ abs(b) if task.number % 3 == 0 else a @ b


def _dot(task: Task, n: int) -> Any:
    return abs(numbers(task, 997 * n)) @ abs(numbers(task, 997 * n, which=1))


def _solve(task: Task, n: int) -> Any:
    import numpy as np

    a = numbers(task, n, n)
    if task.dtype == "float32":  # in single precision, honest answers to worse ones differ by more
        a += 2 * n**0.5 * np.eye(n, dtype=a.dtype)
    return np.linalg.solve(a, numbers(task, n, 7, which=1))


def _svd(task: Task, n: int) -> Any:
    import numpy as np

    return tuple(np.linalg.svd(numbers(task, n, n // 2), full_matrices=False))


def _qr(task: Task, n: int) -> Any:
    import numpy as np

    return tuple(np.linalg.qr(numbers(task, n, n // 2)))


def _cholesky(task: Task, n: int) -> Any:
    import numpy as np

    a = numbers(task, n, 2 * n)
    return np.linalg.cholesky(a @ a.T)


def _fft(task: Task, n: int) -> Any:
    import numpy as np

    return np.fft.fft(numbers(task, 12, 16 * n))


def _reduction(name: str) -> Callable[[Task, int], Any]:
    def reduce(task: Task, n: int) -> Any:
        import numpy as np

        axis = None if task.number % 2 else 1
        return getattr(np, name)(numbers(task, n, 301) ** 2, axis=axis)

    return reduce


def _elementwise(name: str) -> Callable[[Task, int], Any]:
    def apply(task: Task, n: int) -> Any:
        import numpy as np

        return getattr(np, name)(abs(numbers(task, n, 211)) + np.asarray(0.01, task.dtype))

    return apply


KINDS: dict[str, Callable[[Task, int], Any]] = {
    "matmul": _matmul,
    "solve": _solve,
    "svd": _svd,
    "exp": _elementwise("exp"),
    "fft": _fft,
    "sum": _reduction("sum"),
    "dot": _dot,
    "qr": _qr,
    "cholesky": _cholesky,
    "log": _elementwise("log"),
    "tanh": _elementwise("tanh"),
    "mean": _reduction("mean"),
    "std": _reduction("std"),
}


def main() -> None:
    """Answer the tasks on standard input."""
    from eco_dask.sketches import sketch_encoded
    from eco_dask.values import encode

    for line in sys.stdin:
        kind, dtype, number = line.split()
        task = Task(kind, dtype, int(number))
        encoded = encode(compute(task))
        body = encoded.digest + sketch_encoded(encoded, task.seed).to_bytes()
        sys.stdout.buffer.write(struct.pack("<Q", len(body)) + body)


if __name__ == "__main__":
    main()
