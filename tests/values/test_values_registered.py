"""Classes a recruiter registers, and those that are not registered where the value arrives."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

import pytest

from eco_dask.errors import ValueCodecError
from eco_dask.values import encode, register
from eco_dask.values.registered import _registered


@register
@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: list


@register
class Pair(NamedTuple):
    left: int
    right: str = "r"


@register
class Kind(enum.Enum):
    ONE = "one"


@pytest.fixture
def forgotten():
    """Decode as a process does in which ``Pair`` and ``Kind`` were never registered."""
    known = dict(_registered)
    yield _registered.clear
    _registered.update(known)


@pytest.mark.parametrize("value", [Slotted(1, [Pair(1)]), Pair(3, "x"), Kind.ONE])
def test_registered_values_come_back(value):
    decoded = encode(value).decode()
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize("value", [Slotted(1, []), Pair(3), Kind.ONE])
def test_a_name_that_is_not_registered_here_is_refused(value, forgotten):
    encoded = encode(value)
    forgotten()
    with pytest.raises(ValueCodecError, match="not registered here"):
        encoded.decode()


def test_a_class_that_travelled_by_value_can_still_be_encoded(forgotten):
    forgotten()
    assert encode(Pair(1)).kind_name == f"{__name__}.Pair"


def test_other_fields_than_registered_are_refused():
    encoded = encode(Pair(1))
    _registered[f"{__name__}.Pair"] = Slotted
    try:
        with pytest.raises(ValueCodecError, match="same version"):
            encoded.decode()
    finally:
        register(Pair)
    assert encoded.decode() == Pair(1)


@dataclasses.dataclass
class Hidden:
    a: int = dataclasses.field(init=False, default=1)


@pytest.mark.parametrize("cls", [int, Hidden, tuple, lambda: None])
def test_other_classes_cannot_be_registered(cls):
    before = dict(_registered)
    with pytest.raises(ValueCodecError, match="cannot register"):
        register(cls)
    assert _registered == before
