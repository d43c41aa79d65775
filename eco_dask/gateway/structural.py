"""Tasks that move data and compute nothing: they run in the gateway, without lease, vote or pay.

    run_spec ──runs_here──► run_structural(decoded inputs) ──► encoded value

The list holds functions of dask, numpy and the standard library only: a recruiter's function never
runs here.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

from dask.core import literal

from eco_dask.dask_internals import Alias, DataNode, GraphNode, NestedContainer, Task, TaskRef
from eco_dask.errors import TaskRefusedError, ValueCodecError
from eco_dask.values import EncodedValue, encode
from eco_dask.values.registered import has_registered

#: ``module:name`` of what may run in a gateway; looked up only among modules already imported.
ALLOWED_NAMES = (
    "dask._task_spec:_identity_cast",
    "dask._task_spec:identity",
    "dask._task_spec:NestedContainer.to_container",
    "dask.array.chunk:getitem",
    "dask.array.core:concatenate3",
    "dask.array.core:getter",
    "dask.array.core:getter_inline",
    "dask.array.core:getter_nofancy",
    "dask.utils:is_namedtuple_instance",
)


@cache
def _allowed() -> frozenset[Any]:
    import dask.array.chunk
    import dask.array.core

    del dask
    import sys

    functions: set[Any] = {operator.getitem, refuse, tuple, list}
    for name in ALLOWED_NAMES:
        module, _, path = name.partition(":")
        found: Any = sys.modules.get(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is not None:
            functions.add(found)
    return frozenset(functions)


def refuse(message: str) -> None:
    """Raise :class:`TaskRefusedError`: what a task that cannot run on providers is turned into."""
    raise TaskRefusedError(message)


def runs_here(node: GraphNode, inputs: dict[Any, object]) -> bool:
    """Whether a task is structural and nothing of a recruiter's classes must be built for it."""
    if not is_structural(node):
        return False
    return isinstance(node, Alias) or not any(
        isinstance(value, EncodedValue) and has_registered(value.header)
        for value in inputs.values()
    )


def is_structural(node: GraphNode) -> bool:
    """Whether ``node`` and everything nested in it only moves data."""
    if isinstance(node, Alias | DataNode):
        return True
    if not isinstance(node, Task):
        return False
    # A literal is a callable that returns the recruiter's own constant.
    if not isinstance(node, NestedContainer) and type(node.func) is not literal:
        try:
            if node.func not in _allowed():
                return False
        except TypeError:
            # An unhashable callable is nobody's standard function.
            return False
    values = (*node.args, *node.kwargs.values())
    return all(_is_plain(value) for value in values)


def _is_plain(value: object) -> bool:
    if isinstance(value, TaskRef):
        return True
    if isinstance(value, GraphNode):
        return is_structural(value)
    if isinstance(value, list | tuple | set):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    # A recruiter's own class could bring its own __getitem__, __array__ or __hash__ along.
    return value is None or type(value).__module__ in ("builtins", "numpy")


def run_structural(node: GraphNode, inputs: dict[Any, object]) -> object:
    """Run a structural task; encoded inputs are decoded, the result is encoded.

    An alias hands its input on as it is. What a recruiter's client put into the graph and has no
    encoding stays the recruiter's object.
    """
    if isinstance(node, Alias):
        return inputs[node.target]
    decoded = {k: v.decode() if isinstance(v, EncodedValue) else v for k, v in inputs.items()}
    result = node(decoded)
    if isinstance(result, EncodedValue):
        return result
    try:
        return encode(result)
    except ValueCodecError:
        return result
