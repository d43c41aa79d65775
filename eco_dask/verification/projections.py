"""A few random projections of an array of floats: what stands for it where last bits may differ.

array, key ──project──► scales and projections per group of 65,536 numbers, digest of NaN and Inf

Groups of 64 rows of 1,024 numbers; a complex number is two. With a key that nobody knew when the
array was fixed, fresh uniform F (4 x 64, per group) and R (4 x 1,024 x 4, per array)::

    Y = F X          four random combinations of the rows: one pass at the speed of memory
    P[j, k] = Y[j] . R[j, :, k]          16 numbers per group

Each is an unbiased estimate of a norm: E P^2 = |X|^2. So the difference D of two arrays gives
projections of the size of |D|, whatever D is. By Ball's theorem on sections of the cube a sum of
independent uniform numbers with coefficients of norm 1 is smaller than t with a chance of at most
0.82 t; hence an error of m times the tolerance hides from all 16 with a chance of about
(0.82 / m)^4 in the worst case (an error in one row, to which four combinations come down to four
independent factors), of (0.82 / m)^16 for the spread of R, and of less yet where it touches many
groups. Groups make one wrong number stand out against 65,536 others instead of the whole array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from eco_dask.verification.uniform import uniform

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

#: Up to so many numbers an array is its own sketch.
RAW_MAX = 16
PROJECTIONS = 16
_FOLDS = 4
_PER_FOLD = PROJECTIONS // _FOLDS
_WIDTH = 1024
_ROWS = 64
GROUP = _WIDTH * _ROWS
#: Groups whose folds are kept at once, 512 KB of them.
_BATCH = 16
#: Below this, a sum of squares may have lost some to underflow.
_SQUARE_MIN = 1e-250
#: Keeps sums of the largest doubles from overflowing, exactly undone where projections meet.
SHRINK = 2.0**-20


@dataclass(frozen=True, slots=True)
class Projected:
    """What is left of one array."""

    #: Digest of where NaN, Inf and -Inf are; empty if nowhere.
    special: bytes
    #: Per group, an estimate of the norm of its finite numbers, float64; empty for raw numbers.
    scales: Floats
    #: Shape (groups, 16), in the units of ``scales``; or the raw numbers, shape (n,).
    numbers: Floats


def reals(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return how many real numbers an array has."""
    n = 1
    for length in shape:
        n *= length
    return n * (2 if dtype.kind == "c" else 1)


def groups(n_reals: int) -> int:
    """Return how many groups that many numbers make; none if they are kept raw."""
    return 0 if n_reals <= RAW_MAX else -(-n_reals // GROUP)


def project(array: Array, key: bytes) -> Projected:
    """Project an array of floats or complex numbers.

    Parameters
    ----------
    array : numpy.ndarray
        C-contiguous; of float16, float32, float64 or their complex forms, of any byte order.
    key : bytes
        32 bytes, unpredictable when the array was fixed, the same wherever projections are to be
        compared.

    Returns
    -------
    Projected
        Of ``array`` with NaN and infinities replaced by 0.
    """
    flat = _flat_reals(array)
    if flat.size <= RAW_MAX:
        block, codes = _clear(flat.astype(np.float64))
        return Projected(_digest_of_codes(codes), np.empty(0), block)
    n = groups(flat.size)
    scales, numbers = np.empty(n), np.empty((n, PROJECTIONS))
    special = _Special()
    spread = _spread(key, min(flat.size, _WIDTH))
    for first in range(0, n, _BATCH):
        last = min(first + _BATCH, n)
        folds = _fold_batch(flat, key, range(first, last), special)
        scales[first:last] = _norms(folds) / _FOLDS**0.5
        for j in range(_FOLDS):
            part = slice(j * _PER_FOLD, (j + 1) * _PER_FOLD)
            numbers[first:last, part] = folds[:, j] @ spread[j]
    return Projected(special.digest(), scales, numbers)


class _Special:
    """Digests where in which group numbers are not finite."""

    def __init__(self) -> None:
        self._hasher = blake3(derive_key_context="eco-dask not finite")
        self._found = False

    def add(self, group: int, codes: npt.NDArray[np.uint8]) -> None:
        if codes.any():
            self._hasher.update(group.to_bytes(8, "little") + codes.tobytes())
            self._found = True

    def digest(self) -> bytes:
        return self._hasher.digest() if self._found else b""


def _flat_reals(array: Array) -> Array:
    flat = array.reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _fold_batch(flat: Array, key: bytes, batch: range, special: _Special) -> Floats:
    """Combine the rows of some groups; shape (groups, 4, numbers in a row)."""
    folds = np.empty((len(batch), _FOLDS, min(flat.size, _WIDTH)))
    n_factors = _FOLDS * _ROWS
    draws = uniform(key, b"F", n_factors * len(batch), n_factors * batch.start) * SHRINK
    factors = draws.reshape(len(batch), _FOLDS, _ROWS)
    with np.errstate(invalid="ignore", over="ignore"):
        for i, g in enumerate(batch):
            _fold(flat[g * GROUP : (g + 1) * GROUP], factors[i], folds[i])
    if not np.isfinite(folds).all():
        for i, g in enumerate(batch):
            if not np.isfinite(folds[i]).all():
                cleared, codes = _clear(flat[g * GROUP : (g + 1) * GROUP].astype(np.float64))
                special.add(g, codes)
                _fold(cleared, factors[i], folds[i])
    return folds


def _fold(block: Array, factors: Floats, out: Floats) -> None:
    """Combine the rows of a group, in float64."""
    width = out.shape[1]
    n_rows = block.size // width
    rows = block[: n_rows * width].reshape(n_rows, width)
    np.matmul(factors[:, :n_rows], rows.astype(np.float64, copy=False), out=out)
    rest = block[rows.size :].astype(np.float64)
    if rest.size:
        out[:, : rest.size] += factors[:, n_rows, None] * rest


def _spread(key: bytes, width: int) -> Floats:
    """Return the random vectors that the folds are projected on."""
    draws = uniform(key, b"R", PROJECTIONS * width)
    return draws.reshape(_FOLDS, width, _PER_FOLD)


def _norms(folds: Floats) -> Floats:
    """Return each group's 2-norm, also where squares would overflow or underflow."""
    with np.errstate(over="ignore"):
        flat = folds.reshape(len(folds), 1, -1)
        squares: Floats = np.matmul(flat, flat.transpose(0, 2, 1)).ravel()
    if np.isfinite(squares).all() and (squares > _SQUARE_MIN).all():
        return np.sqrt(squares)
    largest = np.maximum(np.abs(folds).max(axis=(1, 2)), np.finfo(np.float64).tiny)
    scaled = folds / largest[:, None, None]
    norms: Floats = largest * np.sqrt(np.einsum("gjw,gjw->g", scaled, scaled))
    return norms


def _clear(block: Floats) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Replace what is not finite by 0; return where what was."""
    codes = np.isnan(block) * np.uint8(1)
    codes[np.isposinf(block)] = 2
    codes[np.isneginf(block)] = 3
    return np.where(codes > 0, 0.0, block), codes


def _digest_of_codes(codes: npt.NDArray[np.uint8]) -> bytes:
    if not codes.any():
        return b""
    return blake3(codes.tobytes(), derive_key_context="eco-dask not finite").digest()
