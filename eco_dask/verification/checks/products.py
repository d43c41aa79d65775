"""Freivalds' check of a matrix product: A (B r) against C r, for two random vectors r.

R. Freivalds, "Probabilistic machines can use less running time", IFIP Congress 1977. In floating
point each row is held against its own rounding, which finds single wrong elements in float32 that
drown in a norm over all rows::

    |A (B r) - C r|_i  <=  2 (0.35 eps |A_i| |B|_F + 0.45 sqrt(k) eps |C_i|)

The first term is for terms that cancel (random signs: honest maximum 0.5 eps |A_i| |B|_F at inner
lengths k of 250 to 1,000), the second for terms that add up (positive matrices: 5 eps). In double
precision the check rounds as much as the product, which the second term allows for.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from eco_dask.verification.checks.linear import (
    DOUBLE,
    TWO_VECTORS,
    Array,
    is_floating,
    judged,
    scan,
    unit,
)
from eco_dask.verification.checks.verdict import Call, CheckVerdict, Failed, NotApplicable
from eco_dask.verification.uniform import uniform

#: Largest 1/m + 1/k + 1/n at which the check costs at most a tenth of the product, in double and
#: in single precision, whose products are twice as fast and whose numbers must be converted.
_THINNESS_MAX = {True: 0.012, False: 0.004}
#: See the module; the margin of 2 is in ``judged``.
_CANCELLING = 0.35
_ADDING = 0.45
_OWN_ROUNDING = 0.6


def check_matmul(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.matmul`` or ``numpy.dot`` of two matrices."""
    if len(call.args) != 2 or call.kwargs or not is_floating(*call.args):  # noqa: PLR2004  A and B
        return NotApplicable("no product of two floating matrices")
    a, b = call.args
    if a.ndim != 2 or b.ndim != 2:  # noqa: PLR2004  matrices
        return NotApplicable("no product of two matrices")
    if a.shape[1] != b.shape[0]:
        return NotApplicable("the matrices do not fit together")
    return _freivalds(a, b, output, (a.shape[0], b.shape[1]), seed)


def check_tensordot(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.tensordot``, as a product of matrices."""
    axes = call.kwargs.get("axes", call.args[2] if len(call.args) > 2 else 2)  # noqa: PLR2004  A, B, axes
    if len(call.args) < 2 or set(call.kwargs) - {"axes"} or not is_floating(*call.args[:2]):  # noqa: PLR2004  A and B
        return NotApplicable("no contraction of two floating arrays")
    a, b = call.args[:2]
    if isinstance(axes, int):
        axes = range(a.ndim - axes, a.ndim), range(axes)
    ours, theirs = ([i] if isinstance(i, int) else list(i) for i in axes)
    ours, theirs = [i % a.ndim for i in ours], [i % b.ndim for i in theirs]
    free = [i for i in range(a.ndim) if i not in ours]
    others = [i for i in range(b.ndim) if i not in theirs]
    shape = (*(a.shape[i] for i in free), *(b.shape[i] for i in others))
    inner = prod(a.shape[i] for i in ours)
    left = a.transpose(*free, *ours).reshape(-1, inner) if a.size else a.reshape(0, 0)
    right = b.transpose(*theirs, *others).reshape(inner, -1) if b.size else b.reshape(0, 0)
    return _freivalds(left, right, output, shape, seed)


def _freivalds(
    a: Array, b: Array, output: Any, shape: tuple[int, ...], seed: bytes
) -> CheckVerdict:
    expected = np.result_type(a.dtype, b.dtype)
    thinness_max = _THINNESS_MAX[expected.char in "dD"]
    if 0 in a.shape or 0 in b.shape or sum(1 / n for n in (*a.shape, b.shape[1])) > thinness_max:
        return NotApplicable("a product this thin costs little more than its check")
    if not is_floating(output) or output.shape != shape or output.dtype != expected:
        return Failed(f"the product has shape {shape} and dtype {expected}")
    r = uniform(seed, b"freivalds", 2 * b.shape[1]).reshape(-1, 2)
    with np.errstate(invalid="ignore", over="ignore"):
        inner, b_norms = scan(b, r)
        left, a_norms = scan(a, inner)
        right, c_norms = scan(output.reshape(len(a), -1), r)
        error = np.abs(left - right)
        most = a_norms * float(np.linalg.norm(b_norms))
        adding = b.shape[0] ** 0.5 * (_ADDING * unit(output) + _OWN_ROUNDING * DOUBLE)
        # Cauchy-Schwarz: an overstated C buys no tolerance, nor does one of NaN.
        explained = _CANCELLING * unit(output) * most + adding * np.fmin(c_norms, most)
        if not np.isfinite(inner).all() or not (explained < np.finfo(output.dtype).max).all():
            return NotApplicable("the matrices hold NaN, infinities or numbers near overflow")
    tiny = float(np.finfo(output.dtype).tiny) * b.shape[1]
    return judged("A (B r) = C r", error, (explained + tiny)[:, np.newaxis], TWO_VECTORS)
