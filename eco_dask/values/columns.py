"""pandas' column types, from their parts: what an Index, a Series or a DataFrame's column holds.

array --> kind, parts (numpy, Arrow or an Index) --> array of the same dtype
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from eco_dask.errors import ValueCodecError
from eco_dask.values.arrays import get_exactly_array
from eco_dask.values.arrays import put_array as put_numpy
from eco_dask.values.stream import Get, Put, Reader, Writer
from eco_dask.values.times import get_zone, put_zone

_MASKED = {
    **dict.fromkeys("iu", pd.arrays.IntegerArray),
    "f": pd.arrays.FloatingArray,
    "b": pd.arrays.BooleanArray,
}


def put_column(w: Writer, array: Any) -> None:
    """Append a numpy array or a pandas extension array."""
    dtype = array.dtype
    if isinstance(dtype, np.dtype) or type(array) is pd.arrays.NumpyExtensionArray:
        put_numpy(w, array.to_numpy())
        return
    put = _put_masked if type(array) in _MASKED.values() else _PUTTERS.get(type(dtype))
    if put is None:
        raise ValueCodecError(
            f"pandas dtype {dtype!r} has no safe encoding; convert it with .astype to a numpy, "
            f"nullable, categorical, string, period, interval or Arrow dtype"
        )
    w.open(b"pandas.array")
    put(w, array)
    w.close()


def put_extension_array(w: Writer, array: Any) -> None:
    """Append a pandas array that stands by itself; one of numpy data would come back as that."""
    if isinstance(array.dtype, np.dtype) or type(array) is pd.arrays.NumpyExtensionArray:
        raise ValueCodecError(
            f"a pandas {type(array).__name__} has no safe encoding; convert it with .to_numpy()"
        )
    put_column(w, array)


def put_dtype(w: Writer, dtype: Any) -> None:
    """Append a pandas dtype that stands by itself, as a column of it without rows."""
    w.open(b"pandas.dtype")
    put_extension_array(w, dtype.construct_array_type()._from_sequence([], dtype=dtype))  # noqa: SLF001  pandas' own interface for extensions
    w.close()


def get_dtype(r: Reader) -> Any:
    """Return what :func:`put_dtype` put."""
    column = get_column(r)
    if isinstance(column, np.ndarray) or len(column):
        raise ValueCodecError("a pandas dtype is written as a column of it without rows")
    return column.dtype


def get_column(r: Reader) -> Any:
    """Return what :func:`put_column` put."""
    column = r.value()
    if not isinstance(column, np.ndarray | pd.api.extensions.ExtensionArray) or column.ndim != 1:
        raise ValueCodecError(f"expected a column of data; found a {type(column).__name__}")
    return column


def _get_array(r: Reader) -> Any:
    kind = r.expect(str)
    if kind not in _GETTERS:
        raise ValueCodecError(f"{kind!r:.80} is no kind of pandas column")
    return _GETTERS[kind](r)


def _put_masked(w: Writer, array: Any) -> None:
    numpy_dtype = array.dtype.numpy_dtype
    w.tokens.append("masked")
    put_numpy(w, array.to_numpy(dtype=numpy_dtype, na_value=numpy_dtype.type(0)))
    put_numpy(w, array.isna())


def _get_masked(r: Reader) -> Any:
    data, mask = get_exactly_array(r), get_exactly_array(r)
    if data.dtype.kind not in _MASKED or data.shape != mask.shape:
        raise ValueCodecError(f"a nullable column cannot hold {data.dtype} with this mask")
    return _MASKED[data.dtype.kind](data, mask)


def _put_categorical(w: Writer, array: Any) -> None:
    w.tokens += ("categorical", array.ordered)
    put_numpy(w, array.codes)
    w.put(array.categories)


def _get_categorical(r: Reader) -> Any:
    ordered, codes, categories = r.expect(bool), get_exactly_array(r), get_index(r)
    if codes.dtype.kind != "i":
        raise ValueCodecError(f"the codes of a categorical are {codes.dtype}, not integers")
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories, ordered))


def _put_zoned(w: Writer, array: Any) -> None:
    w.tokens.append("zoned")
    put_zone(w, array.tz)
    put_numpy(w, array.tz_convert(None).to_numpy())


def _get_zoned(r: Reader) -> Any:
    zone, naive = get_zone(r), get_exactly_array(r)
    if naive.dtype.kind != "M" or zone is None:
        raise ValueCodecError(f"a column of zoned times holds {naive.dtype}")
    return pd.DatetimeIndex(naive).tz_localize("UTC").tz_convert(zone).array


def _put_period(w: Writer, array: Any) -> None:
    freq = array.dtype.name.removeprefix("period[").removesuffix("]")
    if pd.PeriodDtype(freq) != array.dtype:
        raise ValueCodecError(f"{array.dtype} has no safe encoding; use a frequency with a name")
    w.tokens += ("period", freq)
    put_numpy(w, array.asi8)


def _get_period(r: Reader) -> Any:
    dtype = pd.PeriodDtype(r.expect(str))
    ordinals = get_exactly_array(r)
    if ordinals.dtype != np.int64:
        raise ValueCodecError(f"a column of periods holds {ordinals.dtype}, not int64")
    return pd.arrays.PeriodArray(ordinals, dtype=dtype)


def _put_interval(w: Writer, array: Any) -> None:
    w.tokens += ("interval", array.closed)
    w.put(array.left)
    w.put(array.right)


def _get_interval(r: Reader) -> Any:
    closed, left, right = r.expect(str), get_index(r), get_index(r)
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=closed)


def _put_string(w: Writer, array: Any) -> None:
    dtype = array.dtype
    w.tokens += ("string", dtype.storage, dtype.na_value is pd.NA)
    if dtype.storage == "pyarrow":
        _put_arrow_content(w, array)
    else:
        values = array.to_numpy(dtype=object, na_value=None)
        w.put([None if missing else v for v, missing in zip(values, array.isna(), strict=True)])


def _get_string(r: Reader) -> Any:
    storage, is_na = r.expect(str), r.expect(bool)
    dtype = pd.StringDtype(storage, na_value=pd.NA if is_na else np.nan)
    if storage == "pyarrow":
        from eco_dask.values.tables import get_typed

        return dtype.__from_arrow__(get_typed(r))
    values = r.typed(list)
    if not {type(v) for v in values} <= {str, type(None)}:
        raise ValueCodecError("a column of strings holds something else")
    return pd.array(values, dtype=dtype)


def _put_arrow(w: Writer, array: Any) -> None:
    w.tokens.append("arrow")
    _put_arrow_content(w, array)


def _put_arrow_content(w: Writer, array: Any) -> None:
    import pyarrow as pa

    from eco_dask.values.tables import put_typed

    column = array.__arrow_array__()
    put_typed(w, column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column]))


def _get_arrow(r: Reader) -> Any:
    import pyarrow as pa

    from eco_dask.values.tables import get_typed

    return pd.arrays.ArrowExtensionArray(pa.chunked_array([get_typed(r)]))


def get_index(r: Reader) -> Any:
    """Return the next value, which must be a pandas Index of any kind."""
    index = r.value()
    if not isinstance(index, pd.Index):
        raise ValueCodecError(f"expected a pandas Index; found a {type(index).__name__}")
    return index


_PUTTERS: dict[type, Put] = {
    pd.CategoricalDtype: _put_categorical,
    pd.DatetimeTZDtype: _put_zoned,
    pd.PeriodDtype: _put_period,
    pd.IntervalDtype: _put_interval,
    pd.StringDtype: _put_string,
    pd.ArrowDtype: _put_arrow,
}
_GETTERS: dict[str, Callable[[Reader], Any]] = {
    "masked": _get_masked,
    "categorical": _get_categorical,
    "zoned": _get_zoned,
    "period": _get_period,
    "interval": _get_interval,
    "string": _get_string,
    "arrow": _get_arrow,
}
GETTERS: dict[bytes, Get] = {b"pandas.array": _get_array}
