"""xarray Variable, DataArray and Dataset, from their parts; only data in memory.

    Dataset --> variables, indexes, names of coordinates, attrs --> Dataset

``encoding``, which says how a file was written, is no part of the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from xarray.core.indexing import (
    ExplicitlyIndexed,
    PandasIndexingAdapter,
    PandasMultiIndexingAdapter,
)
from xarray.indexes import PandasIndex, PandasMultiIndex
from xarray.namedarray.utils import ReprObject

from eco_dask.errors import ValueCodecError
from eco_dask.values.columns import get_index
from eco_dask.values.stream import Get, Put, Reader, Writer


def _put_variable(w: Writer, variable: Any) -> None:
    w.open(f"xarray.{type(variable).__name__}".encode())
    _put_dims_and_attrs(w, variable)
    if isinstance(variable, xr.IndexVariable):
        w.put(variable.to_index())
        w.put(variable.dtype)
    else:
        w.put(_in_memory(variable))
    w.close()


def _put_dims_and_attrs(w: Writer, variable: Any) -> None:
    w.put(tuple(variable.dims))
    w.put(dict(variable.attrs))


def _in_memory(variable: Any) -> Any:
    data = variable._data  # noqa: SLF001  .data would read the file to tell
    is_lazy = isinstance(data, ExplicitlyIndexed) and not isinstance(data, PandasIndexingAdapter)
    if is_lazy and not variable._in_memory:  # noqa: SLF001  as above
        raise ValueCodecError(
            f"an xarray variable over {variable.dims} is not in memory; call .load() or .compute()"
        )
    return variable.data


def _get_variable(r: Reader) -> Any:
    dims, attrs = r.typed(tuple), r.typed(dict)
    data = r.value()
    if not isinstance(data, np.ndarray | pd.api.extensions.ExtensionArray) and not hasattr(
        data, "__cuda_array_interface__"
    ):
        raise ValueCodecError(f"an xarray variable of a {type(data).__name__}")
    return xr.Variable(dims, data, attrs, fastpath=isinstance(data, np.ndarray))


def _get_index_variable(r: Reader) -> Any:
    dims, attrs = r.typed(tuple), r.typed(dict)
    index, dtype = get_index(r), r.value()
    if len(dims) != 1:
        raise ValueCodecError(f"an index variable has one dimension; found {len(dims)}")
    made = PandasIndex(index.rename(dims[0]), dims[0], dtype).create_variables()
    variable = made[dims[0]]
    variable.attrs = attrs
    return variable


def _put_adapter(w: Writer, adapter: Any) -> None:
    """Append the data of an index variable, which ``xarray.map_blocks`` hands from task to task."""
    w.open(b"xarray.PandasIndexingAdapter")
    w.put(adapter.array)
    w.put(adapter.dtype)
    w.close()


def _get_adapter(r: Reader) -> Any:
    index, dtype = get_index(r), r.value()
    if isinstance(index, pd.MultiIndex):
        raise ValueCodecError("an xarray index adapter holds no pandas MultiIndex")
    return PandasIndexingAdapter(index, dtype)


def _put_multi_adapter(w: Writer, adapter: Any) -> None:
    w.open(b"xarray.PandasMultiIndexingAdapter")
    w.put(adapter.array)
    w.put(adapter.dtype)
    w.put(adapter.level)
    w.close()


def _get_multi_adapter(r: Reader) -> Any:
    index, dtype, level = get_index(r), r.value(), r.value()
    if not isinstance(index, pd.MultiIndex) or (level is not None and level not in index.names):
        raise ValueCodecError("an xarray level's index is no pandas MultiIndex with such a level")
    return PandasMultiIndexingAdapter(index, dtype, level)


def _put_marker(w: Writer, marker: Any) -> None:
    """Append a marker, such as the name that a DataArray's own data has inside xarray."""
    w.tokens.append(b"xarray.ReprObject")
    w.put(marker._value)  # noqa: SLF001  all that it is


def _get_marker(r: Reader) -> Any:
    return ReprObject(r.typed(str))


def _put_coordinates(w: Writer, indexes: Any, variables: dict[Any, Any]) -> None:
    """Append indexes, then every variable: its attrs if an index makes it, else all of it."""
    grouped = [(index, tuple(names)) for index, names in indexes.group_by_index()]
    indexed = [name for _, names in grouped for name in names]
    w.open(b"xarray.indexes", len(grouped))
    for index, names in grouped:
        _put_xindex(w, index, tuple(names))
    w.close()
    w.put(len(variables))
    for name, variable in variables.items():
        w.put(name)
        w.put(name in indexed)
        if name in indexed:
            _put_dims_and_attrs(w, variable)
        else:
            w.put(variable if type(variable) is xr.Variable else variable.to_base_variable())


