"""Every kind of value comes back as it was: same type, same content, same bytes again."""

from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import pytest
import values_corpus as corpus
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eco_dask.values import EncodedValue, encode
from eco_dask.values.times import is_zone_name


def cases(group):
    return pytest.mark.parametrize("value", list(group.values()), ids=list(group))


def assert_same(found, expected):
    """Compare by repr and type where == would let True pass for 1, or NaN for no equal."""
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert_same_array(found, expected)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            assert_same(f, e)
    elif isinstance(expected, dict):
        assert_same(list(found.items()), list(expected.items()))
    elif isinstance(expected, set | frozenset):
        assert found == expected
        assert sorted(map(repr, map(type, found))) == sorted(map(repr, map(type, expected)))
    elif isinstance(expected, float | complex | decimal.Decimal):
        assert repr(found) == repr(expected)
    else:
        assert found == expected


def assert_same_array(found, expected):
    assert (found.dtype, found.dtype.char) == (expected.dtype, expected.dtype.char)
    assert found.shape == expected.shape
    assert found.flags.writeable
    assert found.flags.c_contiguous
    assert found.flags.aligned
    if expected.dtype.hasobject:
        for f, e in zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True):
            if type(e) is float:
                assert repr(f) == repr(e)
            else:
                assert_same(f, e)
    elif expected.dtype.names is None:
        assert found.tobytes() == expected.tobytes() or expected.dtype.char in "gG"
        np.testing.assert_array_equal(found, expected)
    else:
        for name in expected.dtype.names:
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("value", list(corpus.CORPUS.values()), ids=list(corpus.CORPUS))
def test_decoding_and_encoding_again_gives_the_same_bytes(value):
    encoded = encode(value)
    decoded = EncodedValue.from_bytes(encoded.to_bytes()).decode()
    assert encode(decoded).to_bytes() == encoded.to_bytes()
    assert isinstance(decoded, encoded.python_type) or encoded.python_type is object
    assert encoded.kind_name != "unreadable"


@cases(corpus.PLAIN)
def test_plain_values_come_back(value):
    assert_same(encode(value).decode(), value)


@cases(corpus.ARRAYS)
def test_arrays_come_back_fresh_and_writable(value):
    assert_same_array(encode(value).decode(), value)


@cases(corpus.SCALARS)
def test_numpy_scalars_keep_their_type(value):
    decoded = encode(value).decode()
    assert type(decoded) is type(value)
    assert decoded.dtype == value.dtype
    assert decoded == value


@cases(corpus.MASKED)
def test_masked_arrays_keep_mask_and_fill_value(value):
    decoded = encode(value).decode()
    assert type(decoded) is np.ma.MaskedArray
    assert_same_array(decoded.data, value.data)
    assert (decoded.mask is np.ma.nomask) == (value.mask is np.ma.nomask)
    np.testing.assert_array_equal(decoded.mask, value.mask)
    assert decoded.fill_value == value.fill_value
    assert decoded.hardmask == value.hardmask


def test_the_masked_constant_is_itself():
    assert encode(np.ma.masked).decode() is np.ma.masked


@cases(corpus.DTYPES)
def test_dtypes_come_back(value):
    decoded = encode(value).decode()
    assert decoded == value
    assert decoded.isalignedstruct == value.isalignedstruct


@cases(corpus.COLUMNS)
def test_series_come_back(value):
    pd.testing.assert_series_equal(encode(value).decode(), value)


@cases(corpus.FRAMES)
def test_frames_come_back(value):
    decoded = encode(value).decode()
    pd.testing.assert_frame_equal(decoded, value, check_column_type=True, check_index_type=True)
    assert decoded.attrs == value.attrs


@cases(corpus.INDEXES)
def test_indexes_come_back_with_name_and_frequency(value):
    decoded = encode(value).decode()
    pd.testing.assert_index_equal(decoded, value, exact=True)
    assert type(decoded) is type(value)
    assert decoded.names == value.names
    assert getattr(decoded, "freq", None) == getattr(value, "freq", None)


