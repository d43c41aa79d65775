"""Factorisations are multiplied out, times a random vector, and orthogonal factors must be so.

A = F G H ──► |A r - F (G (H r))|  <=  c eps |A| |r|;    Q* Q = 1 ──► |Q* (Q r) - r|  <=  c eps |r|
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eco_dask.verification.checks.linear import (
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
from eco_dask.verification.checks.verdict import (
    Call,
    CheckVerdict,
    Failed,
    NotApplicable,
)
from eco_dask.verification.uniform import uniform

#: Smaller side of a matrix from which the check costs at most a tenth of the factorisation.
_ORDER_MIN = 200
#: The same of the cheapest one.
_CHOLESKY_ORDER_MIN = 800
#: Backward errors in units of eps times the norm; with a margin of 2 in ``judged``. Honest maximum
#: in single precision 0.7, of orders from 120 to 1,000.
_ROUNDING = 2.0
#: Rows looked at together for what should be 0.
_STEP = 256


def check_qr(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.qr`` of one matrix, in the modes that give Q and R."""
    a = matrix(call.args[0]) if call.args else None
    mode = call.kwargs.get("mode", "reduced")
    if a is None or min(a.shape) < _ORDER_MIN or len(call.args) > 1 or mode != "reduced":
        return NotApplicable("no reduced QR factorisation of one large floating matrix")
    k = min(a.shape)
    q, r = _factors(output, ((a.shape[0], k), (k, a.shape[1])), a.dtype)
    if q is None or r is None:
        return Failed(f"Q and R have shapes {(a.shape[0], k)} and {(k, a.shape[1])}")
    if _any_above(r.T):
        return Failed("R is not upper triangular")
    probe = _probe(a, seed)
    if not np.isfinite(probe.size):
        return NotApplicable("NaN, infinities or numbers near overflow")
    rebuilt = times(q, times(r, probe.v))
    return worst(probe.compare("A r = Q (R r)", rebuilt), _orthonormal(q, seed))


