"""Python's own types as tokens: numbers, text, containers.

Exact types only: a subclass (numpy.float64 of float, an IntEnum of int) never passes for its base.
A dict keeps its insertion order, which is part of its value; a set is sorted by its encoded bytes.
"""

from __future__ import annotations

from collections.abc import Collection
from types import EllipsisType
from typing import Any

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import INLINE_BYTES_MAX, Get, Put, Reader, Writer, pack

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


def _put_int(w: Writer, value: int) -> None:
    if _INT_MIN <= value <= _INT_MAX:
        w.tokens.append(value)
    else:
        w.tokens.append(b"I")
        w.put_payload(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _get_int(r: Reader) -> int:
    return int.from_bytes(r.payload(), "little", signed=True)


def _put_complex(w: Writer, value: complex) -> None:
    w.tokens += (b"c", value.real, value.imag)


def _get_complex(r: Reader) -> complex:
    return complex(r.expect(float), r.expect(float))


def _put_str(w: Writer, value: str) -> None:
    if len(value) <= INLINE_BYTES_MAX and (value.isascii() or _is_encodable(value)):
        w.tokens.append(value)
    else:
        w.tokens.append(b"U")
        w.put_payload(value.encode("utf-8", "surrogatepass"))


def _is_encodable(value: str) -> bool:
    """Whether there is no lone surrogate, which file names of other encodings bring in."""
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _get_str(r: Reader) -> str:
    return str(r.payload(), "utf-8", "surrogatepass")


def _put_bytes(w: Writer, value: bytes) -> None:
    w.tokens.append(b"B")
    w.put_payload(value)


def _put_bytearray(w: Writer, value: bytearray) -> None:
    _put_bytes(w, bytes(value))


def _put_memoryview(w: Writer, value: memoryview) -> None:
    _put_bytes(w, value.tobytes())


def _get_bytes(r: Reader) -> bytes:
    return bytes(r.payload())


def _put_list(w: Writer, value: list[Any]) -> None:
    w.open(b"L", len(value), nodes=len(value))
    w.put_all(value)
    w.close()


def _get_list(r: Reader) -> list[Any]:
    return r.values(r.count())


def _put_tuple(w: Writer, value: tuple[Any, ...]) -> None:
    w.open(b"t", len(value), nodes=len(value))
    w.put_all(value)
    w.close()


def _get_tuple(r: Reader) -> tuple[Any, ...]:
    return tuple(r.values(r.count()))


def _put_dict(w: Writer, value: dict[Any, Any]) -> None:
    w.open(b"D", len(value), nodes=2 * len(value))
    for key, item in value.items():
        w.put(key)
        w.put(item)
    w.close()


def _get_dict(r: Reader) -> dict[Any, Any]:
    n = r.count()
    value = {r.value(): r.value() for _ in range(n)}
    if len(value) != n:
        raise ValueCodecError(f"a dict of {n} items has only {len(value)} different keys")
    return value


def _put_set(w: Writer, value: set[Any]) -> None:
    _put_members(w, b"S", value)


def _put_frozenset(w: Writer, value: frozenset[Any]) -> None:
    _put_members(w, b"F", value)


def _put_members(w: Writer, tag: bytes, members: Collection[Any]) -> None:
    w.open(tag, len(members), nodes=len(members))
    encoded = []
    for member in members:
        twig = w.branch()
        twig.put(member)
        encoded.append((pack(twig.tokens), twig.tokens))
    for _, tokens in sorted(encoded, key=lambda pair: pair[0]):
        w.tokens += tokens
    w.close()


def _get_set(r: Reader) -> set[Any]:
    n = r.count()
    members = set(r.values(n))
    if len(members) != n:
        raise ValueCodecError(f"a set of {n} members has only {len(members)} different ones")
    return members


def _get_frozenset(r: Reader) -> frozenset[Any]:
    return frozenset(_get_set(r))


def _put_slice(w: Writer, value: slice) -> None:
    w.open(b"s")
    w.put_all((value.start, value.stop, value.step))
    w.close()


def _get_slice(r: Reader) -> slice:
    return slice(*r.values(3))


def _put_range(w: Writer, value: range) -> None:
    w.tokens.append(b"r")
    w.put_all((value.start, value.stop, value.step))


def _get_range(r: Reader) -> range:
    return range(*(r.typed(int) for _ in range(3)))


def _put_ellipsis(w: Writer, value: EllipsisType) -> None:
    del value
    w.tokens.append(b"...")


def _get_ellipsis(r: Reader) -> EllipsisType:
    del r
    return Ellipsis


PUTTERS: dict[type, Put] = {
    int: _put_int,
    complex: _put_complex,
    str: _put_str,
    bytes: _put_bytes,
    bytearray: _put_bytearray,
    memoryview: _put_memoryview,
    list: _put_list,
    tuple: _put_tuple,
    dict: _put_dict,
    set: _put_set,
    frozenset: _put_frozenset,
    slice: _put_slice,
    range: _put_range,
    EllipsisType: _put_ellipsis,
}
GETTERS: dict[bytes, Get] = {
    b"I": _get_int,
    b"c": _get_complex,
    b"U": _get_str,
    b"B": _get_bytes,
    b"L": _get_list,
    b"t": _get_tuple,
    b"D": _get_dict,
    b"S": _get_set,
    b"F": _get_frozenset,
    b"s": _get_slice,
    b"r": _get_range,
    b"...": _get_ellipsis,
}
