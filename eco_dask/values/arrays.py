"""numpy arrays, scalars and masked arrays.

    array --> shape, dtype, C-ordered bytes with zeroed padding --> fresh, writable, aligned array

The bytes of a C-contiguous array are not copied: whoever encodes an array must not change it while
its encoding is in use.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from eco_dask.errors import ValueCodecError
from eco_dask.values.dtypes import (
    NAMES,
    PLAIN,
    DType,
    get_dtype,
    meaningless_bytes,
    put_dtype,
)
from eco_dask.values.stream import INLINE_BYTES_MAX, Get, Payload, Put, Reader, Writer

Array = npt.NDArray[Any]

_NDIM_MAX = 64
_CODE_POINT_MAX = 0x10FFFF


def put_array(w: Writer, array: Array) -> None:
    """Append a numpy array; its shape comes first, so that it can be shown without decoding."""
    dtype = array.dtype
    name = NAMES.get(dtype)
    if name is not None:
        w.tokens += (b"A", array.ndim, *array.shape, name)
        w.put_payload(_raw(array))
    elif dtype.hasobject and dtype.char == "O":
        _put_items(w, b"O", array)
    elif type(dtype) is np.dtypes.StringDType:
        _put_items(w, b"T", array)
    else:
        _refuse_empty_items(dtype)
        w.tokens += (b"A", array.ndim, *array.shape)
        put_dtype(w, dtype)
        w.put_payload(_raw(_without_padding(array)))


def _refuse_empty_items(dtype: DType) -> None:
    """Refuse items of no bytes: their number would be a claim that no data backs."""
    if dtype.itemsize == 0:
        raise ValueCodecError(f"arrays of {dtype!r} hold no data; convert to a dtype with a size")


def _raw(array: Array) -> Payload:
    """Return the bytes in C order; a view where the array is C-contiguous and large."""
    if array.nbytes <= INLINE_BYTES_MAX:
        return array.tobytes()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _without_padding(array: Array) -> Array:
    idle = meaningless_bytes(array.dtype)
    if idle is None or array.size == 0:
        return array
    copy = np.array(array, order="C", copy=True)
    copy.reshape(-1).view(np.uint8).reshape(-1, idle.size)[:, idle] = 0
    return copy


def _put_items(w: Writer, tag: bytes, array: Array) -> None:
    w.open(tag, array.ndim, *array.shape, nodes=array.size)
    if tag == b"T":
        put_dtype(w, array.dtype)
        missing = getattr(array.dtype, "na_object", w)
        w.put_all([None if v is missing else v for v in array.ravel().tolist()])
    else:
        w.put_all(array.ravel().tolist())
    w.close()


def _get_shape(r: Reader) -> tuple[int, ...]:
    ndim = r.count()
    if ndim > _NDIM_MAX:
        raise ValueCodecError(f"an array of {ndim} dimensions; at most {_NDIM_MAX} are possible")
    return tuple(r.size() for _ in range(ndim))


def get_array_body(r: Reader) -> Array:
    """Return an array whose tag was taken already."""
    shape = _get_shape(r)
    dtype = get_dtype(r)
    payload = r.payload()
    _refuse_empty_items(dtype)
    if dtype.hasobject or dtype.subdtype or prod(shape) * dtype.itemsize != len(payload):
        raise ValueCodecError(f"{len(payload)} bytes are no array of {dtype!r} and shape {shape}")
    if not len(payload):
        return np.empty(shape, dtype)
    if dtype.names is None:
        array = np.frombuffer(payload, dtype).reshape(shape).copy()
    else:  # a copy field by field would leave the padding to chance
        array = np.frombuffer(payload, np.uint8).copy().view(dtype).reshape(shape)
    if dtype.kind in "bUV":
        _check_items(array)
    return array


def _check_items(array: Array) -> None:
    """Refuse items that numpy itself would never make, and stumbles over later."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check_items(array[name])
    elif array.dtype.kind == "b":
        if array.size and array.view(np.uint8).max() > 1:
            raise ValueCodecError("a bool array holds bytes other than 0 and 1")
    elif array.dtype.kind == "U" and array.dtype.itemsize:
        code = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        points = np.ascontiguousarray(array).reshape(-1).view(code)
        if points.size and points.max() > _CODE_POINT_MAX:
            raise ValueCodecError("a string array holds characters beyond Unicode")


def _get_objects(r: Reader) -> Array:
    shape = _get_shape(r)
    flat = np.empty(_item_count(r, shape), dtype=object)
    for i, item in enumerate(r.values(flat.size)):
        flat[i] = item
    return flat.reshape(shape)


