"""Named tuples, dataclasses and enums that a recruiter vouches for by registering the class.

    @eco_dask.values.register
    @dataclass
    class Fit: ...

Such a value is encoded under its class's name, ``module.qualname``, with its fields. Decoding calls
the registered class with the fields; a name that is not registered in this process is refused, and
nothing is ever imported to find it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, TypeVar

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import Get, Put, Reader, Writer

Cls = TypeVar("Cls", bound=type)

#: Set on the class itself: a class that travels by value keeps it where it arrives, so its values
#: can be encoded there without registering again.
_MARK = "__eco_dask_value__"
_registered: dict[str, type] = {}


def register(cls: Cls) -> Cls:
    """Let values of a class be encoded and decoded. Usable as a decorator.

    Parameters
    ----------
    cls : type
        A named tuple, a dataclass whose fields are all arguments of its constructor, or an enum.
        Its values' fields must themselves be encodable.

    Returns
    -------
    type
        ``cls``.

    Raises
    ------
    ValueCodecError
        If it is none of these. The registry is unchanged.
    """
    _field_names(cls)
    name = f"{cls.__module__}.{cls.__qualname__}"
    setattr(cls, _MARK, name)
    _registered[name] = cls
    return cls


def find_putter(cls: type) -> Put | None:
    """Return how to put values of a registered class, or None."""
    return _put_registered if _MARK in vars(cls) else None


def _field_names(cls: type) -> tuple[str, ...]:
    """Return the names of the fields; none for an enum, which has a member's name instead."""
    if isinstance(cls, type) and issubclass(cls, enum.Enum):
        return ()
    if dataclasses.is_dataclass(cls):
        fields = dataclasses.fields(cls)
        if all(field.init for field in fields):
            return tuple(field.name for field in fields)
    elif isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return tuple(cls._fields)
    raise ValueCodecError(
        f"cannot register {cls!r}: register a named tuple, an enum, or a dataclass without "
        f"field(init=False)"
    )


def _put_registered(w: Writer, value: Any) -> None:
    cls = type(value)
    name = vars(cls)[_MARK]
    if isinstance(value, enum.Enum):
        if value.name not in cls.__members__:
            raise ValueCodecError(f"{value!r} is a combination of {name}; convert it to an int")
        w.tokens += (b"registered", name, value.name)
        return
    fields = _field_names(cls)
    extra = set(getattr(value, "__dict__", ())) - set(fields)
    if extra:
        raise ValueCodecError(
            f"a {name} carries attributes besides its fields, {sorted(extra)}; make them fields"
        )
    w.open(b"registered", name, None, len(fields), nodes=2 * len(fields))
    for field in fields:
        w.tokens.append(field)
        w.put(getattr(value, field))
    w.close()


def _get_registered(r: Reader) -> Any:
    name, member = r.expect(str), r.expect(str, type(None))
    cls: Any = _registered.get(name)
    if cls is None:
        raise ValueCodecError(
            f"the value is a {name:.200}, which is not registered here; call "
            f"eco_dask.values.register on the class before"
        )
    if issubclass(cls, enum.Enum):
        return cls[member]
    given = {r.expect(str): r.value() for _ in range(r.count())}
    if tuple(given) != _field_names(cls):
        raise ValueCodecError(
            f"the value has the fields {list(given)!r:.200}, but {name} as registered here has "
            f"{list(_field_names(cls))}; use the same version of the class everywhere"
        )
    return cls(**given)


GETTERS: dict[bytes, Get] = {b"registered": _get_registered}
