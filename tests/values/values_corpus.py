"""One value of every encodable kind, by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from zoneinfo import ZoneInfo

import cftime
import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse
import xarray as xr
from xarray.namedarray.utils import ReprObject

from eco_dask.values import PickledResult, register


@register
@dataclasses.dataclass(frozen=True)
class Fit:
    name: str
    coefficients: tuple
    rank: int = 0


Point = register(namedtuple("Point", "x y"))  # noqa: PYI024  the untyped kind, too


@register
class Season(enum.IntEnum):
    WINTER = 1
    SUMMER = 2


PLAIN = {
    "none": None,
    "true": True,
    "int": -5,
    "int64_min": -(2**63),
    "uint64_max": 2**64 - 1,
    "int_big": 2**64,
    "int_big_negative": -(2**63) - 1,
    "int_huge": 3**9000,
    "float": 0.1,
    "float_negative_zero": -0.0,
    "float_inf": float("inf"),
    "complex": complex(1, -0.0),
    "str": "naïve ☃ 🦉",
    "str_empty": "",
    "str_long": "é" * 5000,
    "str_surrogate": "file\udcff",
    "bytes": b"\x00\xff",
    "bytes_long": bytes(range(256)) * 20,
    "list": [1, [2, [3.5, None]], "x"],
    "list_ints": list(range(40)),
    "list_mixed": [1, 2**70, "a"],
    "tuple_empty": (),
    "tuple": (1, ("a", b"b"), True),
    "dict": {"b": 1, "a": {2: None}, (1, 2): [3]},
    "set": {1, "a", (2, b"c"), frozenset({3})},
    "frozenset": frozenset(range(20)),
    "slice": slice(1, None, -2),
    "range": range(10, 0, -3),
    "ellipsis": Ellipsis,
    "datetime": dt.datetime(2024, 2, 29, 1, 2, 3, 4, fold=1),
    "datetime_utc": dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
    "datetime_offset": dt.datetime(2024, 2, 29, tzinfo=dt.timezone(dt.timedelta(hours=5), "X")),
    "datetime_zone": dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    "date": dt.date(1, 1, 1),
    "time": dt.time(23, 59, 59, 999999, tzinfo=dt.UTC),
    "timedelta": dt.timedelta(-3, 7, 11),
    "ordered_dict": OrderedDict([("b", 1), ("a", [2])]),
    "counter": Counter("abca"),
    "default_dict": defaultdict(list, {"a": [1]}),
    "default_dict_none": defaultdict(None, a=1),
    "deque": deque([1, "a"]),
    "deque_bounded": deque([1, 2], 5),
    "decimal": decimal.Decimal("-1.230E+7"),
    "decimal_nan": decimal.Decimal("sNaN123"),
    "uuid": uuid.UUID("12345678123456781234567812345678"),
    "numpy_qr": np.linalg.qr(np.ones((3, 2))),
    "numpy_svd": np.linalg.svd(np.ones((3, 2))),
    "numpy_eig": np.linalg.eig(np.eye(2)),
    "numpy_eigh": np.linalg.eigh(np.eye(2)),
    "numpy_slogdet": np.linalg.slogdet(np.eye(2)),
    "numpy_unique_all": np.unique_all([1, 2, 1]),
    "numpy_unique_counts": np.unique_counts([1, 2, 1]),
    "numpy_unique_inverse": np.unique_inverse([1, 2, 1]),
    "cftime_no_leap": cftime.DatetimeNoLeap(2000, 3, 1, 12, 30, 59, 999),
    "cftime_360": cftime.Datetime360Day(-1, 2, 30),
    "cftime_gregorian": cftime.DatetimeGregorian(1, 1, 1),
    "cftime_base": cftime.datetime(2000, 2, 30, calendar="360_day"),
    "cftime_year_zero": cftime.datetime(0, 1, 1, calendar="proleptic_gregorian"),
    "xarray_marker": ReprObject("<this-array>"),
    "pandas_string_dtype": pd.StringDtype("pyarrow", na_value=np.nan),
    "pandas_category_dtype": pd.CategoricalDtype(["a", "b"], ordered=True),
    "pandas_zoned_dtype": pd.DatetimeTZDtype("ns", "Europe/Paris"),
    "pandas_nullable_dtype": pd.Int16Dtype(),
    "registered_dataclass": Fit("a", (1.0, 2.0)),
    "registered_namedtuple": Point(1, [2]),
    "registered_enum": Season.SUMMER,
}

_RNG = np.random.default_rng(0)
_ALIGNED = np.dtype([("a", "i1"), ("b", "<f8"), ("c", "S3", (2,))], align=True)
_NESTED = np.dtype({"names": ["p", "q"], "formats": [_ALIGNED, "<U2"], "offsets": [4, 50]})
_TITLED = np.dtype([(("a title", "x"), "<i4"), ("y", "?")])

ARRAYS = {
    "bool": np.array([True, False, True]),
    "int8": np.arange(5, dtype="i1"),
    "uint64": np.array([0, 2**64 - 1], dtype="u8"),
    "float16": np.arange(4, dtype="f2"),
    "float64_nan": np.array([0.0, -0.0, np.nan, np.inf]),
    "float64_large": _RNG.random((20, 30)),
    "complex64": np.array([1 + 2j, 3], dtype="c8"),
    "longdouble": np.array([1, 3], dtype=np.longdouble) / 3,
    "clongdouble": np.array([[1 + 1j, 3]], dtype=np.clongdouble) / 3,
    "big_endian": np.arange(6, dtype=">i4").reshape(2, 3),
    "fortran": np.asfortranarray(_RNG.random((13, 17))),
    "strided": np.arange(400.0)[::-2],
    "zero_dim": np.array(7.5),
    "empty": np.empty((0, 3), "f4"),
    "datetime64": np.array(["2024-01-01", "NaT"], dtype="M8[D]"),
    "datetime64_multiple": np.array([1, 2], dtype="M8[25s]"),
    "timedelta64": np.array([1, -1], dtype="m8[ns]"),
    "timedelta64_generic": np.array([1, -1], dtype="m8"),
    "bytes": np.array([b"a", b"bcd", b""]),
    "unicode": np.array(["ä", "bcd", "🦉"]),
    "unicode_big_endian": np.array(["ä", "bcd"], dtype=">U3"),
    "void": np.array([b"abc", b"\0\0\1"], dtype="V3"),
    "struct_aligned": np.zeros(3, _ALIGNED),
    "struct_nested": np.ones((2, 2), _NESTED),
    "struct_titled": np.ones(2, _TITLED),
    "struct_record": np.ones(2, np.dtype((np.record, [("a", "i4")]))),
    "struct_longdouble": np.ones(2, [("a", "i1"), ("b", np.longdouble)]),
    "object": np.array([1, "a", None, [2], np.float32(1)], dtype=object).reshape(5, 1),
    "object_nested": np.array([np.arange(3), np.arange(2)], dtype=object),
    "object_empty": np.empty((2, 0), object),
    "string_dtype": np.array(["a", "ü" * 40], dtype=np.dtypes.StringDType()),
    "string_dtype_na": np.array(
        ["a", None], dtype=np.dtypes.StringDType(na_object=None, coerce=False)
    ),
    "string_dtype_nan": np.array([["a", np.nan]], dtype=np.dtypes.StringDType(na_object=np.nan)),
}

SCALARS = {
    **{
        np.dtype(c).name: np.dtype(c).type(3)
        for c in ("?", "i1", "u2", "i4", "i8", "u8", "f2", "f4", "f8", "c8", "c16", "g", "G")
    },
    "datetime64": np.datetime64("2024-01-01T00:00", "ns"),
    "timedelta64": np.timedelta64(5, "h"),
    "str": np.str_("a\0"),
    "bytes": np.bytes_(b"a\0"),
    "void": np.void(b"abc"),
    "struct": np.ones(1, _NESTED)[0],
}

MASKED = {
    "mask": np.ma.MaskedArray([1.0, 2.0, 3.0], [True, False, True]),
    "nomask": np.ma.MaskedArray([1, 2]),
    "fill": np.ma.MaskedArray([[1, 2]], [[False, True]], fill_value=-9, hard_mask=True),
}

DTYPES = {
    str(d): np.dtype(d)
    for d in ("f8", ">i2", "M8[us]", "S4", "U5", object, _NESTED, np.dtypes.StringDType())
}

_TIMES = pd.to_datetime(["2024-01-01", None, "2021-02-03"])
COLUMNS = {
    "int64": pd.Series([1, 2, 3]),
    "float32": pd.Series([1, np.nan, 3], dtype="f4"),
    "bool": pd.Series([True, False, True]),
    "object": pd.Series(["a", 1, None], dtype=object),
    "object_text": pd.Series(["a", "b", "c"], dtype=object),
    "str": pd.Series(["a", None, "ß"]),
    "string_python": pd.Series(["a", None, "b"], dtype=pd.StringDtype("python")),
    "string_pyarrow": pd.Series(["a", None, "b"], dtype=pd.StringDtype("pyarrow")),
    "categorical": pd.Series(pd.Categorical(["x", None, "x"], ["y", "x"], ordered=True)),
    "categorical_int": pd.Series(pd.Categorical([3, 1, 3])),
    "datetime": pd.Series(_TIMES),
    "datetime_zone": pd.Series(_TIMES.tz_localize("Europe/Berlin")),
    "datetime_utc": pd.Series(_TIMES.tz_localize("UTC")),
    "timedelta": pd.Series(pd.to_timedelta([1, None, 3], unit="s")),
    "period": pd.Series(pd.period_range("2024-01", periods=3, freq="M")),
    "interval": pd.Series(pd.interval_range(0.0, 3.0, closed="left")),
    "Int16": pd.Series([1, None, 3], dtype="Int16"),
    "Float64": pd.Series([1, None, 3], dtype="Float64"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "arrow_int": pd.Series([1, None, 3], dtype="int64[pyarrow]"),
    "arrow_list": pd.Series([[1], None, []], dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
}

_FRAME = pd.DataFrame(dict(COLUMNS))
_FRAME.attrs["source"] = "made up"
FRAMES = {
    "all_columns": _FRAME,
    "rows_sliced": _FRAME.iloc[1:],
    "no_rows": _FRAME.iloc[:0],
    "no_columns": _FRAME[[]],
    "nothing": pd.DataFrame(),
    "duplicate_names": _FRAME[["int64", "int64"]],
    "multi_index": _FRAME.set_index(["int64", "str"])[["float32", "bool"]],
    "multi_columns": pd.DataFrame(
        _RNG.random((3, 4)), columns=pd.MultiIndex.from_product([["a", "b"], [1, 2]])
    ),
    "zone_index": _FRAME.set_index("datetime_zone")[["int64"]],
    "wide": pd.DataFrame(_RNG.random((50, 12))),
}

INDEXES = {
    "range": pd.RangeIndex(3, 11, 2, name="r"),
    "int8": pd.Index([3, 1], dtype="i1", name=("a", 1)),
    "daily": pd.date_range("2024", periods=5, freq="D"),
    "two_hourly_zone": pd.date_range("2024", periods=5, freq="2h", tz="Asia/Tokyo"),
    "weekly": pd.date_range("2024", periods=5, freq="W-WED"),
    "timedelta": pd.timedelta_range("1s", periods=4, freq="s"),
    "interval": pd.interval_range(pd.Timestamp("2024"), periods=3),
    "categorical": pd.CategoricalIndex(["a", "b"], name="c"),
    "period": pd.period_range("2024Q1", periods=4, freq="Q-DEC"),
    "multi": pd.MultiIndex.from_tuples([(1, "a"), (2, None)], names=["n", None]),
    "empty": pd.Index([]),
}

PANDAS_SCALARS = {
    "timestamp": pd.Timestamp("2024-01-02T03:04:05.123456789"),
    "timestamp_zone": pd.Timestamp("2024", tz="Europe/Paris"),
    "timedelta": pd.Timedelta("3s"),
    "nat": pd.NaT,
    "na": pd.NA,
}

_ARROW = {
    "int": pa.array([1, None, 3]),
    "bool": pa.array([True, None, False]),
    "string": pa.array(["a", None, "ccc"]),
    "large_string": pa.array(["a", None, "ccc"], pa.large_string()),
    "binary": pa.array([b"x", b"", None]),
    "float16": pa.array(np.array([1, 2, 3], np.float16)),
    "timestamp_zone": pa.array([1, 2, None], pa.timestamp("us", "Europe/Berlin")),
    "timestamp_offset": pa.array([1, 2, None], pa.timestamp("ns", "+05:30")),
    "fixed_binary": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "decimal": pa.array([decimal.Decimal("1.23"), None, decimal.Decimal("-4.5")]),
    "list": pa.array([[1, 2], None, []]),
    "large_list": pa.array([["a"], None, ["b", None]], pa.large_list(pa.string())),
    "fixed_list": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int8(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": 3, "b": None}]),
    "dictionary": pa.array(["x", "y", None]).dictionary_encode(),
    "null": pa.nulls(3),
    "date": pa.array([dt.date(2024, 1, 1), None, None]),
    "duration": pa.array([1, 2, 3], pa.duration("ms")),
}
TABLE = pa.table(_ARROW).replace_schema_metadata({b"made": b"up"})
ARROW = {
    "table": TABLE,
    "table_sliced": TABLE.slice(1, 1),
    "table_empty": TABLE.slice(3),
    "table_chunked": pa.concat_tables([TABLE] * 30).slice(20, 50),
    "batch": TABLE.to_batches()[0],
    **_ARROW,
    "chunked": pa.chunked_array([[1, 2], [3, None]]),
}

DATASET = xr.Dataset(
    {"a": (("x", "y"), np.arange(6.0).reshape(2, 3), {"units": "m"}), "b": ("x", ["p", "q"])},
    coords={
        "x": ("x", [10, 20], {"axis": "X"}),
        "y": pd.date_range("2024", periods=3),
        "latitude": ("x", [1.0, 2.0]),
        "level": 5,
    },
    attrs={"history": ["made up"]},
)
_STACKED = DATASET.stack(z=("x", "y"))  # noqa: PD013  xarray's, not pandas'
XARRAY = {
    "dataset": DATASET,
    "dataset_empty": xr.Dataset(),
    "dataset_stacked": _STACKED,
    "dataset_unindexed": DATASET.drop_indexes("x"),
    "dataset_two_indexes": DATASET.set_xindex("latitude"),
    "dataset_categorical": DATASET.assign_coords(c=("x", pd.Categorical(["a", "b"]))),
    "array": DATASET.a,
    "array_stacked": _STACKED.a,
    "array_of_coordinate": DATASET.x,
    "array_of_multi_index": _STACKED.z,
    "array_bare": xr.DataArray(np.zeros((2, 2))),
    "array_zero_dim": xr.DataArray(3.0, name="n"),
    "variable": DATASET.a.variable,
    "index_variable": DATASET.x.variable,
}

_DENSE = np.array([[0, 1.5, 0, 0], [2, 0, 0, 3], [0, 0, 0, 0], [0, 4, 5, 0]])
SPARSE = {
    f"{kind}_{flavour}": getattr(scipy.sparse, f"{kind}_{flavour}")(_DENSE)
    for kind in ("csr", "csc", "coo", "bsr", "dia")
    for flavour in ("matrix", "array")
}
SPARSE["coo_1d"] = scipy.sparse.coo_array(np.array([0, 1, 0, 2]))

PICKLED = {"small": PickledResult(b"not a pickle"), "large": PickledResult(bytes(range(256)) * 99)}

GROUPS = {
    "plain": PLAIN,
    "array": ARRAYS,
    "scalar": SCALARS,
    "masked": MASKED,
    "dtype": DTYPES,
    "series": COLUMNS,
    "frame": FRAMES,
    "index": INDEXES,
    "pandas": PANDAS_SCALARS,
    "arrow": ARROW,
    "xarray": XARRAY,
    "sparse": SPARSE,
    "pickled": PICKLED,
}
CORPUS = {
    f"{group}-{name}": value for group, values in GROUPS.items() for name, value in values.items()
}
