"""Fourier transforms: Parseval's sum, and the transform of a random combination.

many rows x of one length    F (g . x) = g . (F x): one transform checks them all
one long row                 F x at every p-th place from a random one on, which is a transform
                             of length n / p of the row folded p times:
                             X[s + p k] = sum_b w^(s b) w_(n/p)^(k b) sum_a w^(s a n/p) x[a n/p + b]

Reading input and output once each is 10 to 15 % of numpy's own transform of many rows, which itself
hardly does more than that; it cannot be had for less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eco_dask.verification.checks.linear import (
    DOUBLE,
    ONE_VECTOR,
    Array,
    is_floating,
    judged_finite,
    norm,
    own_rounding,
    times,
    unit,
    worst,
)
from eco_dask.verification.checks.verdict import (
    Call,
    Checker,
    CheckVerdict,
    Failed,
    NotApplicable,
)
from eco_dask.verification.uniform import uniform

#: Rows from which one transform of their combination costs little.
_ROWS_MIN = 32
#: Shortest single row, and by what it may be folded.
_LENGTH_MIN = 1 << 14
_FOLDS = (32, 16, 24, 25, 27, 20, 49, 64)
#: Numbers looked at together, so that they stay in the processor's cache.
_BLOCK = 1 << 16
#: Rounding in units of eps sqrt(log2 n); with a margin of 2 in ``judged``.
#: Honest maximum in single precision 0.35.
_ROUNDING = 0.8


def fourier_checker(transform: Callable[..., Any], name: str) -> Checker:
    """Return the check of ``numpy.fft.fft`` or of one like it along one axis.

    Parameters
    ----------
    transform : callable
        The function itself.
    name : str
        ``"fft"``, ``"ifft"``, ``"rfft"`` or ``"irfft"``.
    """

    def check(call: Call, output: Any, seed: bytes) -> CheckVerdict:
        x: Any = call.args[0] if call.args else None
        if not is_floating(x) or len(call.args) > 1 or set(call.kwargs) - {"n", "axis", "norm"}:
            return NotApplicable("no transform of one floating array along one axis")
        axis = call.kwargs.get("axis", -1)
        if not -x.ndim <= axis < x.ndim or not x.size:
            return NotApplicable("no transform along an axis of the array")
        rows = _as_rows(x, axis)
        if len(rows) >= _ROWS_MIN:
            options = {k: v for k, v in call.kwargs.items() if k != "axis"}
            return _check_rows(rows, _rows_like(output, x, axis), transform, options, seed)
        if name == "fft" and x.ndim == 1 and not set(call.kwargs) - {"axis"}:
            return _check_long(x, output, seed)
        return NotApplicable("too few rows for a transform of their combination to be cheap")

    return check


def _as_rows(x: Array, axis: int) -> Array:
    return np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])


def _rows_like(output: Any, x: Array, axis: int) -> Array | None:
    """Return the answer's rows, None if its shape is not that of a transform of ``x``."""
    if not is_floating(output) or output.ndim != x.ndim or not output.size:
        return None
    others = [tuple(np.delete(a.shape, axis)) for a in (x, output)]
    return _as_rows(output, axis) if others[0] == others[1] else None


def _check_rows(
    rows: Array, answers: Array | None, transform: Callable[..., Any], options: Any, seed: bytes
) -> CheckVerdict:
    if answers is None:
        return Failed("the transform has the shape of its input but for the axis, and is floating")
    g = uniform(seed, b"rows", len(rows))
    combined, size = _sum_and_norm(rows, g)
    expected = transform(combined, **options)
    if expected.shape != answers.shape[1:] or answers.dtype.kind != expected.dtype.kind:
        return Failed(f"rows of the transform have shape {expected.shape}, {expected.dtype}")
    error = float(np.linalg.norm(expected - _sum_rows(answers, g)))
    scale = size * _gain(expected, combined)
    return judged_finite("F (g x) = g (F x)", error, _explained(answers, rows.shape[1]) * scale)


def _sum_rows(rows: Array, g: Array) -> Array:
    """Return ``g @ rows`` for real ``g``; a complex number is two real ones to it."""
    real = np.ascontiguousarray(rows).view(rows.real.dtype)
    total = times(real.T, g)
    return total.view(np.complex128) if rows.dtype.kind == "c" else total


def _sum_and_norm(rows: Array, g: Array) -> tuple[Array, float]:
    """Return ``g @ rows`` and the norm of ``rows``, in one pass over them."""
    step = max(1, _BLOCK // rows.shape[1])
    total = np.zeros(rows.shape[1], np.result_type(rows.dtype, np.float64))
    squares = 0.0
    for i in range(0, len(rows), step):
        total += _sum_rows(rows[i : i + step], g[i : i + step])
        squares += norm(rows[i : i + step]) ** 2
    return total, float(np.sqrt(squares))


def _gain(after: Array, before: Array) -> float:
    """Return what the transform, with its norm and length, does to norms."""
    size = float(np.linalg.norm(before))
    return float(np.linalg.norm(after)) / size if size else 1.0


def _check_long(x: Array, output: Any, seed: bytes) -> CheckVerdict:
    n = len(x)
    p = next((p for p in _FOLDS if n % p == 0), 0)
    if n < _LENGTH_MIN or not p:
        return NotApplicable("a transform too short, or of a length that cannot be folded")
    expected = np.result_type(x.dtype, np.complex64)
    if not is_floating(output) or output.shape != x.shape or output.dtype != expected:
        return Failed(f"the transform has shape {x.shape} and dtype {expected}")
    s = int.from_bytes(seed[:8], "little") % p
    a, b = np.arange(p), np.arange(n // p)
    turns = np.exp(-2j * np.pi * (s * a % p) / p)
    folded = _sum_rows(x.reshape(p, -1), turns.real) + 1j * _sum_rows(x.reshape(p, -1), turns.imag)
    there = np.fft.fft(folded * np.exp(-2j * np.pi * s / n * b))
    explained = _explained(output, n) * norm(x)
    error = float(np.linalg.norm(there - output[s::p])) / p**-0.5 / n**0.5
    return worst(
        judged_finite("every p-th place", error, explained * p**0.5, ONE_VECTOR / p),
        judged_finite(
            "Parseval",
            abs(norm(output) / n**0.5 - norm(x)),
            explained + own_rounding(n) * norm(x),
            ONE_VECTOR / p,
        ),
    )


def _explained(output: Array, n: int) -> float:
    return (_ROUNDING * unit(output) + 6 * DOUBLE) * float(np.sqrt(max(1.0, np.log2(n))))
