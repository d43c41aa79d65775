"""Kinds of message fields: what each accepts, and how the protocol page describes it.

Messages annotate their fields with a kind; :mod:`eco_dask.wire.layout` works out the rest.

::

    Annotated[LeaseId, text(128)] ─► fits(value) -> bool      on every message, both ways
                                  ─► refusal(value) -> code   once something does not fit
                                  ─► words                    in docs/protocol.md
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

#: Says whether a value is one that the field may carry.
Predicate: TypeAlias = Callable[[object], bool]
#: What travels outside the header, uncopied; received buffers are views into their frame.
Buffer: TypeAlias = bytes | bytearray | memoryview
#: A value of a :func:`facts` field.
Fact: TypeAlias = str | int | float | bool | list[str] | None

#: The longest span the protocol speaks of, about 31 years.
SPAN_S_MAX = 1e9
#: Counts and sizes stay within this, so that every database and language can hold them.
WHOLE_MAX = 2**63 - 1
#: Entries of a map.
PAIRS_MAX = 64
#: Characters of a map's key, characters of a text in it, texts in a list in it.
KEY_CHARS_MAX, FACT_CHARS_MAX, FACT_ITEMS_MAX = 64, 256, 256


@dataclass(frozen=True, slots=True)
class Kind:
    """What one field of a message may carry."""

    words: str
    fits: Predicate
    #: The reason code for a value that does not fit.
    refusal: Callable[[object], str]
    #: The longest list it accepts.
    items_max: int = 0
    #: Whether it travels behind the header.
    raw: bool = False


def _coded(is_type: Predicate, code: str) -> Callable[[object], str]:
    return lambda value: code if is_type(value) else "field-type"


def text(chars_max: int, chars_min: int = 0) -> Kind:
    """Text of bounded length, in characters."""
    return Kind(
        f"text, {chars_min} to {chars_max} characters",
        lambda value: isinstance(value, str) and chars_min <= len(value) <= chars_max,
        _coded(lambda value: isinstance(value, str), "text-length"),
    )


def octets(size_bytes: int, *, or_none: bool = False) -> Kind:
    """Bytes of a fixed length, or no bytes at all."""
    sizes = (size_bytes, 0) if or_none else (size_bytes,)
    return Kind(
        f"{size_bytes} bytes" + (" or none" if or_none else ""),
        lambda value: isinstance(value, bytes) and len(value) in sizes,
        _coded(lambda value: isinstance(value, bytes), "bytes-length"),
    )


def whole(low: int = 0, high: int = WHOLE_MAX) -> Kind:
    """A whole number within bounds; a bool is none."""
    return Kind(
        f"whole number, {low} to {'2^63 - 1' if high == WHOLE_MAX else high}",
        lambda value: type(value) is int and low <= value <= high,
        _coded(lambda value: type(value) is int, "number-range"),
    )


def seconds() -> Kind:
    """A span of time, finite and not negative. A whole number is welcome, as for any float."""
    return Kind(
        "number, 0 to 10^9",
        # The comparison is false for NaN and for infinities, which is the point.
        lambda value: (isinstance(value, float) or type(value) is int) and 0 <= value <= SPAN_S_MAX,
        _coded(lambda value: isinstance(value, float) or type(value) is int, "number-range"),
    )


def truth() -> Kind:
    """True or false, never a number that stands for it."""
    return Kind("boolean", lambda value: type(value) is bool, lambda _: "field-type")


def many(item: Kind, items_max: int) -> Kind:
    """A bounded tuple of items of one kind."""
    fits_item = item.fits

    def refusal(value: object) -> str:
        if not isinstance(value, tuple):
            return "field-type"
        if len(value) > items_max:
            return "items-count"
        return next(item.refusal(each) for each in value if not fits_item(each))

    return Kind(
        f"list of at most {items_max}, each {item.words}",
        lambda value: (
            isinstance(value, tuple) and len(value) <= items_max and all(map(fits_item, value))
        ),
        refusal,
        items_max,
    )


def facts(*, texts_only: bool = False) -> Kind:
    """A small map from names to bounded scalars and lists of texts, or to texts only."""
    fits_key = text(KEY_CHARS_MAX, chars_min=1).fits
    fits_fact = _fits_fact_text if texts_only else _fits_fact
    of = "text" if texts_only else "text, finite number, boolean, nil or list of texts"

    def refusal(value: object) -> str:
        if not isinstance(value, dict):
            return "field-type"
        return "items-count" if len(value) > PAIRS_MAX else "map-content"

    return Kind(
        f"map of at most {PAIRS_MAX}, keys 1 to {KEY_CHARS_MAX} characters, "
        f"each value {of}, texts at most {FACT_CHARS_MAX} characters",
        lambda value: (
            isinstance(value, dict)
            and len(value) <= PAIRS_MAX
            and all(map(fits_key, value))
            and all(map(fits_fact, value.values()))
        ),
        refusal,
        FACT_ITEMS_MAX,
    )


def _fits_fact_text(fact: object) -> bool:
    return isinstance(fact, str) and len(fact) <= FACT_CHARS_MAX


def _fits_fact(fact: object) -> bool:
    match fact:
        case None | bool():
            return True
        case int():
            return -WHOLE_MAX <= fact <= WHOLE_MAX
        case float():
            return isfinite(fact)
        case list():
            return len(fact) <= FACT_ITEMS_MAX and all(map(_fits_fact_text, fact))
        case _:
            return _fits_fact_text(fact)


def raw() -> Kind:
    """A buffer: travels behind the header, its length bounded by the frame alone."""
    return Kind(
        "buffer",
        lambda value: (
            isinstance(value, bytes | bytearray)
            or (isinstance(value, memoryview) and value.c_contiguous)
        ),
        lambda _: "field-type",
        raw=True,
    )


def clip(prose: str, chars_max: int) -> str:
    """Make any text fit a :func:`text` field: lone surrogates replaced, the middle left out.

    The ends are kept because a traceback says where it began at the top and what broke at the
    bottom.
    """
    prose = prose.encode("utf-8", "replace").decode("utf-8")
    if len(prose) <= chars_max:
        return prose
    gap = "\n[...]\n"[:chars_max]
    head = (chars_max - len(gap)) // 2
    tail = chars_max - len(gap) - head
    return prose[:head] + gap + prose[len(prose) - tail :]
