"""Encoded values whose type shows as that of the decoded value, as in ``Future.type``.

    EncodedValue ──shown_as_decoded──► the same value; pickle.dumps(type(value)) names numpy.ndarray

Dask's worker sends ``pickle.dumps(type(value))`` and ``typename(type(value))`` of what it stores
(worker_state_machine.py:2436 and 1767). What it stores are encoded values, and a recruiter should
read ``ndarray`` there. So a stored value gets a subclass that pickles as, and is named like, the
decoded type.
"""

from __future__ import annotations

import copy
import copyreg
from functools import cache
from typing import Any

from eco_dask.values import EncodedValue


class _Shown(type):
    """Metaclass of the subclasses: the pickler asks :mod:`copyreg` about it by its type."""

    shown: type


def _reduce(cls: _Shown) -> tuple[Any, tuple[type]]:
    # copy.copy returns a class as it is: an identity function that every process has.
    return copy.copy, (cls.shown,)


copyreg.pickle(_Shown, _reduce)


def shown_as_decoded(value: EncodedValue) -> EncodedValue:
    """Make the type of ``value`` show as that of the decoded value; return ``value`` itself."""
    object.__setattr__(value, "__class__", _subclass(value.python_type))
    return value


@cache
def _subclass(shown: type) -> _Shown:
    names = {"__slots__": (), "__module__": shown.__module__, "__qualname__": shown.__qualname__}
    cls = _Shown(shown.__name__, (EncodedValue,), names)
    cls.shown = shown
    return cls