def check_svd(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.svd(a, full_matrices=False)`` of one matrix."""
    a = matrix(call.args[0]) if call.args else None
    options = {"full_matrices": True, "compute_uv": True, "hermitian": False, **call.kwargs}
    if a is None or min(a.shape) < _ORDER_MIN or not options["compute_uv"] or len(call.args) > 1:
        return NotApplicable("no singular value decomposition, with vectors, of a large matrix")
    m, n = a.shape
    k = min(m, n)
    left, right = (m, n) if options["full_matrices"] else (k, k)
    real = np.dtype(a.real.dtype)
    if not isinstance(output, tuple | list) or len(output) != 3:  # noqa: PLR2004  U, S, Vh
        return Failed("svd gives U, S and Vh")
    u, vh = _factors((output[0], output[2]), ((m, left), (right, n)), a.dtype)
    s = output[1]
    if u is None or vh is None or not is_floating(s) or s.shape != (k,) or s.dtype != real:
        return Failed(f"U, S and Vh have shapes {(m, left)}, {(k,)} and {(right, n)}")
    if (s < 0).any() or (np.diff(s) > 0).any():
        return Failed("singular values are not in descending order, or negative")
    probe = _probe(a, seed)
    if not np.isfinite(probe.size):
        return NotApplicable("NaN, infinities or numbers near overflow")
    rebuilt = times(u[:, :k], s * times(vh[:k], probe.v))
    return worst(
        probe.compare("A r = U (S (V r))", rebuilt),
        _orthonormal(u, seed),
        _orthonormal(vh.conj().T, seed),
    )


def check_cholesky(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.cholesky`` of one symmetric or Hermitian matrix."""
    probe = _probe_hermitian(call, seed)
    if probe is None or set(call.kwargs) - {"upper"} or len(probe.a) < _CHOLESKY_ORDER_MIN:
        return NotApplicable("no Cholesky factorisation of one large Hermitian matrix")
    a = probe.a
    (factor,) = _factors((output,), (a.shape,), a.dtype)
    if factor is None:
        return Failed(f"the factor has shape {a.shape} and dtype {a.dtype}")
    lower = factor.conj().T if call.kwargs.get("upper") else factor
    if _any_above(lower) or not (lower.diagonal().real > 0).all():
        return Failed("the factor is not triangular with a positive diagonal")
    return probe.compare("A r = L (L* r)", times(lower, times(lower.conj().T, probe.v)))


def check_eigh(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.linalg.eigh`` of one symmetric or Hermitian matrix."""
    probe = _probe_hermitian(call, seed)
    if probe is None or call.kwargs:
        return NotApplicable("no eigendecomposition of one large Hermitian matrix")
    a = probe.a
    if not isinstance(output, tuple | list) or len(output) != 2:  # noqa: PLR2004  w and V
        return Failed("eigh gives eigenvalues and vectors")
    w = output[0]
    (q,) = _factors((output[1],), (a.shape,), a.dtype)
    if q is None or not is_floating(w) or w.shape != (len(a),) or w.dtype != a.real.dtype:
        return Failed(f"eigenvalues and vectors have shapes {(len(a),)} and {a.shape}")
    if (np.diff(w) < 0).any():
        return Failed("eigenvalues are not in ascending order")
    rebuilt = times(q, w * times(q.conj().T, probe.v))
    return worst(probe.compare("A r = V (w (V* r))", rebuilt), _orthonormal(q, seed))


@dataclass(frozen=True, slots=True)
class _Probe:
    """A matrix and what it does to a random vector."""

    a: Array
    v: Array
    product: Array
    size: float

    def compare(self, what: str, rebuilt: Array) -> CheckVerdict:
        error = float(np.linalg.norm(self.product - rebuilt))
        return judged_finite(what, error, self.rounding * self.size)

    @property
    def rounding(self) -> float:
        return _ROUNDING * unit(self.a) + own_rounding(len(self.v))


def _probe(a: Array, seed: bytes) -> _Probe:
    v = uniform(seed, b"probe", a.shape[1])
    return _Probe(a, v, times(a, v), norm(a))


def _probe_hermitian(call: Call, seed: bytes) -> _Probe | None:
    a = matrix(call.args[0]) if len(call.args) == 1 else None
    if a is None or a.shape[0] != a.shape[1] or len(a) < _ORDER_MIN:
        return None
    probe = _probe(a, seed)
    # Only one triangle is read by LAPACK; the other must be the same but for rounding.
    apart = float(np.linalg.norm(probe.product - times(a.conj().T, probe.v)))
    return probe if apart <= probe.rounding * probe.size else None


def _any_above(lower: Array) -> bool:
    """Whether anything is not 0 above the diagonal; without a copy."""
    return any(
        bool(lower[i : i + _STEP, i + _STEP :].any())
        or bool(np.triu(lower[i : i + _STEP, i : i + _STEP], 1).any())
        for i in range(0, len(lower), _STEP)
    )


def _orthonormal(q: Array, seed: bytes) -> CheckVerdict:
    v = uniform(seed, b"orthonormal", q.shape[1])
    error = float(np.linalg.norm(times(q.conj().T, times(q, v)) - v))
    explained = (_ROUNDING * unit(q) + own_rounding(len(v))) * q.shape[1] ** 0.5
    return judged_finite("Q* (Q r) = r", error, explained)


def _factors(
    output: Any, shapes: tuple[tuple[int, ...], ...], dtype: np.dtype[Any]
) -> list[Array | None]:
    """Return the factors that have the shape and the dtype they should have, None for others."""
    given = output if isinstance(output, tuple | list) else ()
    if len(given) != len(shapes):
        return [None] * len(shapes)
    return [
        f if is_floating(f) and f.shape == shape and f.dtype == dtype else None
        for f, shape in zip(given, shapes, strict=True)
    ]
