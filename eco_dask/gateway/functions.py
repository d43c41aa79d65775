"""The functions whose calls a gateway recognises, and how each takes its arguments.

    numpy.matmul, dask.array.routines._matmul, ... ──known_functions──► by id: check, arguments

What Dask puts around numpy's functions is listed by name with what it does; a test runs each of
them, so that a release of Dask that does otherwise is noticed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from eco_dask.verification.checks import BUILTIN, Checker

#: ``module:name`` of Dask's own, and what each does to the results of one block.
PASSED_THROUGH = {
    "dask._task_spec:_execute_subgraph": "graph",
    "dask.array.routines:_chunk_sum": "sum of blocks",
    "numpy:sum": "sum",
    "dask.array.chunk:getitem": "getitem",
}
#: Dask's wrappers that return what a function of numpy does.
SAME_AS = {
    "dask.array.linalg:_wrapped_qr": "numpy.linalg.qr",
    "dask.array.linalg:_cholesky_lower": "numpy.linalg.cholesky",
}
MATMUL, TENSORDOT = "dask.array.routines:_matmul", "dask.array.routines:_tensordot"
#: Positional arguments behind the arrays, by the names that checks know them by.
_OPTIONS = {
    "numpy.tensordot": ("axes",),
    "numpy.linalg.lstsq": ("rcond",),
    "numpy.linalg.qr": ("mode",),
    "numpy.linalg.svd": ("full_matrices", "compute_uv", "hermitian"),
    "numpy.linalg.eigh": ("UPLO",),
    "numpy.sort": ("axis", "kind"),
    **{f"numpy.fft.{name}": ("n", "axis", "norm") for name in ("fft", "ifft", "rfft", "irfft")},
}
_TWO_ARRAYS = frozenset(
    {"numpy.matmul", "numpy.dot", "_operator.matmul", "numpy.tensordot", "numpy.linalg.solve"}
) | {"numpy.linalg.lstsq"}

_Shape = tuple[int, ...]


def _no_shape(_: tuple[Any, ...], __: Mapping[str, Any]) -> _Shape | None:
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """What Dask does to the shape of a function's result; the numbers stay."""

    index: tuple[Any, ...] = (...,)
    #: Axes that must have length 1: a sum over them changes nothing.
    ones: tuple[int, ...] = ()
    #: What a sum converts to; must be what there is already.
    dtype: Any = None


@dataclass(frozen=True, slots=True)
class KnownFunction:
    """A function that has a check."""

    checker: Checker
    #: How many arrays it takes, its first arguments.
    arrays: int
    #: Names of its next arguments.
    options: tuple[str, ...] = ()
    #: Type of what it returns for arrays.
    result: type = np.ndarray
    #: Options whose None is the same as leaving them out.
    none_is_usual: frozenset[str] = frozenset({"n", "norm", "kind", "rcond"})
    #: Options of a wrapper that must have this value, and are none of numpy's.
    fixed: Mapping[str, object] = field(default_factory=dict)
    #: What a wrapper does to the shape of numpy's result, from the options.
    step: Callable[[Mapping[str, Any]], Step] | None = None
    #: Shape of numpy's result, from arrays and options; None if it is none that a step fits.
    shape: Callable[[tuple[Any, ...], Mapping[str, Any]], _Shape | None] = _no_shape


@cache
def known_functions() -> Mapping[int, KnownFunction | str]:
    """Return what is known of functions, by id: they are never freed, nor is the table."""
    import dask.array.chunk
    import dask.array.linalg
    import dask.array.routines

    del dask
    by_name = {name: _plain(name, checker) for name, checker in BUILTIN.items()}
    known: dict[int, KnownFunction | str] = {}
    for name, function in by_name.items():
        module, _, path = name.rpartition(".")
        known[id(getattr(sys.modules[module], path))] = function
    for reference, what in PASSED_THROUGH.items():
        _add(known, reference, what)
    for reference, name in SAME_AS.items():
        _add(known, reference, by_name[name])
    _add(known, MATMUL, _matmul())
    _add(known, TENSORDOT, _tensordot())
    return known


def _add(known: dict[int, KnownFunction | str], reference: str, what: KnownFunction | str) -> None:
    module, _, name = reference.partition(":")
    found = getattr(sys.modules.get(module), name, None)
    if found is not None:
        known[id(found)] = what


def _plain(name: str, checker: Checker) -> KnownFunction:
    one = np.eye(1)
    results: dict[str, type] = {
        "numpy.linalg.qr": type(np.linalg.qr(one)),
        "numpy.linalg.svd": type(np.linalg.svd(one)),
        "numpy.linalg.eigh": type(np.linalg.eigh(one)),
        "numpy.linalg.lstsq": tuple,
    }
    return KnownFunction(
        checker,
        2 if name in _TWO_ARRAYS else 1,
        _OPTIONS.get(name, ()),
        results.get(name, np.ndarray),
        shape=_product_shape if "matmul" in name or name == "numpy.dot" else _no_shape,
    )


def _matmul() -> KnownFunction:
    """``a @ b`` with the contracted axis put back as one of length 1, before the last."""
    return KnownFunction(
        BUILTIN["numpy.matmul"],
        2,
        step=lambda _: Step(index=(..., None, slice(None))),
        shape=_product_shape,
    )


def _tensordot() -> KnownFunction:
    """``np.tensordot`` with each contracted axis of ``a`` put back as one of length 1."""

    def step(options: Mapping[str, Any]) -> Step:
        index: list[Any] = []
        if pair := _pair(options):
            index = [slice(None)] * (max(pair[0]) + 1 - len(pair[0]))
            for axis in sorted(pair[0]):
                index.insert(axis, None)
        return Step(index=(*index, ...))

    return KnownFunction(
        BUILTIN["numpy.tensordot"],
        2,
        fixed={"is_sparse": False},
        step=step,
        shape=_contracted_shape,
    )


def _product_shape(arrays: tuple[Any, ...], _: Mapping[str, Any]) -> _Shape | None:
    a, b = arrays
    return (a.shape[0], b.shape[1]) if a.ndim == b.ndim == 2 else None  # noqa: PLR2004  matrices


def _contracted_shape(arrays: tuple[Any, ...], options: Mapping[str, Any]) -> _Shape | None:
    (a, b), pair = arrays, _pair(options)
    if pair is None or max(pair[0]) >= a.ndim or max(pair[1]) >= b.ndim:
        return None
    free = [n for i, n in enumerate(a.shape) if i not in pair[0]]
    return (*free, *(n for i, n in enumerate(b.shape) if i not in pair[1]))


def _pair(options: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the contracted axes of a and of b as Dask gives them, None if they are otherwise."""
    axes = options.get("axes")
    if not isinstance(axes, tuple | list) or len(axes) != 2:  # noqa: PLR2004  of a and of b
        return None
    if not all(isinstance(each, tuple | list) and each for each in axes):
        return None
    ours, theirs = tuple(axes[0]), tuple(axes[1])
    different = len(set(ours)) == len(ours) == len(theirs) == len(set(theirs))
    counted = all(type(i) is int and i >= 0 for i in (*ours, *theirs))
    return (ours, theirs) if different and counted else None
