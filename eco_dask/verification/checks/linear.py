"""What the checks share: arrays times random vectors in float64, in blocks, and how to judge.

difference, what rounding explains ──judged──► Passed | Failed
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eco_dask.verification.checks.verdict import CheckVerdict, Failed, NotApplicable, Passed

Array = npt.NDArray[Any]

#: Numbers that are converted to float64 at a time: 512 KB stay in the processor's cache.
_BLOCK = 1 << 16
#: A uniform random vector hides an error of m times the threshold with a chance of at most 0.82/m
#: (see ``verification.projections``); stated for m = 10. Two of them rarely both do.
ONE_VECTOR = 1 - 0.082
TWO_VECTORS = 1 - 0.082**2
_SAFETY = 2.0
#: Norms whose squares, and products of two, are numbers of full precision.
_NORM_MIN, _NORM_MAX = 1e-70, 1e70
#: Epsilon of double precision, in which checks are computed.
DOUBLE = float(np.finfo(np.float64).eps)


def is_floating(*arrays: Any) -> bool:
    """Whether all are numpy arrays of floats or complex numbers of numpy's usual sizes.

    In this machine's byte order: functions return that, whatever order their input has.
    """
    return all(
        isinstance(a, np.ndarray) and a.dtype.char in "fdFD" and a.dtype.isnative for a in arrays
    )


def matrix(value: Any) -> Array | None:
    """Return a value that is one floating matrix, else None."""
    return value if is_floating(value) and value.ndim == 2 else None  # noqa: PLR2004  a matrix


def unit(*arrays: Array) -> float:
    """Return the machine epsilon of the least precise array."""
    return max(float(np.finfo(a.dtype).eps) for a in arrays)


def own_rounding(n: int) -> float:
    """Return what a check's own sums of ``n`` terms round, over their size."""
    return 5 * DOUBLE * float(np.sqrt(max(n, 1)))


def times(a: Array, v: Array) -> Array:
    """Return ``a @ v`` in double precision for a matrix and a vector, without a copy of ``a``."""
    if a.dtype.char in "dD" and (a.dtype.char == "D" or v.dtype.char == "d"):
        product: Array = a @ v
        return product
    if a.flags.c_contiguous or not a.T.flags.c_contiguous:
        return scan(a, v)[0]
    total = np.zeros(a.shape[0], np.result_type(a.dtype, v.dtype, np.float64))
    step = _step(a.shape[0])
    for i in range(0, a.shape[1], step):
        total += _wide(a[:, i : i + step]) @ v[i : i + step]
    return total


def scan(a: Array, v: Array) -> tuple[Array, Array]:
    """Return ``a @ v`` and the norm of every row of a matrix, in double precision, in one pass.

    ``v`` is a vector, or a few as columns, which cost little more: reading ``a`` takes the time.
    """
    product = np.empty((len(a), *v.shape[1:]), np.result_type(a.dtype, v.dtype, np.float64))
    norms = np.empty(len(a))
    step = _step(a.shape[1])
    for i in range(0, len(a), step):
        block = _wide(a[i : i + step])
        np.matmul(block, v, out=product[i : i + step])
        norms[i : i + step] = np.einsum("ij,ij->i", block, block.conj()).real
    return product, np.sqrt(norms)


def _wide(block: Array) -> Array:
    return block.astype(np.result_type(block.dtype, np.float64), copy=False)


def _step(length: int) -> int:
    return max(1, _BLOCK // max(1, length))


def norm(a: Array) -> float:
    """Return the norm of all numbers of an array, in double precision.

    NaN if it is so large or small that squares and products on the way may overflow or vanish:
    nothing can be said of such numbers.
    """
    if a.dtype.char in "dD":
        found = float(np.linalg.norm(a))
    else:
        flat = a.reshape(-1)
        blocks = (_wide(flat[i : i + _BLOCK]) for i in range(0, flat.size, _BLOCK))
        found = float(np.sqrt(sum(float(np.vdot(block, block).real) for block in blocks)))
    return found if found == 0 or _NORM_MIN <= found <= _NORM_MAX else float("nan")


def judged(what: str, error: Array | float, explained: Array | float, power: float) -> CheckVerdict:
    """Compare an error, per row or in all, with what rounding explains.

    Parameters
    ----------
    what : str
        What should be equal, for the reason.
    error, explained : numpy.ndarray or float
        Sizes; where ``explained`` is infinite or NaN nothing fails.
    power : float
        As of :class:`Passed`.
    """
    wrong = ~(np.asarray(error) <= _SAFETY * np.asarray(explained)) & np.isfinite(explained)
    if not wrong.any():
        return Passed(power)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.asarray(error) / np.asarray(explained)
    ratio = np.nan_to_num(ratios, nan=np.inf, posinf=np.inf)[wrong].max()
    return Failed(f"{what}: off by {ratio:.3g} times what rounding explains, or not finite")


def judged_finite(
    what: str, error: float, explained: float, power: float = ONE_VECTOR
) -> CheckVerdict:
    """Compare norms as :func:`judged` does; say nothing where the numbers are not finite."""
    if not np.isfinite(explained):
        return NotApplicable(f"{what}: NaN, infinities or numbers near overflow")
    return judged(what, error, explained, power)


def worst(*verdicts: CheckVerdict) -> CheckVerdict:
    """Join checks that an answer must pass all of; each catches errors of its own kind."""
    passed = [v for v in verdicts if isinstance(v, Passed)]
    failed = [v for v in verdicts if isinstance(v, Failed)]
    silent = [v for v in verdicts if isinstance(v, NotApplicable)]
    return (failed or silent or [min(passed, key=lambda v: v.power)])[0]
