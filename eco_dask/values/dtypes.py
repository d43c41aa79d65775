"""numpy dtypes in a strict form of our own: nothing is evaluated, nothing becomes a pointer.

A plain dtype is its ``str`` ("<f8", "|S5", "<M8[ns]"), held against a table and one pattern;
structures are spelt out field by field. ``dtype.metadata`` is no part of a value: numpy ignores it
in comparisons. C's long long is int64.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import Get, Put, Reader, Writer

DType = np.dtype[Any]

#: By size, not by C's names: of two equal dtypes (long and long long) one is numpy's usual one.
_SIZES = ("|b1", "|i1", "|u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16")
_NATIVE = [np.dtype(size) for size in _SIZES]
PLAIN: dict[str, DType] = {d.str: d for n in _NATIVE for d in (n, n.newbyteorder("S"))}
NAMES: dict[DType, str] = {dtype: name for name, dtype in PLAIN.items()}
#: Flexible strings and times; byte order, then kind, then size or unit.
_SIZED = re.compile(
    r"\|[SV](0|[1-9][0-9]{0,9})|[<>]U(0|[1-9][0-9]{0,8})"
    r"|[<>][mM]8(\[([1-9][0-9]{0,8})?(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
)
#: Extended precision differs between processors: the format is part of the name.
_LONG = {63: "x87", 112: "quad"}.get(np.finfo(np.longdouble).nmant, "none")
_LONG_NAME = re.compile(rf"[<>][fc](16|32):{_LONG}")
#: Meaningful bytes of an x87 number of 12 or 16 bytes; the rest is whatever memory held.
_X87_BYTES = 10
#: The scalar types numpy itself defines; others (bfloat16) belong to libraries we do not know.
_OWN_TYPES = frozenset(np.sctypeDict.values()) | {np.record}
_ALIGNED, _RECORD = 1, 2


def put_dtype(w: Writer, dtype: DType) -> None:
    """Append a dtype; see the module's docstring."""
    name = NAMES.get(dtype)
    if name is not None:
        w.tokens.append(name)
    elif dtype.subdtype is not None:
        base, shape = dtype.subdtype
        w.open(b"(", len(shape), *shape)
        put_dtype(w, base)
        w.close()
    elif dtype.names is not None:
        _put_structure(w, dtype)
    elif type(dtype) is np.dtypes.StringDType:
        w.tokens += (b"T", dtype.coerce, hasattr(dtype, "na_object"))
        w.put(getattr(dtype, "na_object", None))
    else:
        w.tokens.append(_sized_name(dtype))


def _sized_name(dtype: DType) -> str:
    name = dtype.str
    if dtype.char in "gG":
        name = f"{name}:{_LONG}"
        if _LONG_NAME.fullmatch(name):
            return name
    elif dtype.type in _OWN_TYPES and _SIZED.fullmatch(name):
        return name
    raise ValueCodecError(
        f"numpy dtype {dtype!r} has no safe encoding; convert to one of numpy's own dtypes"
    )


def _put_structure(w: Writer, dtype: DType) -> None:
    flags = _ALIGNED * dtype.isalignedstruct + _RECORD * (dtype.type is np.record)
    if dtype.type not in {np.void, np.record}:
        raise ValueCodecError(f"numpy dtype {dtype!r} has no safe encoding; use numpy.void fields")
    names = dtype.names or ()
    w.open(b"{", dtype.itemsize, flags, len(names), nodes=4 * len(names))
    for name in names:
        field, offset, *title = dtype.fields[name]  # type: ignore[index]
        w.tokens += (str(name), offset)
        w.put(title[0] if title else None)
        put_dtype(w, field)
    w.close()


def get_dtype(r: Reader) -> DType:
    """Return what :func:`put_dtype` put."""
    token = r.token()
    if type(token) is str:
        return PLAIN.get(token) or _get_sized(token)
    if type(token) is bytes and token in _COMPOUND:
        dtype: DType = r.descend(_COMPOUND[token])
        return dtype
    raise ValueCodecError(f"{token!r:.80} is no numpy dtype")


def _get_sized(name: str) -> DType:
    if _LONG_NAME.fullmatch(name):
        return np.dtype(name.partition(":")[0])
    if not _SIZED.fullmatch(name):
        raise ValueCodecError(f"{name!r:.80} is no numpy dtype of this machine")
    return np.dtype(name)


def _get_subarray(r: Reader) -> DType:
    shape = tuple(r.size() for _ in range(r.count()))
    return np.dtype((get_dtype(r), shape))


def _get_structure(r: Reader) -> DType:
    itemsize, flags, n = r.size(), r.size(), r.count()
    spec: dict[str, list[Any]] = {"names": [], "offsets": [], "titles": [], "formats": []}
    for _ in range(n):
        spec["names"].append(r.expect(str))
        spec["offsets"].append(r.size())
        spec["titles"].append(r.typed(str, type(None)))
        spec["formats"].append(get_dtype(r))
    dtype = np.dtype({**spec, "itemsize": itemsize}, align=bool(flags & _ALIGNED))  # type: ignore[call-overload]
    if dtype.itemsize != itemsize:
        raise ValueCodecError(f"a structure of {dtype.itemsize} bytes claims {itemsize}")
    return np.dtype((np.record, dtype)) if flags & _RECORD else dtype


def _get_string(r: Reader) -> DType:
    coerce, has_na = r.expect(bool), r.expect(bool)
    na_object = r.typed(type(None), float, str)
    if has_na:
        return np.dtypes.StringDType(na_object=na_object, coerce=coerce)
    return np.dtypes.StringDType(coerce=coerce)


_COMPOUND: dict[bytes, Get] = {b"(": _get_subarray, b"{": _get_structure, b"T": _get_string}


def meaningless_bytes(dtype: DType) -> npt.NDArray[np.bool_] | None:
    """Return which bytes of an item carry no value (padding), or None if all carry some."""
    if dtype in NAMES or (
        dtype.names is None and dtype.subdtype is None and dtype.char not in "gG"
    ):
        return None
    idle = np.ones(dtype.itemsize, dtype=np.bool_)
    _mark_used(idle, dtype)
    return idle if idle.any() else None


def _mark_used(idle: npt.NDArray[np.bool_], dtype: DType) -> None:
    if dtype.names is not None:
        for name in dtype.names:
            field, offset = dtype.fields[name][:2]  # type: ignore[index]
            _mark_used(idle[offset : offset + field.itemsize], field)
    elif dtype.subdtype is not None:
        base = dtype.subdtype[0]
        item = np.ones(base.itemsize, dtype=np.bool_)
        _mark_used(item, base)
        if base.itemsize:
            idle &= np.resize(item, idle.shape)
    elif dtype.char in "gG" and _LONG == "x87":
        part = idle.reshape(2 if dtype.char == "G" else 1, -1)
        big = dtype.str.startswith(">")
        part[:, slice(-_X87_BYTES, None) if big else slice(_X87_BYTES)] = False
    else:
        idle[:] = False


def _put_dtype_value(w: Writer, dtype: DType) -> None:
    w.tokens.append(b"dtype")
    if dtype == np.dtype(object):
        w.tokens.append(None)
    else:
        put_dtype(w, dtype)


def _get_dtype_value(r: Reader) -> DType:
    if r.peek() is None:
        r.token()
        return np.dtype(object)
    return get_dtype(r)


PUTTERS: dict[type, Put] = dict.fromkeys(
    {np.dtype, *(getattr(np.dtypes, name) for name in np.dtypes.__all__)}, _put_dtype_value
)
GETTERS: dict[bytes, Get] = {b"dtype": _get_dtype_value}
