"""Containers and numbers of the standard library, and numpy's own named tuples.

    OrderedDict, Counter, defaultdict, deque, Decimal, UUID ──► tokens ──► the same

All of them are built from plain values by constructors that run nobody's code. A default dict's
factory is one of the builtin types below, or none.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import Get, Put, Reader, Writer

_FACTORIES: dict[str, type] = {
    cls.__name__: cls
    for cls in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)
}
#: Where numpy 2 keeps the classes of what its functions return.
_NUMPY_TUPLES = {
    "numpy.linalg._linalg": (
        "EigResult",
        "EighResult",
        "QRResult",
        "SVDResult",
        "SlogdetResult",
    ),
    "numpy.lib._arraysetops_impl": (
        "UniqueAllResult",
        "UniqueCountsResult",
        "UniqueInverseResult",
    ),
}
_NUMPY_CLASSES: dict[str, Any] = {
    name: getattr(import_module(module), name)
    for module, names in _NUMPY_TUPLES.items()
    for name in names
    if find_spec(module) is not None and hasattr(import_module(module), name)
}


def _put_ordered_dict(w: Writer, value: OrderedDict[Any, Any]) -> None:
    w.open(b"OD")
    w.put(dict(value))
    w.close()


def _get_ordered_dict(r: Reader) -> OrderedDict[Any, Any]:
    return OrderedDict(r.typed(dict))


def _put_counter(w: Writer, value: Counter[Any]) -> None:
    w.open(b"Counter")
    w.put(dict(value))
    w.close()


def _get_counter(r: Reader) -> Counter[Any]:
    return Counter(r.typed(dict))


def _put_defaultdict(w: Writer, value: defaultdict[Any, Any]) -> None:
    factory: Any = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and _FACTORIES.get(name) is not factory:
        raise ValueCodecError(
            f"a defaultdict whose factory is {factory!r:.80} has no safe encoding; use one of the "
            f"builtin types {', '.join(_FACTORIES)}, or return dict(value)"
        )
    w.open(b"DD", name)
    w.put(dict(value))
    w.close()


def _get_defaultdict(r: Reader) -> defaultdict[Any, Any]:
    name = r.expect(str, type(None))
    return defaultdict(None if name is None else _FACTORIES[name], r.typed(dict))


def _put_deque(w: Writer, value: deque[Any]) -> None:
    w.open(b"deque", value.maxlen)
    w.put(list(value))
    w.close()


def _get_deque(r: Reader) -> deque[Any]:
    length_max = r.expect(int, type(None))
    items = r.typed(list)
    if length_max is not None and len(items) > length_max:
        raise ValueCodecError(f"a deque of at most {length_max} items has {len(items)}")
    return deque(items, length_max)


def _put_decimal(w: Writer, value: Decimal) -> None:
    w.tokens.append(b"decimal")
    w.put(str(value))


def _get_decimal(r: Reader) -> Decimal:
    text = r.typed(str)
    value = Decimal(text)
    if str(value) != text:
        raise ValueCodecError(f"the decimal number {value!s:.80} is not written like {text!r:.80}")
    return value


def _put_uuid(w: Writer, value: UUID) -> None:
    w.tokens += (b"uuid", value.bytes)


def _get_uuid(r: Reader) -> UUID:
    return UUID(bytes=r.expect(bytes))


def _put_numpy_tuple(w: Writer, value: Any) -> None:
    w.open(b"np.tuple", type(value).__name__)
    w.put(tuple(value))
    w.close()


def _get_numpy_tuple(r: Reader) -> Any:
    return _NUMPY_CLASSES[r.expect(str)]._make(r.typed(tuple))


TYPES: dict[bytes, type] = {
    b"OD": OrderedDict,
    b"Counter": Counter,
    b"DD": defaultdict,
    b"deque": deque,
    b"decimal": Decimal,
    b"uuid": UUID,
    b"np.tuple": tuple,
}
PUTTERS: dict[type, Put] = {
    OrderedDict: _put_ordered_dict,
    Counter: _put_counter,
    defaultdict: _put_defaultdict,
    deque: _put_deque,
    Decimal: _put_decimal,
    UUID: _put_uuid,
    **dict.fromkeys(_NUMPY_CLASSES.values(), _put_numpy_tuple),
}
GETTERS: dict[bytes, Get] = {
    b"OD": _get_ordered_dict,
    b"Counter": _get_counter,
    b"DD": _get_defaultdict,
    b"deque": _get_deque,
    b"decimal": _get_decimal,
    b"uuid": _get_uuid,
    b"np.tuple": _get_numpy_tuple,
}
