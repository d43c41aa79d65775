"""The sketch of a value: the little that two providers compare once neither can change its answer.

floats apart, seed ──sketch_parts──► Sketch ◄──to_bytes / from_bytes──► bytes on the wire

The seed is drawn after the commitments are in, so nobody can aim at it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from eco_dask.errors import ValueCodecError
from eco_dask.types import DIGEST_SIZE_BYTES, Digest
from eco_dask.verification.projections import PROJECTIONS, groups, project, reals

#: Length of a seed.
SEED_BYTES = 32
#: More than any sensible value needs: 4 GB of arrays, or 100,000 numbers scattered in containers.
SKETCH_BYTES_MAX = 16 << 20
ARRAYS_MAX = 100_000

_MAGIC = b"EDS\x01"
_PREFIX = struct.Struct(f"<4s{DIGEST_SIZE_BYTES}sI")
_NDIM_MAX = 64
_DTYPES = {
    dtype.str: dtype
    for name in ("f2", "f4", "f8", "c8", "c16")
    for dtype in (np.dtype(name), np.dtype(name).newbyteorder("S"))
}
_NAMES = sorted(_DTYPES)


class SketchError(ValueCodecError):
    """Bytes that are no sketch, or a value of more parts than a sketch holds."""


@dataclass(frozen=True, slots=True)
class ArraySketch:
    """One array of floats."""

    #: As numpy writes it, such as ``"<f8"``.
    dtype: str
    shape: tuple[int, ...]
    #: Digest of where NaN and infinities are; empty if nowhere.
    special: bytes
    #: float64: an estimate of the norm per group, then 16 projections per group; or, of an array
    #: of at most 16 real numbers, these.
    data: bytes

    @property
    def n_groups(self) -> int:
        """Groups that were projected by themselves; none if the numbers are there themselves."""
        return groups(self.n_reals)

    @property
    def n_reals(self) -> int:
        """Real numbers in the array."""
        return reals(self.shape, _DTYPES[self.dtype])

    @property
    def scales(self) -> npt.NDArray[np.float64]:
        """Estimated norms of the groups."""
        return np.frombuffer(self.data, "<f8", self.n_groups)

    @property
    def numbers(self) -> npt.NDArray[np.float64]:
        """Shape (groups, 16), or (n,) for the numbers themselves."""
        numbers = np.frombuffer(self.data, "<f8", offset=8 * self.n_groups)
        return numbers.reshape(-1, PROJECTIONS) if self.n_groups else numbers


@dataclass(frozen=True, slots=True)
class Sketch:
    """What two answers to one task are compared by."""

    #: Digest of structure, dtypes, shapes and everything that is no float.
    rest: Digest
    #: In the order of the encoding.
    arrays: tuple[ArraySketch, ...]

    @property
    def size_bytes(self) -> int:
        """Length of :meth:`to_bytes`."""
        each = (3 + 8 * len(a.shape) + len(a.special) + len(a.data) for a in self.arrays)
        return _PREFIX.size + sum(each)

    def to_bytes(self) -> bytes:
        """Return the sketch as one byte string; equal sketches give equal bytes."""
        parts = [_PREFIX.pack(_MAGIC, self.rest, len(self.arrays))]
        for a in self.arrays:
            parts += (
                struct.pack("<BBB", _NAMES.index(a.dtype), len(a.shape), bool(a.special)),
                struct.pack(f"<{len(a.shape)}Q", *a.shape),
                a.special,
                a.data,
            )
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Sketch:
        """Read what :meth:`to_bytes` gave.

        Raises
        ------
        SketchError
            If the bytes are no sketch, exactly. No claim in them makes this allocate more than
            they hold.
        """
        if len(data) > SKETCH_BYTES_MAX:
            raise SketchError(f"a sketch of {len(data)} bytes; {SKETCH_BYTES_MAX} are allowed")
        reader = _Reader(bytes(data))
        magic, rest, n_arrays = reader.unpack(_PREFIX)
        if magic != _MAGIC or n_arrays > ARRAYS_MAX:
            raise SketchError(f"expected a sketch; found {magic!r} and {n_arrays} arrays")
        arrays = tuple(reader.array() for _ in range(n_arrays))
        reader.finish()
        return cls(Digest(rest), arrays)


def sketch_parts(rest: Digest, arrays: Sequence[npt.NDArray[Any]], seed: bytes) -> Sketch:
    """Sketch a value whose floats were set apart.

    Parameters
    ----------
    rest : Digest
        Of everything that is no float, with the arrays' dtypes and shapes.
    arrays : sequence of numpy.ndarray
        C-contiguous arrays of floats or complex numbers.
    seed : bytes
        32 random bytes that nobody knew when the value was committed to.

    Raises
    ------
    SketchError
        If there are too many arrays, or too much in them, for a sketch.
    """
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes; got {len(seed)}")
    size = sum(8 * groups(reals(a.shape, a.dtype)) * (PROJECTIONS + 1) for a in arrays)
    if len(arrays) > ARRAYS_MAX or size > SKETCH_BYTES_MAX // 2:
        raise SketchError(
            f"{len(arrays)} arrays and numbers need a sketch of more than {size} bytes; put the "
            f'numbers into fewer arrays, return smaller pieces, or compare with compare="exact"'
        )
    return Sketch(rest, tuple(_sketch_array(a, i, seed) for i, a in enumerate(arrays)))


def _sketch_array(array: npt.NDArray[Any], index: int, seed: bytes) -> ArraySketch:
    # The arrays' places are fixed by ``rest``, so that the index says as much as a path.
    context = f"{index} {array.dtype.str} {array.shape}".encode()
    projected = project(array, blake3(context, key=seed).digest())
    data = projected.scales.astype("<f8").tobytes() + projected.numbers.astype("<f8").tobytes()
    return ArraySketch(array.dtype.str, array.shape, projected.special, data)


class _Reader:
    """Takes a strange byte string apart, piece by piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, n: int) -> bytes:
        if n > len(self._data) - self._at:
            raise SketchError(f"the sketch ends {n} bytes before its last part does")
        self._at += n
        return self._data[self._at - n : self._at]

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size))

    def array(self) -> ArraySketch:
        code, ndim, has_special = self.take(3)
        if code >= len(_NAMES) or ndim > _NDIM_MAX or has_special > 1:
            raise SketchError(f"{code}, {ndim}, {has_special} begin no array in a sketch")
        shape = self.unpack(struct.Struct(f"<{ndim}Q"))
        special = self.take(DIGEST_SIZE_BYTES) if has_special else b""
        n = reals(shape, _DTYPES[_NAMES[code]])
        n_groups = groups(n)
        data = self.take(8 * (n_groups * (PROJECTIONS + 1) if n_groups else n))
        numbers = np.frombuffer(data, "<f8")
        if not np.isfinite(numbers).all() or (numbers[:n_groups] < 0).any():
            raise SketchError("a sketch holds NaN, an infinity or a negative norm")
        return ArraySketch(_NAMES[code], shape, special, data)

    def finish(self) -> None:
        if self._at != len(self._data):
            raise SketchError(f"{len(self._data) - self._at} bytes are left after the sketch")
