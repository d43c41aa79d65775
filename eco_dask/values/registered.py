"""Named tuples, dataclasses and enums that a recruiter vouches for by registering the class.

    @eco_dask.values.register          encode ──► name, fields ──► decode: the class of that name
    @dataclass
    class Fit: ...

Such a value is encoded under its class's name, ``module.qualname``, with its fields. Decoding calls
the registered class with the fields; a name that is not registered in this process is refused. A
class gets to a provider's runner in one of three ways: its module is imported there and registers
it, it travels by value and registers itself on arrival, or the task brings it or its name along.
A gateway looks at such values and builds none.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Iterable
from importlib import import_module
from itertools import pairwise
from typing import Any, TypeVar

from eco_dask.errors import ValueCodecError
from eco_dask.values.limits import DEFAULT_LIMITS
from eco_dask.values.role import is_keeping_encoded
from eco_dask.values.stream import Get, Payload, Put, Reader, Writer, unpack

Cls = TypeVar("Cls", bound=type)

#: Set on the class itself, so that a class that travels by value takes it along.
_MARK = "__eco_dask_value__"
_TAG = b"registered"
#: How msgpack writes the tag: most headers are known to hold none by this.
_TAG_PACKED = b"\xc4" + bytes([len(_TAG)]) + _TAG
_registered: dict[str, type] = {}
#: References, ``module:qualname``, to classes that may be imported and registered, by their name.
_vouched: dict[str, str] = {}


class _Mark:
    """The name of a registered class; loading a pickle of it registers the class."""

    def __init__(self, cls: type, name: str) -> None:
        self.cls = cls
        self.name = name

    def __reduce__(self) -> tuple[Any, tuple[type, str]]:
        return _arrive, (self.cls, self.name)


def _arrive(cls: type, name: str) -> _Mark:
    # The class is still being put together, so nothing of it can be looked at yet.
    _registered[name] = cls
    return _Mark(cls, name)


class StandIn:
    """What a gateway gets for a value of a registered class: its code is not run there."""


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
    setattr(cls, _MARK, _Mark(cls, name))
    _registered[name] = cls
    return cls


def registered_references() -> tuple[str, ...]:
    """Return ``module:qualname`` of each registered class that can be found by it, sorted."""
    references = {f"{cls.__module__}:{cls.__qualname__}": cls for cls in _registered.values()}
    return tuple(sorted(ref for ref, cls in references.items() if _find(ref) is cls))


def vouch(references: Iterable[str]) -> None:
    """Allow classes to be imported and registered as soon as a value of theirs turns up.

    Parameters
    ----------
    references : iterable of str
        As from :func:`registered_references`, in the process of the recruiter who registered them.
    """
    for reference in references:
        _vouched[reference.replace(":", ".")] = reference


def classes_needed(header: Payload) -> tuple[type, ...]:
    """Return the classes registered here that decoding an encoded value will look for."""
    if not has_registered(header):
        return ()
    names = (after for token, after in pairwise(unpack(header, DEFAULT_LIMITS)) if token == _TAG)
    known = {name: _registered.get(name) for name in names if isinstance(name, str)}
    return tuple(cls for cls in known.values() if cls is not None)


def has_registered(header: Payload) -> bool:
    """Whether an encoded value may hold values of registered classes; never wrongly False."""
    return _TAG_PACKED in bytes(header)


def find_putter(cls: type) -> Put | None:
    """Return how to put values of a registered class, or None."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    if _MARK not in vars(cls) and name in _vouched:
        _import_vouched(name)
    return _put_registered if _MARK in vars(cls) else None


def _find(reference: str) -> Any:
    """Return what a reference means among the modules that are imported already."""
    module, _, path = reference.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    # Nobody else's main module is the same.
    return found if module != "__main__" else None


def _import_vouched(name: str) -> None:
    reference = _vouched[name]
    try:
        import_module(reference.partition(":")[0])
    except Exception as error:  # whatever that module does when it is imported
        raise ValueCodecError(
            f"the recruiter registered {reference}, but importing it failed here with "
            f"{type(error).__name__}: {error!s:.200}; install it on the providers, or define the "
            f"class where the job is written"
        ) from error
    cls = _find(reference)
    if not isinstance(cls, type):
        raise ValueCodecError(
            f"the recruiter registered {reference}, which is no class here; use the same version "
            f"of its module everywhere"
        )
    register(cls)


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
    name = vars(cls)[_MARK].name
    if isinstance(value, enum.Enum):
        if value.name not in cls.__members__:
            raise ValueCodecError(f"{value!r} is a combination of {name}; convert it to an int")
        w.tokens += (_TAG, name, value.name)
        return
    fields = _field_names(cls)
    extra = set(getattr(value, "__dict__", ())) - set(fields)
    if extra:
        raise ValueCodecError(
            f"a {name} carries attributes besides its fields, {sorted(extra)}; make them fields"
        )
    w.open(_TAG, name, None, len(fields), nodes=2 * len(fields))
    for field in fields:
        w.tokens.append(field)
        w.put(getattr(value, field))
    w.close()


def _get_registered(r: Reader) -> Any:
    name, member = r.expect(str), r.expect(str, type(None))
    if is_keeping_encoded():
        if member is None:
            for _ in range(r.count()):
                r.expect(str)
                r.value()
        return StandIn()
    if name not in _registered and name in _vouched:
        _import_vouched(name)
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


GETTERS: dict[bytes, Get] = {_TAG: _get_registered}
