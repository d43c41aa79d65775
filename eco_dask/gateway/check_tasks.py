"""A recruiter's own check as a task for a trusted worker: its code never runs in a gateway.

    run_spec, inputs, OwnCheck(pickled checker, answer, seed) ──check_task──► Package ──lease──►
    trusted worker: eco_dask.checks.run_check ──► its answer ──verdict_of──► CheckVerdict

The checker travels as the recruiter's client pickled it; only the worker's runner unpickles it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from eco_dask.checks import run_check
from eco_dask.dask_internals import GraphNode, Task, TaskRef
from eco_dask.errors import ValueCodecError
from eco_dask.gateway.finding import whole_call
from eco_dask.gateway.functions import known_functions
from eco_dask.gateway.packing import Package, pack
from eco_dask.text import clean
from eco_dask.values import EncodedValue
from eco_dask.verification.checks import CheckVerdict, Failed, NotApplicable, Passed, name_of

#: Key of the answer among the inputs of a check.
_ANSWER = ("eco_dask", "answer")
_REASON_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A task whose function the recruiter registered a check for."""

    run_spec: GraphNode
    #: As for :func:`~eco_dask.gateway.packing.pack`.
    inputs: Mapping[Any, object]
    #: The checker, pickled by the recruiter's client; opaque here.
    checker: bytes
    #: References to the classes that the recruiter registered.
    vouched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """What is checked, and by what."""

    #: The checker, pickled by the recruiter's client; opaque here.
    checker: bytes
    answer: EncodedValue
    #: 32 bytes that nobody knew when the answer was given.
    seed: bytes
    #: References to the classes that the recruiter registered.
    vouched: tuple[str, ...] = ()


def own_checker_of(run_spec: GraphNode, checkers: Mapping[str, bytes]) -> bytes | None:
    """Return the recruiter's pickled check of a task's function, None if there is none.

    Parameters
    ----------
    run_spec : GraphNode
        A plain task; in a fused one no function stands for all of it.
    checkers : mapping
        By the name that :func:`~eco_dask.verification.checks.name_of` gives the function.
    """
    if not checkers or type(run_spec) is not Task:
        return None
    function, _, _ = whole_call(run_spec)
    # Asking anything else for its name might run a recruiter's code.
    if type(function) not in (FunctionType, BuiltinFunctionType, np.ufunc):
        return None
    if isinstance(known_functions().get(id(function)), str):
        return None
    return checkers.get(name_of(function))


def check_task(run_spec: GraphNode, inputs: Mapping[Any, object], own: OwnCheck) -> Package:
    """Make a lease's package that checks the answer to a task.

    Parameters
    ----------
    run_spec : GraphNode
        The task whose answer is checked; plain, see :func:`own_checker_of`.
    inputs : mapping
        Its inputs by key, as for :func:`~eco_dask.gateway.packing.pack`.
    own : OwnCheck
        The check. Only a trusted worker may get it: the word of others proves nothing.

    Raises
    ------
    ValueError
        If the task is not plain.
    Exception
        Whatever pickling the recruiter's task raises.
    """
    if type(run_spec) is not Task:
        raise ValueError(f"only plain tasks have checks of their own; got {type(run_spec)}")
    _, args, kwargs = whole_call(run_spec)
    checker = Task(None, pickle.loads, own.checker)
    node = Task("check", run_check, checker, TaskRef(_ANSWER), own.seed, *args, **kwargs)
    return pack(node, {**inputs, _ANSWER: own.answer}, own.vouched)


def verdict_of(value: EncodedValue) -> CheckVerdict:
    """Read what a trusted worker answers to the task of a check."""
    try:
        said = value.decode()
    except ValueCodecError as error:
        return NotApplicable(f"the check's answer does not decode: {error}")
    match said:
        case ("passed", float(power)) if 0 <= power <= 1:
            return Passed(power)
        case ("failed", str(reason)):
            return Failed(clean(reason, _REASON_CHARS_MAX))
        case ("not applicable", str(reason)):
            return NotApplicable(clean(reason, _REASON_CHARS_MAX))
        case _:
            return NotApplicable("the check answered something that is no verdict")
