"""Residuals: a solution is put back into its equation, times a random vector if there are many.

A X = B ──► |A (X r) - B r|  <=  c eps (|A| |X| + |B|), the backward error

Says nothing of the forward error, which an ill-conditioned system leaves open to anybody.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eco_dask.verification.checks.linear import (
    ONE_VECTOR,
    Array,
    is_floating,
    judged_finite,
    matrix,
    norm,
    own_rounding,
    times,
    unit,
    worst,
)
from eco_dask.verification.checks.verdict import Call, CheckVerdict, Failed, NotApplicable
from eco_dask.verification.uniform import uniform

#: Order of a system from which the check costs at most a tenth of solving it.
_ORDER_MIN = 400
#: Backward error of a solver in units of eps, of systems of random numbers; margin 2 in ``judged``.
#: Honest maximum in single precision 0.03.
_ROUNDING = 0.25


def check_solve(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.solve`` of one system with one or many right-hand sides."""
    if len(call.args) != 2 or call.kwargs or not is_floating(*call.args):  # noqa: PLR2004  A and b
        return NotApplicable("no system of floating numbers")
    a, b = call.args
    if a.ndim != 2 or b.ndim not in {1, 2} or len(a) < _ORDER_MIN:  # noqa: PLR2004  a matrix
        return NotApplicable("no single system, or one so small that its check costs as much")
    return _residual(a, b, output, seed)


def check_inv(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.inv`` of one matrix."""
    a = matrix(call.args[0]) if len(call.args) == 1 and not call.kwargs else None
    if a is None or len(a) < _ORDER_MIN:
        return NotApplicable("no single floating matrix, or a small one")
    if matrix(output) is None or output.shape != a.shape or output.dtype != a.dtype:
        return Failed(f"the inverse has shape {a.shape} and dtype {a.dtype}")
    r = uniform(seed, b"inverse", len(a))
    error = float(np.linalg.norm(times(a, times(output, r)) - r))
    # Not backward stable like a solution: each column is, and columns add up.
    explained = _rounding(a) * norm(a) * norm(output)
    return judged_finite("A (X r) = r", error, explained)


def check_lstsq(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.lstsq``: the solution, the residuals, the norm of singular values.

    Nothing else is known of the singular values and the rank that depends on them, so the power is
    stated for the solution.
    """
    given = call.args[:2]
    if len(given) != 2 or not is_floating(*given) or given[0].ndim != 2:  # noqa: PLR2004  A and b
        return NotApplicable("no floating system")
    a, b = given
    if min(a.shape) < _ORDER_MIN or a.shape[0] < a.shape[1]:
        return NotApplicable("not overdetermined, or so small that its check costs as much")
    if not isinstance(output, tuple | list) or len(output) != 4:  # noqa: PLR2004  as numpy returns it
        return Failed("lstsq gives solution, residuals, rank and singular values")
    x, _, rank, singular = output
    if not is_floating(x, singular) or x.shape != (a.shape[1], *b.shape[1:]):
        return Failed(f"the solution has shape {(a.shape[1], *b.shape[1:])}")
    if rank != a.shape[1]:
        return NotApplicable("a rank that is not full leaves many solutions")
    x_r, b_r = _columns_times(x, b, seed)
    residual = times(a, x_r) - b_r
    size = norm(a) * (norm(a) * norm(x) + norm(b))
    error = float(np.linalg.norm(times(a.conj().T, residual)))
    return worst(
        judged_finite("A* (A x - b) = 0", error, _rounding(a) * size),
        judged_finite(
            "singular values", abs(norm(singular) - norm(a)), 8 * unit(a) * norm(a), ONE_VECTOR
        ),
    )


def _residual(a: Array, b: Array, output: Any, seed: bytes) -> CheckVerdict:
    expected = np.result_type(a.dtype, b.dtype)
    if not is_floating(output) or output.shape != b.shape or output.dtype != expected:
        return Failed(f"the solution has shape {b.shape} and dtype {expected}")
    x_r, b_r = _columns_times(output, b, seed)
    error = float(np.linalg.norm(times(a, x_r) - b_r))
    explained = _rounding(output) * (norm(a) * norm(output) + norm(b))
    return judged_finite("A (X r) = B r", error, explained, 1.0 if b.ndim == 1 else ONE_VECTOR)


def _rounding(a: Array) -> float:
    return _ROUNDING * unit(a) + own_rounding(len(a))


def _columns_times(x: Array, b: Array, seed: bytes) -> tuple[Array, Array]:
    """Return solution and right-hand side as one column each."""
    if b.ndim == 1:
        # Each in its own kind: a complex system has a complex solution for real numbers, too.
        wide = [v.astype(np.result_type(v.dtype, np.float64)) for v in (x, b)]
        return wide[0], wide[1]
    r = uniform(seed, b"columns", b.shape[1])
    return times(x, r), times(b, r)
