"""scipy.sparse matrices and arrays, from parts; indices are checked before scipy trusts them."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from eco_dask.errors import ValueCodecError
from eco_dask.values.arrays import get_exactly_array
from eco_dask.values.stream import Get, Put, Reader, Writer

_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
}
_CLASSES = {
    f"{kind}_{flavour}": getattr(sparse, f"{kind}_{flavour}")
    for kind in _PARTS
    for flavour in ("matrix", "array")
}


def find_putter(cls: type) -> Put | None:
    """Return how to put a value of a class of scipy, or None."""
    if _CLASSES.get(cls.__name__) is cls:
        return _put_sparse
    if issubclass(cls, sparse.sparray | sparse.spmatrix):
        raise ValueCodecError(
            f"a sparse {cls.__name__} has no safe encoding; convert it with .tocsr()"
        )
    return None


def _put_sparse(w: Writer, matrix: Any) -> None:
    name = type(matrix).__name__
    w.open(f"scipy.sparse.{name}".encode())
    w.put(tuple(map(int, matrix.shape)))
    for part in _PARTS[matrix.format]:
        w.put(getattr(matrix, part))
    w.close()


def _getter(name: str) -> Get:
    kind = name.partition("_")[0]

    def get(r: Reader) -> Any:
        shape = r.typed(tuple)
        data = get_exactly_array(r)
        if kind == "coo":
            return _coo(_CLASSES[name], shape, data, r.typed(tuple))
        if kind == "dia":
            return _CLASSES[name]((data, get_exactly_array(r)), shape=shape)
        return _compressed(
            _CLASSES[name], shape, data, (get_exactly_array(r), get_exactly_array(r))
        )

    return get


def _compressed(cls: Any, shape: Any, data: Any, index: tuple[Any, Any]) -> Any:
    indices, indptr = index
    if {indices.dtype.kind, indptr.dtype.kind} != {"i"} or indices.ndim != 1 or indptr.ndim != 1:
        raise ValueCodecError("the indices of a sparse matrix are no one-dimensional integers")
    matrix = cls((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    # The constructor narrows 64-bit indices where it can; the value keeps the ones it had.
    matrix.indices, matrix.indptr = indices, indptr
    return matrix


def _coo(cls: Any, shape: Any, data: Any, coords: tuple[Any, ...]) -> Any:
    if any(getattr(getattr(c, "dtype", None), "kind", None) != "i" or c.ndim != 1 for c in coords):
        raise ValueCodecError("the coordinates of a sparse matrix are no one-dimensional integers")
    matrix = cls((data, coords), shape=shape)
    matrix.coords = coords
    return matrix


GETTERS: dict[bytes, Get] = {f"scipy.sparse.{name}".encode(): _getter(name) for name in _CLASSES}
