"""How each message type lies on the wire, worked out once from its annotations.

::

    Lease --layout--> code 68 | header fields and their predicates | number of buffers
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from reprlib import Repr
from typing import Any, get_type_hints

from eco_dask.errors import WireError
from eco_dask.wire.fields import Buffer, Kind, Predicate
from eco_dask.wire.messages import MESSAGE_TYPES, Direction, Message

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


@dataclass(frozen=True, slots=True)
class Layout:
    """One message type on the wire."""

    #: The dataclass; called with header values, then buffers.
    build: Callable[..., Message]
    name: str
    code: int
    #: Field names in wire order, header fields first.
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    #: One per header field.
    predicates: tuple[Predicate, ...]
    #: The header fields of a message, as a tuple.
    header_of: Callable[[Message], tuple[Any, ...]]
    #: The buffers of a message, as a tuple.
    buffers_of: Callable[[Message], tuple[Buffer, ...]]
    buffers_count: int

    def explain(self, values: tuple[object, ...]) -> WireError:
        """Name what is wrong with header values that the predicates refuse."""
        width = len(self.predicates)
        if len(values) != width:
            return WireError(
                "fields-count", f"{self.name} has {width} header fields; got {len(values)}"
            )
        for name, kind, value in zip(self.names, self.kinds, values, strict=False):
            if not kind.fits(value):
                return WireError(
                    kind.refusal(value),
                    f"{self.name}.{name} must be {kind.words}; "
                    f"got {type(value).__name__} {_SHORT.repr(value)}",
                )
        raise AssertionError(f"explain called for well-formed {self.name} fields")


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """``attrgetter`` that gives a tuple for one name and for none, too."""
    if not names:
        return lambda message: ()  # noqa: ARG005  a message without buffers
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda message: (one(message),)
    return attrgetter(*names)


def kinds_of(message_type: type[Message]) -> dict[str, Kind]:
    """Names and kinds of a message's fields, in wire order."""
    hints = get_type_hints(message_type, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(message_type)}


def _layout(message_type: type[Message]) -> Layout:
    kinds = kinds_of(message_type)
    header = tuple(name for name, kind in kinds.items() if not kind.raw)
    buffers = tuple(name for name, kind in kinds.items() if kind.raw)
    if (*header, *buffers) != tuple(kinds):
        raise TypeError(f"{message_type.__name__}: buffers must be the last fields")
    return Layout(
        build=message_type,
        name=message_type.__name__,
        code=message_type.TYPE_CODE,
        names=tuple(kinds),
        kinds=tuple(kinds.values()),
        predicates=tuple(kinds[name].fits for name in header),
        header_of=_getter(header),
        buffers_of=_getter(buffers),
        buffers_count=len(buffers),
    )


#: By message class, for sending.
LAYOUTS: dict[type[Message], Layout] = {each: _layout(each) for each in MESSAGE_TYPES}

#: By direction and type code, for receiving.
READABLE: dict[Direction, dict[int, Layout]] = {
    direction: {
        each.TYPE_CODE: LAYOUTS[each]
        for each in MESSAGE_TYPES
        if each.DIRECTION in (direction, Direction.BOTH)
    }
    for direction in (Direction.TO_GATEWAY, Direction.TO_PROVIDER)
}

#: The longest list that any message of a direction may hold.
ITEMS_MAX: dict[Direction, int] = {
    direction: max(kind.items_max for layout in layouts.values() for kind in layout.kinds)
    for direction, layouts in READABLE.items()
}

if len({each.TYPE_CODE for each in MESSAGE_TYPES}) != len(MESSAGE_TYPES):
    raise TypeError("two message types share a type code")
