"""Which known call hides in a Dask task: numpy's own functions, as Dask wraps and fuses them.

    run_spec, inputs ──known_call──► KnownCall(function, args, kwargs, steps) | None

Functions are known by identity, not by name: a recruiter's function that calls itself
``numpy.matmul`` would have honest owners fail the check of something else. Nothing of a recruiter's
is called, compared or hashed here, and nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from eco_dask.dask_internals import Alias, DataNode, GraphNode, Task, TaskRef
from eco_dask.gateway.calls import SCALARS, KnownCall
from eco_dask.gateway.functions import KnownFunction, Step, known_functions
from eco_dask.values import EncodedValue
from eco_dask.values.registered import has_registered

#: Fused graphs in fused graphs, and names of names, are followed this far.
_DEPTH_MAX = 32
_ITEMS_MAX = 100

#: What a key means in a graph: a node and where its own keys are looked up. None if nothing.
_Scope: TypeAlias = "Callable[[Any], tuple[object, _Scope] | None]"


def known_call(run_spec: GraphNode, inputs: Mapping[Any, object]) -> KnownCall | None:
    """Find the call that a task's result comes from, if a check knows its function.

    Parameters
    ----------
    run_spec : GraphNode
        The task as Dask has it: a plain one, or a fused graph that ends in a known call.
    inputs : mapping
        By key: encoded values, or a recruiter's own objects, which no check looks at.

    Returns
    -------
    KnownCall or None
        None as well if an argument is computed in the same task, or is no plain data.
    """
    return _find(run_spec, lambda key: (_Given(inputs[key]), _nowhere) if key in inputs else None)


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that came from outside of the graph, whatever it looks like."""

    value: object


def _nowhere(_: Any) -> None:
    return None


def _find(node: object, scope: _Scope) -> KnownCall | None:
    steps: list[Step] = []
    functions = known_functions()
    for _ in range(_DEPTH_MAX):
        found = _follow(node, scope)
        if found is None or type(found[0]) is not Task:
            return None
        task, scope = found
        function, args, kwargs = whole_call(task)
        known = functions.get(id(function))
        if isinstance(known, KnownFunction):
            return _call(known, args, kwargs, scope, tuple(reversed(steps)))
        if known == "graph":
            entered = _enter(args, scope)
            if entered is None or kwargs:
                return None
            node, scope = entered
            continue
        step = _step(known, args, kwargs)
        if step is None:
            return None
        steps.append(step)
        node = args[0]
    return None


def whole_call(task: Task) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Return a task's function and arguments, those that a partial brings along included."""
    function = task.func
    if type(function) is not partial:
        return function, tuple(task.args), dict(task.kwargs)
    return (
        function.func,
        (*function.args, *task.args),
        {**function.keywords, **task.kwargs},
    )


def _follow(node: Any, scope: _Scope) -> tuple[object, _Scope] | None:
    for _ in range(_DEPTH_MAX):
        if type(node) is TaskRef:
            key = node.key
        elif type(node) is Alias:
            key = node.target
        else:
            return node, scope
        found = scope(key)
        if found is None:
            return None
        node, scope = found
    return None


def _enter(args: tuple[Any, ...], outer: _Scope) -> tuple[object, _Scope] | None:
    """Return the last node of a fused graph, and the scope in there."""
    if len(args) < 3 or type(args[0]) is not dict or type(args[2]) not in (tuple, list):  # noqa: PLR2004  as _execute_subgraph has them
        return None
    inner, last, keys, *given = args
    if len(keys) != len(given):
        return None
    bound = dict(zip(keys, given, strict=True))

    def look(key: Any) -> tuple[object, _Scope] | None:
        if key in bound:
            return bound[key], outer
        return (inner[key], look) if key in inner else None

    return TaskRef(last), look


def _step(known: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Step | None:
    """Read what is done to a result of one block, if that only changes its shape."""
    if known == "getitem" and len(args) == 2 and not kwargs:  # noqa: PLR2004  array, index
        index = args[1]
        plain = type(index) is tuple and all(
            (type(i) is slice and (i.start, i.stop, i.step) == (None, None, None))
            or (type(i) is int and i == 0)
            for i in index
        )
        return Step(index=index) if plain else None
    if known not in ("sum", "sum of blocks") or len(args) != 1:
        return None
    axis, keepdims = kwargs.pop("axis", None), kwargs.pop("keepdims", None)
    dtype = kwargs.pop("dtype", None)
    if kwargs or keepdims is not True or type(axis) is not tuple:
        return None
    if not all(type(i) is int and i >= 0 for i in axis) or not _is_dtype(dtype):
        return None
    return Step(ones=axis, dtype=dtype if known == "sum" else None)


def _is_dtype(dtype: object) -> bool:
    return dtype is None or (issubclass(type(dtype), np.dtype) and dtype.kind in "fc")  # type: ignore[attr-defined]


def _call(
    known: KnownFunction,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    scope: _Scope,
    steps: tuple[Step, ...],
) -> KnownCall | None:
    arrays, options = args[: known.arrays], args[known.arrays :]
    if len(arrays) < known.arrays or len(options) > len(known.options):
        return None
    named = dict(zip(known.options, options, strict=False))
    if named.keys() & kwargs.keys():
        return None
    given = [_argument(node, scope) for node in arrays]
    found = {name: _argument(node, scope) for name, node in (named | kwargs).items()}
    if any(value is _UNKNOWN for value in (*given, *found.values())):
        return None
    if any(found.pop(name, fixed) is not fixed for name, fixed in known.fixed.items()):
        return None
    usual = {k: v for k, v in found.items() if v is not None or k not in known.none_is_usual}
    steps = steps if known.step is None else (known.step(usual), *steps)
    return KnownCall(known, tuple(given), usual, steps)


_UNKNOWN = object()


def _argument(node: object, scope: _Scope) -> object:
    found = _follow(node, scope)
    if found is None:
        return _UNKNOWN
    value: Any = found[0]
    if type(value) is _Given or type(value) is DataNode:
        value = value.value
    if issubclass(type(value), EncodedValue):
        registered = has_registered(value.header)
        return _UNKNOWN if registered else value
    return value if _is_plain(value) else _UNKNOWN


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is np.ndarray:
        return value.dtype.kind in "biufc"  # type: ignore[attr-defined]
    return kind in (tuple, list) and (
        len(value) <= _ITEMS_MAX and all(map(_is_plain, value))  # type: ignore[arg-type, call-overload]
    )
