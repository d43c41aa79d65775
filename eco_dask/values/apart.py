"""An encoded value with its floating-point numbers set apart from everything else.

    EncodedValue --floats_apart--> digest of the rest, arrays of floats in the order of the encoding

Works on the header's tokens and the raw buffers: nothing is decoded, no array is copied, no class
of a library or of a recruiter is touched. That covers whatever the codec writes as numpy arrays or
scalars, as Python floats or complex numbers: containers, pandas, xarray, scipy.sparse, registered
classes. Arrow columns and structured arrays stay in the rest, and so are compared exactly.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt
from blake3 import blake3

from eco_dask.errors import ValueCodecError
from eco_dask.types import Digest
from eco_dask.values.dtypes import PLAIN
from eco_dask.values.encoded import EncodedValue
from eco_dask.values.limits import DEFAULT_LIMITS, CodecLimits
from eco_dask.values.stream import Payload, pack, unpack

Array = npt.NDArray[Any]

#: Python floats in a row from which they are one array instead of that many numbers.
RUN_MIN = 17

_FLOATS = {name: dtype for name, dtype in PLAIN.items() if dtype.kind in "fc"}
_NDIM_MAX = 64
_ITEMS_MAX = 1 << 40
_MARK = b"apart"


@dataclass(frozen=True, slots=True)
class FloatsApart:
    """What of a value must be equal bit for bit, and what may differ in its last bits."""

    #: BLAKE3 over the header without the floats, the floats' dtypes and shapes, the other buffers.
    rest: Digest
    #: Read-only views, C-contiguous. Python's floats are float64 arrays of no dimension.
    arrays: tuple[Array, ...]


def floats_apart(encoded: EncodedValue, limits: CodecLimits = DEFAULT_LIMITS) -> FloatsApart:
    """Take the floating-point numbers out of a value.

    Parameters
    ----------
    encoded : EncodedValue
        May come from a stranger.
    limits : CodecLimits
        Bounds on its header.

    Raises
    ------
    ValueCodecError
        If the header is none. That the value can be decoded is not checked.
    """
    try:
        tokens = unpack(encoded.header, limits)
    except (ValueError, msgpack.UnpackException) as error:
        raise ValueCodecError(f"no encoded value: {error!s:.300}") from error
    walk = _Walk(tokens, encoded.buffers)
    walk.run()
    return FloatsApart(walk.digest_of_rest(), tuple(walk.arrays))


class _Walk:
    """One pass over the tokens.

    A token that looks like the beginning of an array but is other data does no harm: equal data
    looks the same at both sides, and what is in it is still compared, if with a tolerance. The
    codec's tag before every byte string of a user's keeps even that from happening.
    """

    def __init__(self, tokens: list[Any], buffers: Sequence[Payload]) -> None:
        self._tokens = tokens
        self._buffers = buffers
        self._rest: list[Any] = []
        self._taken: set[int] = set()
        self.arrays: list[Array] = []

    def run(self) -> None:
        """Sort every token."""
        special = [i for i, token in enumerate(self._tokens) if token in (b"A", b"n")]
        done = 0
        for i in special:
            if i < done:
                continue
            self._take_plain(done, i)
            end = self._take_array(i) if self._tokens[i] == b"A" else self._take_scalar(i)
            if end == i:
                self._rest.append(self._tokens[i])
                end += 1
            done = end
        self._take_plain(done, len(self._tokens))

    def digest_of_rest(self) -> Digest:
        """Digest what is compared exactly."""
        hasher = blake3(derive_key_context="eco-dask value without floats")
        header = pack(self._rest)
        hasher.update(struct.pack("<QQ", len(self._rest), len(header)))
        hasher.update(header)
        for i, buffer in enumerate(self._buffers):
            if i not in self._taken:
                hasher.update(struct.pack("<Q", len(buffer)))
                hasher.update(buffer)
        return Digest(hasher.digest())

    def _take_plain(self, start: int, stop: int) -> None:
        """Sort tokens among which only Python's floats stand apart."""
        for is_float, group in groupby(self._tokens[start:stop], lambda t: type(t) is float):
            run = list(group)
            if not is_float:
                self._rest += run
            elif len(run) >= RUN_MIN:
                self._put_apart(np.array(run))
            else:
                for number in run:
                    self._put_apart(np.array(number))

    def _put_apart(self, array: Array) -> None:
        array.flags.writeable = False
        self.arrays.append(array)
        self._rest += (_MARK, array.ndim, *array.shape, array.dtype.str)

    def _take_array(self, i: int) -> int:
        """Set the array whose tag is token ``i`` apart; return where it ends, ``i`` if it is none.

        The tokens are the tag, the number of dimensions, the shape, the dtype, the data.
        """
        ndim = self._at(i + 1)
        if type(ndim) is not int or not 0 <= ndim <= _NDIM_MAX:
            return i
        shape = tuple(self._tokens[i + 2 : i + 2 + ndim])
        dtype = self._dtype_at(i + 2 + ndim)
        data = self._data_at(i + 3 + ndim)
        if dtype is None or data is None or any(type(n) is not int or n < 0 for n in shape):
            return i
        size = prod(shape)
        if size > _ITEMS_MAX or size * dtype.itemsize != len(data):
            return i
        payload = self._at(i + 3 + ndim)
        if type(payload) is int:
            self._taken.add(payload)
        self._put_apart(np.frombuffer(data, dtype).reshape(shape))
        return i + 4 + ndim

    def _take_scalar(self, i: int) -> int:
        """Set a numpy scalar apart: the tag, the dtype, the data."""
        dtype, data = self._dtype_at(i + 1), self._at(i + 2)
        if dtype is None or type(data) is not bytes or len(data) != dtype.itemsize:
            return i
        self._put_apart(np.frombuffer(data, dtype).reshape(()))
        self._rest.append(_MARK)  # no array of no dimension, although it is sketched like one
        return i + 3

    def _at(self, i: int) -> Any:
        return self._tokens[i] if i < len(self._tokens) else None

    def _dtype_at(self, i: int) -> np.dtype[Any] | None:
        name = self._at(i)
        return _FLOATS.get(name) if type(name) is str else None

    def _data_at(self, i: int) -> Payload | None:
        """Return the data that a token is or names; a buffer is named once."""
        token = self._at(i)
        if type(token) is bytes:
            return token
        if type(token) is not int:
            return None
        if token in self._taken or not 0 <= token < len(self._buffers):
            raise ValueCodecError(f"the header names buffer {token} twice, or there is none")
        return self._buffers[token]
