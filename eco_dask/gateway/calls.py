"""A call that has a check, and what must hold of its answer before anything is computed.

KnownCall ──decoded──► arguments        answer ──bare──► what the function itself returned, or None
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from eco_dask.gateway.functions import KnownFunction, Step
from eco_dask.values import EncodedValue
from eco_dask.verification.checks import Call, Checker, CheckVerdict, Failed, NotApplicable

#: Types of numbers and texts whose methods are Python's or numpy's own.
SCALARS = frozenset({type(None), bool, int, float, complex, str, *np.sctypeDict.values()})


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call that can be checked, its arguments encoded where they are inputs of the task."""

    function: KnownFunction
    args: tuple[object, ...]
    kwargs: Mapping[str, object] = field(default_factory=dict)
    #: From the function's result to the task's.
    steps: tuple[Step, ...] = ()

    @property
    def checker(self) -> Checker:
        """The function's check."""
        return self.function.checker

    @property
    def size_bytes(self) -> int:
        """Bytes of all arguments that are arrays, more or less."""
        return sum(
            a.size_bytes if isinstance(a, EncodedValue) else int(getattr(a, "nbytes", 0))
            for a in (*self.args, *self.kwargs.values())
        )

    def decoded(self) -> Call | None:
        """Decode the arguments; None unless what should be arrays are arrays and nothing else.

        Raises
        ------
        ValueCodecError
            If one of them does not decode.
        """
        args = tuple(map(_decoded, self.args))
        # A masked array is one to isinstance, and computes otherwise.
        if not all(type(a) is np.ndarray for a in args):
            return None
        return Call(args, {name: _decoded(value) for name, value in self.kwargs.items()})

    def bare(self, call: Call, answer: Any) -> Any | CheckVerdict:
        """Undo what Dask did to the function's result, or say why that is not possible.

        Nothing but arrays, in the container that the function returns, comes through: None stands
        for everything else, so that each check sees what it must refuse.
        """
        if self.function.result is not np.ndarray:
            return self._bare_tuple(answer)
        answer = answer if type(answer) is np.ndarray else None
        if not self.steps:
            return answer
        shape = self.function.shape(call.args, call.kwargs)
        if shape is None:
            return NotApplicable("not the shapes that Dask contracts")
        dtype = np.result_type(*call.args)
        if any(step.dtype is not None and step.dtype != dtype for step in self.steps):
            return NotApplicable("Dask converts the result")
        expected = _shape_after(shape, self.steps)
        if expected is None:
            return NotApplicable("Dask computes with the result")
        if answer is None or answer.shape != expected:
            return Failed(f"the result is an array of shape {expected}")
        return answer.reshape(shape)

    def _bare_tuple(self, answer: Any) -> Any | CheckVerdict:
        if type(answer) is tuple and self.function.result is not tuple:
            return NotApplicable("another release of numpy, perhaps")
        if not isinstance(answer, tuple) or type(answer) is not self.function.result:
            return None
        return tuple(i if type(i) is np.ndarray or type(i) in SCALARS else None for i in answer)


def _decoded(value: object) -> Any:
    return value.decode() if isinstance(value, EncodedValue) else value


def _shape_after(shape: tuple[int, ...], steps: tuple[Step, ...]) -> tuple[int, ...] | None:
    """Return the shape after all steps, None if one of them would change more than that."""
    for step in steps:
        if any(i >= len(shape) or shape[i] != 1 for i in step.ones):
            return None
        try:
            after = np.broadcast_to(np.int8(0), shape)[step.index].shape
        except IndexError:
            return None
        if prod(after) != prod(shape):
            return None
        shape = after
    return shape
