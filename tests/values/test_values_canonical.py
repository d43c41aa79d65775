"""Equal values give equal bytes, others different bytes; what has no safe form is refused."""

from __future__ import annotations

import dataclasses
import enum
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import values_corpus as corpus
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.errors import ValueCodecError
from eco_dask.values import CodecLimits, encode, register

STRUCT = np.dtype([("a", "i1"), ("b", "f8")], align=True)


def garbage(dtype, shape):
    """Make an array of ones over memory full of 0xAA, so that padding holds garbage."""
    size = int(np.prod(shape)) * dtype.itemsize
    array = np.full(size, 0xAA, np.uint8).view(dtype).reshape(shape)
    for name in dtype.names:
        array[name] = 1
    return array


GRID = np.arange(600.0).reshape(20, 30)
EQUAL = {
    "layouts": [GRID, np.asfortranarray(GRID), np.repeat(GRID, 2, axis=1)[:, ::2]],
    "read_only": [GRID, np.frombuffer(GRID.tobytes()).reshape(20, 30)],
    "padding": [garbage(STRUCT, (3,)), np.ones(3, STRUCT)],
    "padding_large": [garbage(STRUCT, (300, 2)), np.ones((300, 2), STRUCT)],
    "padding_scalar": [garbage(STRUCT, (1,))[0], np.ones(1, STRUCT)[0]],
    "sets": [set(range(100)), set(range(99, -1, -1)), {*range(50), *range(100)}],
    "bytes": [b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2]],
    "dtype_metadata": [np.dtype("i4"), np.dtype("i4", metadata={"a": 1})],
    "arrow_chunks": [
        pa.concat_tables([corpus.TABLE.slice(0, 1), corpus.TABLE.slice(1)]),
        corpus.TABLE,
    ],
    "arrow_under_nulls": [
        pa.array([1, None, 3]),
        pa.Array.from_buffers(
            pa.int64(), 3, [pa.py_buffer(b"\xfd"), pa.py_buffer(np.array([1, 99, 3]))]
        ),
    ],
    "arrow_no_nulls": [
        pa.array([True, False]),
        pa.Array.from_buffers(pa.bool_(), 2, [pa.py_buffer(b"\xff"), pa.py_buffer(b"\xf1")]),
    ],
    "nullable_under_nulls": [
        pd.arrays.IntegerArray(np.array([1, 5]), np.array([False, True])),
        pd.arrays.IntegerArray(np.array([1, 9]), np.array([False, True])),
    ],
}

DIFFERENT = [
    *(1, True, 1.0, np.int64(1), np.float64(1), np.float32(1), complex(1), corpus.Season.WINTER),
    *("a", b"a", np.str_("a"), np.bytes_(b"a"), np.array("a")),
    *(0.0, -0.0, [], (), {}, set(), frozenset(), None, "", b""),
    *(np.zeros(2), np.zeros((2, 1)), np.zeros((1, 2)), np.zeros(2, ">f8"), [0.0, 0.0]),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, [["a", 1], ["b", 2]]),
    *(np.zeros(2, "f4"), np.zeros(2, "i4"), np.zeros(2, object), np.zeros(2, "M8[s]")),
    *(pd.Series([0]), pd.Index([0]), pd.Series([0], name="a"), pd.DataFrame([0])),
    *([1, [2]], [[1], 2], [[1, 2]], [1, 2]),
]


@pytest.mark.parametrize("values", EQUAL.values(), ids=EQUAL)
def test_equal_values_give_equal_bytes(values):
    first, *others = [encode(value).to_bytes() for value in values]
    assert all(other == first for other in others)


def test_values_that_differ_in_type_or_content_differ_in_bytes():
    digests = [encode(value).digest for value in DIFFERENT]
    assert len(set(digests)) == len(DIFFERENT)


@given(st.permutations([*range(8), "a", "b", (1, "c"), frozenset({2})]))
def test_the_order_of_insertion_into_a_set_does_not_matter(members):
    others = set()
    for member in reversed(members):
        others.add(member)
    assert encode(set(members)) == encode(others)


def test_encoding_leaves_the_value_unchanged():
    array = garbage(STRUCT, (3,))
    before = array.tobytes()
    encode(array)
    assert array.tobytes() == before


