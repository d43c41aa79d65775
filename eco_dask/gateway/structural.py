"""Tasks that move data and compute nothing: they run in the gateway, without lease, vote or pay.

    run_spec ──runs_here──► run_structural(decoded inputs) ──► encoded value

The list holds functions of dask, numpy and the standard library only: a recruiter's function never
runs here.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

import numpy as np
from dask.core import literal

from eco_dask.dask_internals import Alias, DataNode, Dict, GraphNode, NestedContainer, Task, TaskRef
from eco_dask.errors import TaskRefusedError, ValueCodecError
from eco_dask.values import EncodedValue, encode
from eco_dask.values.registered import has_registered
from eco_dask.values.unsafe import holds_pickle

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
#: Types whose methods are Python's own.
_PLAIN_TYPES = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, type(Ellipsis)}
)
#: What Dask's own nested containers are built with.
_CONSTRUCTORS = (list, tuple, set, Dict.constructor)
#: A container of more is not looked through here: such a task goes to providers.
_ITEMS_MAX = 10_000


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
    """Whether a task is structural and no code of a recruiter's classes can run for it.

    An encoded input decodes to the codec's own types; a raw one, which a client put here, may be an
    object whose methods are the recruiter's, such as a file that opens when it is indexed.
    """
    if not is_structural(node):
        return False
    return isinstance(node, Alias) or all(
        not (has_registered(value.header) or holds_pickle(value.header))
        if isinstance(value, EncodedValue)
        else _is_plain(value)
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
    options = dict(node.kwargs)
    if isinstance(node, NestedContainer) and options.get("constructor") in _CONSTRUCTORS:
        del options["constructor"]
    return all(map(_is_plain, (*node.args, *options.values())))


def _is_plain(value: object) -> bool:
    """Whether no method of ``value``, or of anything in it, is a recruiter's.

    A recruiter's own class could bring its own __getitem__, __index__, __array__ or __hash__ along.
    """
    kind = type(value)
    if kind is TaskRef or kind in _PLAIN_TYPES:
        return True
    if kind is type:
        # Indexing a class may call its __class_getitem__.
        return value.__module__ in ("builtins", "numpy")
    if isinstance(value, DataNode):
        return _is_plain(value.value)
    if isinstance(value, GraphNode):
        return is_structural(value)
    if kind in (list, tuple, set, frozenset):
        return len(value) <= _ITEMS_MAX and all(map(_is_plain, value))  # type: ignore[arg-type, call-overload]
    if isinstance(value, dict) and kind is dict:
        return len(value) <= _ITEMS_MAX and all(map(_is_plain, (*value, *value.values())))
    if isinstance(value, slice):
        return all(map(_is_plain, (value.start, value.stop, value.step)))
    if isinstance(value, np.dtype):
        return not value.hasobject
    return (kind is np.ndarray or isinstance(value, np.generic)) and not value.dtype.hasobject  # type: ignore[attr-defined]


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
