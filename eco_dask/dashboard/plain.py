"""Frozen dataclasses as plain values and back.

dataclass ──to_plain──► dict, list, str, number, None ──read──► dataclass
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_Kind = TypeVar("_Kind")


def to_plain(value: Any) -> Any:
    """Return a dataclass, or what is made of some, as plain values; mappings are not copied."""
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    # dataclasses.asdict copies deeply, which takes ten times as long for 1,000 providers.
    if is_dataclass(value):
        return {name: to_plain(each) for name, each in vars(value).items()}
    return value


def read(kind: type[_Kind], plain: Mapping[str, Any]) -> _Kind:
    """Make a dataclass of what :func:`to_plain` gave; keys that it does not know are left out.

    Raises
    ------
    ValueError
        A field without a default is missing, or something is of another form.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"{kind.__name__} is read from a mapping; got {plain!r:.80}")  # noqa: TRY004  hostile data, not a caller's mistake
    hashable: Any = kind
    types_of: dict[str, Any] = _types(hashable)
    given = {name: _read(types_of[name], plain[name]) for name in types_of if name in plain}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error


def _read(kind: Any, plain: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        if plain is None:
            return None
        (kind,) = (each for each in get_args(kind) if each is not types.NoneType)
    if is_dataclass(kind):
        return read(kind, plain)  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        if isinstance(plain, str) or not isinstance(plain, Sequence):
            raise ValueError(f"a list was expected; got {plain!r:.80}")
        return tuple(_read(get_args(kind)[0], each) for each in plain)
    return plain


@cache
def _types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}
