"""What an encoded value is, read off the first tokens of its header: for displays and schedulers.

Neither decodes anything nor imports anything; a header that makes no sense is called unreadable.
"""

from __future__ import annotations

import sys
from types import EllipsisType
from typing import Any

import numpy as np

from eco_dask.values import standard, times
from eco_dask.values.dtypes import PLAIN
from eco_dask.values.stream import Payload, peek

_TYPES: dict[bytes, type] = {
    b"I": int,
    b"c": complex,
    b"U": str,
    b"B": bytes,
    b"L": list,
    b"t": tuple,
    b"D": dict,
    b"S": set,
    b"F": frozenset,
    b"s": slice,
    b"r": range,
    b"...": EllipsisType,
    **times.TYPES,
    **standard.TYPES,
    b"dtype": np.dtype,
    b"A": np.ndarray,
    b"O": np.ndarray,
    b"T": np.ndarray,
    b"n": np.generic,
    b"np.str": np.str_,
    b"np.bytes": np.bytes_,
    b"masked": np.ma.MaskedArray,
    b"np.masked": type(np.ma.masked),
}
_SIZED = frozenset({b"L", b"t", b"D", b"S", b"F"})
_ARRAYS = {b"A": None, b"O": "object", b"T": "StringDType", b"cupy.ndarray": None}
#: Enough tokens for a tag, the dimensions of the largest array, and its dtype.
_PEEKED = 70


def python_type(header: Payload) -> type:
    """Return the class of the value, or ``object`` where it is not known in this process."""
    tokens = _peek(header)
    if not tokens or type(tokens[0]) is not bytes:
        return type(tokens[0]) if tokens else object
    tag = tokens[0]
    if tag == b"n":
        dtype = PLAIN.get(tokens[1]) if len(tokens) > 1 and type(tokens[1]) is str else None
        return np.generic if dtype is None else dtype.type
    known = _TYPES.get(tag)
    return _library_type(tag) if known is None else known


def _library_type(tag: bytes) -> type:
    """Look up ``b"pandas.DataFrame"`` among what is imported already."""
    *path, name = tag.decode("ascii", "replace").split(".")
    found = getattr(sys.modules.get(".".join(path)), name, None) if path else None
    return found if isinstance(found, type) else object


def kind_name(header: Payload) -> str:
    """Return the type and, where it has one, the shape: ``"ndarray[float64](3, 4)"``."""
    tokens = _peek(header)
    if not tokens:
        return "unreadable"
    tag = tokens[0]
    if type(tag) is not bytes:
        return type(tag).__name__
    if tag in _ARRAYS or tag in _SHAPED:
        return _array_name(tag, tokens)
    if tag in _SIZED:
        return f"{_TYPES[tag].__name__}({tokens[1] if len(tokens) > 1 else '?'})"
    if tag == b"registered":
        return str(tokens[1]) if len(tokens) > 1 else "registered"
    if tag in _TYPES:
        return python_type(header).__name__
    return tag.decode("ascii", "backslashreplace").rpartition(".")[2][:40]


#: Tags after which come the number of dimensions and the shape, but no dtype.
_SHAPED = frozenset(
    {b"pandas.DataFrame", b"pandas.Series", b"pyarrow.Table", b"pyarrow.RecordBatch"}
)


def _array_name(tag: bytes, tokens: list[Any]) -> str:
    ndim = tokens[1] if len(tokens) > 1 and type(tokens[1]) is int else 0
    shape = tuple(tokens[2 : 2 + max(ndim, 0)])
    if tag in _SHAPED:
        return f"{tag.decode().rpartition('.')[2]}{shape}"
    named = _ARRAYS[tag] or next(iter(tokens[2 + len(shape) :]), None)
    if type(named) is not str:
        named = "structured"
    dtype = PLAIN.get(named)
    kind = "ndarray" if tag != b"cupy.ndarray" else "cupy.ndarray"
    return f"{kind}[{named[:40] if dtype is None else dtype.name}]{shape}"


def _peek(header: Payload) -> list[Any]:
    """Return the leading tokens, none if the header is no header."""
    try:
        return peek(header, _PEEKED)
    except (ValueError, UnicodeDecodeError):
        return []