def _get_strings(r: Reader) -> Array:
    shape = _get_shape(r)
    dtype = get_dtype(r)
    if type(dtype) is not np.dtypes.StringDType:
        raise ValueCodecError(f"{dtype!r} is no dtype of variable-width strings")
    flat = np.empty(_item_count(r, shape), dtype=dtype)
    missing = getattr(dtype, "na_object", None)
    for i, item in enumerate(r.values(flat.size)):
        if type(item) is not str and (item is not None or not hasattr(dtype, "na_object")):
            raise ValueCodecError(f"a string array holds a {type(item).__name__}")
        flat[i] = missing if item is None else item
    return flat.reshape(shape)


def _item_count(r: Reader, shape: tuple[int, ...]) -> int:
    n = prod(shape)
    r.check_left(n)
    return n


def get_exactly_array(r: Reader) -> Array:
    """Return the next value, which must be a numpy array."""
    array: Array = r.typed(np.ndarray)
    return array


def _put_scalar(w: Writer, value: np.generic) -> None:
    dtype = value.dtype
    name = NAMES.get(dtype)
    w.tokens.append(b"n")
    if name is not None:
        w.tokens += (name, value.tobytes())
    else:
        put_dtype(w, dtype)
        w.put_payload(_without_padding(np.asarray(value)).tobytes())


def _get_scalar(r: Reader) -> Any:
    dtype = get_dtype(r)
    payload = r.payload()
    _refuse_empty_items(dtype)
    if dtype.hasobject or dtype.subdtype or len(payload) != dtype.itemsize:
        raise ValueCodecError(f"{len(payload)} bytes are no scalar of {dtype!r}")
    array = np.frombuffer(bytearray(payload), dtype)
    _check_items(array)
    return array[0]


def _put_numpy_str(w: Writer, value: np.str_) -> None:
    w.tokens.append(b"np.str")
    w.put(str.__str__(value))  # numpy strips trailing NULs


def _get_numpy_str(r: Reader) -> np.str_:
    return np.str_(r.typed(str))


def _put_numpy_bytes(w: Writer, value: np.bytes_) -> None:
    w.tokens.append(b"np.bytes")
    w.put_payload(bytes(value))


def _get_numpy_bytes(r: Reader) -> np.bytes_:
    return np.bytes_(bytes(r.payload()))


def _put_masked(w: Writer, array: np.ma.MaskedArray[Any, Any]) -> None:
    """Append data, mask (None for ``nomask``), fill value (None for the default) and hardness."""
    w.open(b"masked", array.hardmask)
    w.put(None if array.mask is np.ma.nomask else np.asarray(array.mask))
    fill_value = array._fill_value  # type: ignore[attr-defined]  # noqa: SLF001  the property sets it
    w.put(None if fill_value is None else np.asarray(fill_value))
    put_array(w, np.asarray(array.data))
    w.close()


def _get_masked(r: Reader) -> np.ma.MaskedArray[Any, Any]:
    hard = r.expect(bool)
    mask = r.typed(np.ndarray, type(None))
    fill_value = r.typed(np.ndarray, type(None))
    data = get_exactly_array(r)
    if mask is not None and mask.shape != data.shape:
        raise ValueCodecError(f"a mask of shape {mask.shape} for data of shape {data.shape}")
    array = np.ma.MaskedArray(data, np.ma.nomask if mask is None else mask, hard_mask=hard)
    if fill_value is not None:
        array.fill_value = fill_value[()]
    return array


def _put_masked_constant(w: Writer, value: object) -> None:
    del value
    w.tokens.append(b"np.masked")


def _get_masked_constant(r: Reader) -> Any:
    del r
    return np.ma.masked


def _scalar_putters() -> dict[type, Put]:
    types = {t for t in np.sctypeDict.values() if t is not np.object_} | {np.record}
    types |= {dtype.type for dtype in PLAIN.values()}
    special: dict[type, Put] = {np.str_: _put_numpy_str, np.bytes_: _put_numpy_bytes}
    return {**dict.fromkeys(types, _put_scalar), **special}


PUTTERS: dict[type, Put] = {
    np.ndarray: put_array,
    np.ma.MaskedArray: _put_masked,
    type(np.ma.masked): _put_masked_constant,
    **_scalar_putters(),
}
GETTERS: dict[bytes, Get] = {
    b"A": get_array_body,
    b"O": _get_objects,
    b"T": _get_strings,
    b"n": _get_scalar,
    b"np.str": _get_numpy_str,
    b"np.bytes": _get_numpy_bytes,
    b"masked": _get_masked,
    b"np.masked": _get_masked_constant,
}
