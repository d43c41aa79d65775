"""Whatever numbers a recruiter computes with, what numpy itself returns never fails its check."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eco_dask.checks import Call, Failed, Passed, checker_of

SEED = bytes(range(32))
GENERATOR = np.random.default_rng(3)
N = 405
A, B = GENERATOR.standard_normal((2, N, N))
TALL, ROW = GENERATOR.standard_normal((410, 401)), GENERATOR.standard_normal(1 << 15)
DEFINITE = np.kron(np.eye(2), A @ A.T / N + np.eye(N))

CALLS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...], dict[str, Any]]] = {
    "matmul": (np.matmul, (A, B), {}),
    "tensordot": (np.tensordot, (A, B), {"axes": ((0,), (1,))}),
    "solve": (np.linalg.solve, (A, B), {}),
    "solve for one": (np.linalg.solve, (A, B[0].copy()), {}),
    "inv": (np.linalg.inv, (A,), {}),
    "lstsq": (np.linalg.lstsq, (TALL, TALL[:, 0] + 1), {}),
    "lstsq for many": (np.linalg.lstsq, (TALL, TALL[:, :3] + 1), {}),
    "qr": (np.linalg.qr, (TALL,), {}),
    "svd": (np.linalg.svd, (TALL[:, :210],), {"full_matrices": False}),
    "cholesky": (np.linalg.cholesky, (DEFINITE,), {}),
    "eigh": (np.linalg.eigh, (DEFINITE[:N, :N],), {}),
    "fft": (np.fft.fft, (A,), {}),
    "fft of one long row": (np.fft.fft, (ROW,), {}),
    "rfft of columns": (np.fft.rfft, (A,), {"axis": 0}),
    "ifft": (np.fft.ifft, (A,), {"norm": "ortho"}),
    "sort": (np.sort, (A,), {}),
}


def with_one(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def put(a: np.ndarray) -> np.ndarray:
        changed = a.copy()
        changed.flat[7] = value
        return changed

    return put


def of_rank_three(a: np.ndarray) -> np.ndarray:
    return a[:, :3] @ a[:3] if a.ndim == 2 else a


def of_any_size(a: np.ndarray) -> np.ndarray:
    return a * 10.0 ** GENERATOR.uniform(-8, 8, a.shape)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda a: a,
    "by columns": np.asfortranarray,
    "backwards": lambda a: a[::-1],
    "of the other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "in single precision": lambda a: a.astype("f4"),
    "in half precision": lambda a: a.astype("f2"),
    "in long double": lambda a: a.astype("g"),
    "complex": lambda a: a * (1 + 0.5j),
    "complex in single precision": lambda a: (a * (1 + 0.5j)).astype("c8"),
    "integers": lambda a: (a * 10).astype("i8"),
    "truths": lambda a: a > 0,
    "near overflow": lambda a: a * 1e300,
    "large": lambda a: a * 1e150,
    "rather large": lambda a: a * 1e60,
    "small": lambda a: a * 1e-160,
    "rather small": lambda a: a * 1e-60,
    "not normal": lambda a: a * 1e-310,
    "large in single precision": lambda a: (a * 1e30).astype("f4"),
    "not normal in single precision": lambda a: (a * 1e-38).astype("f4"),
    "with NaN": with_one(np.nan),
    "with infinity": with_one(np.inf),
    "zero": np.zeros_like,
    "negative zero": lambda a: a * -0.0,
    "all the same": np.ones_like,
    "of rank three": of_rank_three,
    "of any size": of_any_size,
    "none": lambda a: a[:0],
    "one": lambda a: a[(slice(1),) * a.ndim],
}


def judged(name: str, kind: str, which: int | None) -> object:
    function, arrays, options = CALLS[name]
    args = tuple(KINDS[kind](a) if which in (None, i) else a for i, a in enumerate(arrays))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            answer = function(*args, **options)
        except (ValueError, TypeError, np.linalg.LinAlgError) as refusal:
            return refusal
        checker = checker_of(function)
        assert checker is not None
        return checker(Call(args, options), answer, SEED)


@pytest.mark.parametrize("name", CALLS)
def test_what_numpy_returns_never_fails(name: str) -> None:
    several = len(CALLS[name][1]) > 1
    verdicts = {
        (kind, which): judged(name, kind, which)
        for kind in KINDS
        for which in ((None, 0) if several else (None,))
    }
    assert not {where: v for where, v in verdicts.items() if isinstance(v, Failed)}
    assert isinstance(verdicts["as they are", None], Passed)


#: No such task, no Hermitian matrix any more, or sums of real numbers only.
NOT_JUDGED = {
    (name, "complex")
    for name in ("sort", "rfft of columns", "cholesky", "eigh", "fft of one long row")
}
JUDGED = [
    (name, kind)
    for name in CALLS
    for kind in ("by columns", "rather large", "rather small", "complex")
    if (name, kind) not in NOT_JUDGED
]


@pytest.mark.parametrize(("name", "kind"), JUDGED)
def test_ordinary_numbers_are_judged(name: str, kind: str) -> None:
    assert isinstance(judged(name, kind, None), Passed)