def _put_xindex(w: Writer, index: Any, names: tuple[Any, ...]) -> None:
    if type(index) not in {PandasIndex, PandasMultiIndex}:
        raise ValueCodecError(
            f"an xarray index of type {type(index).__name__} has no safe encoding; drop it with "
            f".drop_indexes"
        )
    is_multi = type(index) is PandasMultiIndex
    w.put(is_multi)
    w.put(index.dim)
    w.put(index.index)
    w.put(names)
    w.put(dict(index.level_coords_dtype) if is_multi else index.coord_dtype)


def _get_coordinates(r: Reader) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return all variables and the index of each name that has one."""
    if r.token() != b"xarray.indexes":
        raise ValueCodecError("expected the indexes of an xarray object")
    indexes: dict[Any, Any] = {}
    made: dict[Any, Any] = {}
    for _ in range(r.count()):
        index, names = _get_xindex(r)
        indexes |= dict.fromkeys(names, index)
        made |= index.create_variables()
    variables = {}
    for _ in range(r.count()):
        name = r.value()
        if r.expect(bool):
            dims, attrs = r.typed(tuple), r.typed(dict)
            if made[name].dims != dims:
                raise ValueCodecError(f"an index makes {made[name].dims}, not {dims}")
            variables[name] = made[name]
            variables[name].attrs = attrs
        else:
            variables[name] = r.typed(xr.Variable)
    if not indexes.keys() <= variables.keys():
        raise ValueCodecError("an xarray index has no variable")
    return variables, indexes


def _get_xindex(r: Reader) -> tuple[Any, tuple[Any, ...]]:
    is_multi, dim, index, names = r.expect(bool), r.value(), get_index(r), r.typed(tuple)
    dtype = r.value()
    if is_multi != isinstance(index, pd.MultiIndex):
        raise ValueCodecError("an xarray index and its pandas index do not fit")
    made = PandasMultiIndex(index, dim, dtype) if is_multi else PandasIndex(index, dim, dtype)
    if set(made.create_variables()) != set(names):
        raise ValueCodecError("an xarray index and its names do not fit")
    return made, names


def _put_array(w: Writer, array: Any) -> None:
    w.open(b"xarray.DataArray")
    w.put(array.name)
    w.put(array.variable.to_base_variable())
    coords = {name: coord.variable for name, coord in array.coords.items()}
    _put_coordinates(w, array.xindexes, coords)
    w.close()


def _get_array(r: Reader) -> Any:
    name, variable = r.value(), r.typed(xr.Variable)
    coords = xr.Coordinates(*_get_coordinates(r))
    return xr.DataArray(variable.data, coords, dims=variable.dims, name=name, attrs=variable.attrs)


def _put_dataset(w: Writer, ds: Any) -> None:
    w.open(b"xarray.Dataset")
    w.put(dict(ds.attrs))
    w.put(tuple(name for name in ds.variables if name in ds.coords))
    _put_coordinates(w, ds.xindexes, dict(ds.variables))
    w.close()


def _get_dataset(r: Reader) -> Any:
    attrs, names = r.typed(dict), r.typed(tuple)
    variables, indexes = _get_coordinates(r)
    coords = xr.Coordinates({name: variables[name] for name in names}, indexes)
    data = {name: v for name, v in variables.items() if name not in set(names)}
    return xr.Dataset(data, coords, attrs)


_PUTTERS: dict[type, Callable[[Writer, Any], None]] = {
    xr.Variable: _put_variable,
    xr.IndexVariable: _put_variable,
    xr.DataArray: _put_array,
    xr.Dataset: _put_dataset,
    ReprObject: _put_marker,
    PandasIndexingAdapter: _put_adapter,
    PandasMultiIndexingAdapter: _put_multi_adapter,
}
GETTERS: dict[bytes, Get] = {
    b"xarray.Variable": _get_variable,
    b"xarray.IndexVariable": _get_index_variable,
    b"xarray.DataArray": _get_array,
    b"xarray.Dataset": _get_dataset,
    b"xarray.ReprObject": _get_marker,
    b"xarray.PandasIndexingAdapter": _get_adapter,
    b"xarray.PandasMultiIndexingAdapter": _get_multi_adapter,
}


def find_putter(cls: type) -> Put | None:
    """Return how to put a value of a class of xarray, or None."""
    return _PUTTERS.get(cls)