@cases(corpus.PANDAS_SCALARS)
def test_pandas_scalars_keep_their_resolution(value):
    decoded = encode(value).decode()
    assert type(decoded) is type(value)
    assert decoded is value or (decoded == value and decoded.unit == value.unit)


@cases(corpus.ARROW)
def test_arrow_data_come_back(value):
    decoded = encode(value).decode()
    assert type(decoded) is type(value)
    assert decoded.equals(value)
    if hasattr(value, "schema"):
        assert decoded.schema.equals(value.schema, check_metadata=True)


@cases(corpus.XARRAY)
def test_xarray_objects_come_back_with_their_indexes(value):
    decoded = encode(value).decode()
    assert type(decoded) is type(value)
    assert decoded.identical(value)
    assert dict(decoded.attrs) == dict(value.attrs)
    if isinstance(value, xr.Dataset | xr.DataArray):
        assert set(decoded.xindexes) == set(value.xindexes)
        for name, index in value.indexes.items():
            pd.testing.assert_index_equal(decoded.indexes[name], index, exact=True)


@cases(corpus.SPARSE)
def test_sparse_matrices_come_back(value):
    decoded = encode(value).decode()
    assert type(decoded) is type(value)
    assert decoded.dtype == value.dtype
    np.testing.assert_array_equal(decoded.toarray(), value.toarray())


def test_sparse_indices_of_64_bits_stay_64_bits():
    matrix = corpus.SPARSE["csr_array"].copy()
    matrix.indices, matrix.indptr = matrix.indices.astype("i8"), matrix.indptr.astype("i8")
    assert encode(matrix).decode().indices.dtype == np.int64


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes(timezones=st.none() | st.timezones(no_cache=False))
    | st.dates()
    | st.timedeltas()
)
HASHABLE = st.recursive(
    st.integers() | st.text() | st.binary() | st.booleans() | st.none(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
TREES = st.recursive(
    SCALARS | HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_plain_tree_comes_back(tree):
    encoded = encode(tree)
    assert_same(encoded.decode(), tree)
    assert encode(encoded.decode()) == encoded


DTYPES = (
    npst.scalar_dtypes()
    | npst.unicode_string_dtypes()
    | npst.byte_string_dtypes()
    | npst.nested_dtypes(npst.scalar_dtypes(), max_leaves=4, max_itemsize=200)
).filter(lambda dtype: dtype.subdtype is None and dtype.itemsize)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_numpy_array_comes_back(data):
    dtype = data.draw(DTYPES)
    array = data.draw(npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0, max_side=4)))
    encoded = encode(array)
    decoded = encoded.decode()
    assert (decoded.dtype, decoded.shape) == (array.dtype, array.shape)
    assert encode(decoded) == encoded
    if array.dtype.names is None and array.dtype.char not in "gG":
        assert decoded.tobytes() == array.tobytes()
    else:
        assert repr(decoded.tolist()) == repr(array.tolist())


@pytest.mark.parametrize("name", ["x", "y", "z"])
def test_data_of_index_variables_comes_back(name):
    dataset = corpus.XARRAY["dataset_stacked" if name == "z" else "dataset"]
    data = dataset.variables[name]._data
    decoded = encode(data).decode()
    assert type(decoded) is type(data)
    assert decoded.dtype == data.dtype
    np.testing.assert_array_equal(np.asarray(decoded), np.asarray(data))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("UTC", True),
        ("posix/America/Argentina/Buenos_Aires", True),
        ("+05:30", True),
        ("../../etc/passwd", False),
        ("/etc/passwd", False),
        ("a/b/c/d/e", False),
    ],
)
def test_names_of_time_zones_are_told_from_paths(name: str, known: bool) -> None:
    assert is_zone_name(name) == known