class IntOnPurpose(int):
    pass


class Colour(enum.IntEnum):
    RED = 1


class Bits(enum.IntFlag):
    A = 1
    B = 2


Pair = namedtuple("Pair", "a b")  # noqa: PYI024


@dataclasses.dataclass
class Unregistered:
    a: int = 1


@dataclasses.dataclass
class Base:
    a: int = 1


class Derived(register(Base)):
    pass


def loop():
    value = []
    value.append(value)
    return value


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def laughs():
    value = [1] * 10
    for _ in range(10):
        value = [value] * 10
    return value


def with_extra_attribute():
    value = Base()
    value.b = 2
    return value


REFUSED = {
    "int_subclass": (IntOnPurpose(1), "IntOnPurpose"),
    "enum": (Colour.RED, "Colour.*register"),
    "flag_combination": (register(Bits).A | Bits.B, "combination"),
    "namedtuple": (Pair(1, 2), "Pair.*register"),
    "dataclass": (Unregistered(), "Unregistered.*register"),
    "subclass_of_registered": (Derived(), "Derived"),
    "extra_attribute": (with_extra_attribute(), "b"),
    "ordered_dict_subclass": (type("Ordered", (OrderedDict,), {})(a=1), "Ordered"),
    "default_dict_of_function": (defaultdict(lambda: 1), "factory"),
    "function": (len, "builtin_function"),
    "class": (int, "type"),
    "object_inside": ({"a": [object()]}, "object"),
    "object_array": (np.array([object()]), "object"),
    "matrix": (np.matrix([[1]]), "matrix"),
    "recarray": (np.rec.array([(1,)]), "recarray"),
    "no_bytes_per_item": (np.ndarray((3,), "S0"), "no data"),
    "sparse_column": (pd.Series(pd.arrays.SparseArray([0, 1])), "Sparse"),
    "frequency_without_name": (
        pd.date_range(
            "2024", periods=1, freq=pd.offsets.CustomBusinessDay(holidays=["2024-01-02"])
        ),
        "freq",
    ),
    "unique_labels_flag": (pd.Series([1]).set_flags(allows_duplicate_labels=False), "flag"),
    "pandas_around_numpy": (pd.array([1.0], dtype="float64"), "to_numpy|numpy"),
    "arrow_view": (pa.array(["a"], pa.string_view()), "string_view"),
    "arrow_extension": (
        pa.table({"a": pa.array([b"0" * 16], pa.uuid())}),
        "uuid",
    ),
    "xarray_custom_index": (
        xr.Dataset(coords=xr.Coordinates.from_xindex(xr.indexes.RangeIndex.arange(5, dim="x"))),
        "RangeIndex",
    ),
    "lil": (corpus.SPARSE["csr_array"].tolil(), "tocsr"),
    "loop": (loop(), "nested"),
    "deep": (deep(2000), "nested"),
    "billion_laughs": (laughs(), "parts"),
}


@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_safe_form_is_refused_by_name(value, message):
    with pytest.raises(ValueCodecError, match=message):
        encode(value, CodecLimits(nodes_max=100_000))


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ([[1]], CodecLimits(depth_max=1)),
        ([1, 2, 3], CodecLimits(nodes_max=2)),
        ("a" * 100, CodecLimits(header_bytes_max=50)),
        (np.zeros(1000), CodecLimits(size_bytes_max=5000)),
        ([np.zeros(1000)] * 3, CodecLimits(buffers_max=2)),
    ],
)
def test_limits_hold_for_writer_and_reader(value, limits):
    with pytest.raises(ValueCodecError):
        encode(value, limits)
    with pytest.raises(ValueCodecError):
        encode(value).decode(limits)
    assert encode(value).decode() is not None


def test_large_arrays_are_not_copied_by_encoding():
    array = np.zeros(1000)
    encoded = encode([array])
    assert np.shares_memory(np.frombuffer(encoded.buffers[0]), array)


def test_decoded_arrays_share_no_memory_with_the_encoding():
    encoded = encode(np.zeros(1000))
    digest = encoded.digest
    encoded.decode()[:] = 1
    assert encode(encoded.decode()).digest == digest
