"""A sorted array is in order and holds the numbers of its input, each as often.

in order: neighbours compared;  same numbers: sums of keyed hashes, modulo 2^64
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eco_dask.verification.checks.verdict import Call, CheckVerdict, Failed, NotApplicable, Passed

#: Numbers hashed at a time, so that all of it stays in the processor's cache.
_BLOCK = 1 << 14
#: Of SplitMix64, G. L. Steele et al., "Fast splittable pseudorandom number generators", 2014.
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(32)


def check_sort(call: Call, output: Any, seed: bytes) -> CheckVerdict:
    """Check ``numpy.sort`` of integers, booleans or floats, along one axis."""
    x = call.args[0] if len(call.args) == 1 else None
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iufb" or x.dtype.itemsize > 8:  # noqa: PLR2004  bytes
        return NotApplicable("no array of numbers of at most 8 bytes")
    axis = call.kwargs.get("axis", -1)
    if set(call.kwargs) - {"axis", "kind"} or axis is None or not -x.ndim <= axis < x.ndim:
        return NotApplicable("not sorted along one axis")
    if not isinstance(output, np.ndarray) or (output.shape, output.dtype) != (x.shape, x.dtype):
        return Failed(f"the sorted array has shape {x.shape} and dtype {x.dtype}")
    before, after = (np.moveaxis(a, axis, -1) for a in (x, output))
    if not _in_order(after):
        return Failed("it is not in ascending order with NaN last")
    key = np.frombuffer(seed[:8], "<u8")[0]
    if not np.array_equal(_sums(before, key), _sums(after, key)):
        return Failed("it does not hold the numbers of its input, each as often")
    return Passed(1 - 2.0**-32)


def _in_order(after: npt.NDArray[Any]) -> bool:
    left, right = after[..., :-1], after[..., 1:]
    if after.dtype.kind != "f":
        return bool((left <= right).all())
    ordered = left <= right
    return bool(ordered.all() or (ordered | np.isnan(right)).all())


def _one_of_each(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Replace -0.0 by 0.0 and every NaN by the same: numpy's own sort may do so, too."""
    if block.dtype.kind != "f":
        return block
    with np.errstate(invalid="ignore"):  # signalling NaN
        block = block + block.dtype.type(0)
    missing = np.isnan(block)
    if missing.any():
        block[missing] = np.nan
    return block


def _sums(rows: npt.NDArray[Any], key: np.uint64) -> npt.NDArray[np.uint64]:
    """Return per row a sum of hashes of the bits of its numbers."""
    bits = np.dtype(f"u{rows.dtype.itemsize}")
    flat = np.ascontiguousarray(rows).reshape(-1, rows.shape[-1])
    sums = np.zeros(len(flat), np.uint64)
    step = max(1, _BLOCK // max(1, min(flat.shape[1], _BLOCK)))
    for i in range(0, len(flat), step):
        for j in range(0, flat.shape[1], _BLOCK):
            h = _one_of_each(flat[i : i + step, j : j + _BLOCK]).view(bits).astype(np.uint64)
            h ^= key
            h *= _MIX
            h ^= h >> _SHIFT
            h *= key | np.uint64(1)
            h ^= h >> _SHIFT
            sums[i : i + step] += h.sum(axis=1, dtype=np.uint64)
    return sums
