"""pandas DataFrame, Series, Index and scalars, from their parts.

    DataFrame --> index, columns, one array per column, attrs --> DataFrame

Neither pickle nor the metadata that pandas leaves in Arrow files is involved: parsing that looks up
names that hostile bytes choose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from eco_dask.errors import ValueCodecError
from eco_dask.values import columns
from eco_dask.values.columns import (
    get_column,
    get_dtype,
    get_index,
    put_column,
    put_dtype,
    put_extension_array,
)
from eco_dask.values.stream import Get, Put, Reader, Writer
from eco_dask.values.times import get_zone, put_zone


def _put_frame(w: Writer, df: Any) -> None:
    _refuse_flags(df)
    w.open(b"pandas.DataFrame", 2, *df.shape, nodes=2 * df.shape[1])
    w.put(df.index)
    w.put(df.columns)
    for i in range(df.shape[1]):
        put_column(w, df.iloc[:, i].array)
    w.put(df.attrs)
    w.close()


def _get_frame(r: Reader) -> Any:
    shape = r.values(3)[1:]
    index, names = get_index(r), get_index(r)
    r.check_left(len(names))
    columns = {i: _series(get_column(r)) for i in range(len(names))}
    if any(len(column) != len(index) for column in columns.values()):
        raise ValueCodecError(f"columns of other lengths than the index, {len(index)}")
    df = pd.DataFrame(columns, index=None if columns else index)
    if columns:
        df.index = index
    df.columns = names
    df.attrs = r.typed(dict)
    if list(df.shape) != shape:
        raise ValueCodecError(f"a DataFrame of shape {df.shape} claims {shape}")
    return df


def _series(column: Any) -> Any:
    """Wrap a column; without its dtype, pandas would turn objects that are all text to strings."""
    return pd.Series(column, dtype=column.dtype, copy=False)


def _put_series(w: Writer, series: Any) -> None:
    _refuse_flags(series)
    w.open(b"pandas.Series", 1, len(series))
    w.put(series.index)
    w.put(series.name)
    put_column(w, series.array)
    w.put(series.attrs)
    w.close()


def _get_series(r: Reader) -> Any:
    one, n = r.values(2)
    index, name = get_index(r), r.value()
    series = _series(get_column(r))
    if (one, n) != (1, len(series)) or n != len(index):
        raise ValueCodecError(f"{len(series)} items with an index of {len(index)}, claimed {n}")
    series.index, series.name = index, name
    series.attrs = r.typed(dict)
    return series


def _refuse_flags(labelled: Any) -> None:
    if not labelled.flags.allows_duplicate_labels:
        raise ValueCodecError(
            "the flag allows_duplicate_labels=False has no encoding; clear it with .set_flags"
        )


def _put_index(w: Writer, index: Any) -> None:
    w.open(f"pandas.{type(index).__name__}".encode())
    w.put(index.name)
    w.put(_freq_name(getattr(index, "freq", None)) if _may_have_freq(index) else None)
    put_column(w, index.array)
    w.close()


def _freq_name(freq: Any) -> str | None:
    """Return the name of a frequency; one that its name does not restore is refused."""
    if freq is None:
        return None
    name: str = freq.freqstr
    try:
        same = pd.tseries.frequencies.to_offset(name) == freq
    except ValueError:
        same = False
    if not same:
        raise ValueCodecError(f"frequency {freq!r} has no safe encoding; set .freq to None")
    return name


def _may_have_freq(index: Any) -> bool:
    return isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)


def _get_index(r: Reader) -> Any:
    name, freq = r.value(), r.typed(str, type(None))
    column = get_column(r)
    index = pd.Index(column, dtype=column.dtype, name=name, copy=False)
    if freq is not None:
        if not _may_have_freq(index):
            raise ValueCodecError(f"an index of {index.dtype} has no frequency")
        index.freq = freq
    return index


def _put_range_index(w: Writer, index: Any) -> None:
    w.open(b"pandas.RangeIndex", index.start, index.stop, index.step)
    w.put(index.name)
    w.close()


def _get_range_index(r: Reader) -> Any:
    span = range(*(r.expect(int) for _ in range(3)))
    # Whoever uses the index may write it out in full, so it is held to the same bound.
    if 8 * len(span) > r.limits.size_bytes_max:
        raise ValueCodecError(f"a RangeIndex of {len(span)} items is beyond the limits")
    return pd.RangeIndex(span, name=r.value())


def _put_multi_index(w: Writer, index: Any) -> None:
    w.open(b"pandas.MultiIndex", index.nlevels)
    for name, level, codes in zip(index.names, index.levels, index.codes, strict=True):
        w.put(name)
        w.put(level)
        w.put(np.asarray(codes))
    w.close()


def _get_multi_index(r: Reader) -> Any:
    names, levels, codes = [], [], []
    for _ in range(r.count()):
        names.append(r.value())
        levels.append(get_index(r))
        codes.append(r.typed(np.ndarray))
    if any(c.dtype.kind != "i" or c.ndim != 1 for c in codes):
        raise ValueCodecError("the codes of a MultiIndex are no one-dimensional integers")
    return pd.MultiIndex(levels, codes, names=names, verify_integrity=True)


def _put_timestamp(w: Writer, at: Any) -> None:
    w.open(b"pandas.Timestamp")
    w.put(at.asm8)
    put_zone(w, at.tzinfo)
    w.close()


def _get_timestamp(r: Reader) -> Any:
    at, zone = pd.Timestamp(r.typed(np.datetime64)), get_zone(r)
    return at if zone is None else at.tz_localize("UTC").tz_convert(zone)


def _put_timedelta(w: Writer, span: Any) -> None:
    w.tokens.append(b"pandas.Timedelta")
    w.put(span.asm8)


def _get_timedelta(r: Reader) -> Any:
    return pd.Timedelta(r.typed(np.timedelta64))


def _put_missing(w: Writer, value: object) -> None:
    w.tokens.append(b"pandas.NA" if value is pd.NA else b"pandas.NaT")


def _get_na(r: Reader) -> Any:
    del r
    return pd.NA


def _get_nat(r: Reader) -> Any:
    del r
    return pd.NaT


_INDEXES = frozenset(
    {
        *(pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex),
        *(pd.CategoricalIndex, pd.IntervalIndex),
    }
)
_PUTTERS: dict[type, Put] = {
    pd.DataFrame: _put_frame,
    pd.Series: _put_series,
    pd.RangeIndex: _put_range_index,
    pd.MultiIndex: _put_multi_index,
    pd.Timestamp: _put_timestamp,
    pd.Timedelta: _put_timedelta,
    type(pd.NA): _put_missing,
    type(pd.NaT): _put_missing,
    **dict.fromkeys(_INDEXES, _put_index),
}
GETTERS: dict[bytes, Get] = {
    **columns.GETTERS,
    b"pandas.dtype": get_dtype,
    b"pandas.DataFrame": _get_frame,
    b"pandas.Series": _get_series,
    **{f"pandas.{cls.__name__}".encode(): _get_index for cls in _INDEXES},
    b"pandas.RangeIndex": _get_range_index,
    b"pandas.MultiIndex": _get_multi_index,
    b"pandas.Timestamp": _get_timestamp,
    b"pandas.Timedelta": _get_timedelta,
    b"pandas.NA": _get_na,
    b"pandas.NaT": _get_nat,
}


def find_putter(cls: type) -> Put | None:
    """Return how to put a value of a class of pandas, or None."""
    if issubclass(cls, pd.api.extensions.ExtensionArray):
        return put_extension_array
    if issubclass(cls, pd.api.extensions.ExtensionDtype):
        return put_dtype
    return _PUTTERS.get(cls)
