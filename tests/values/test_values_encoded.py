"""EncodedValue as an object: bytes, digest, pickling and how Dask moves and spills it."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from itertools import pairwise

import dask.sizeof
import numpy as np
import pandas as pd
import pytest
from blake3 import blake3
from distributed.protocol import deserialize, deserialize_bytes, serialize, serialize_bytelist
from distributed.spill import SpillBuffer
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.errors import ValueCodecError
from eco_dask.values import EncodedValue, encode, is_keeping_encoded, keep_encoded
from eco_dask.values.limits import DEFAULT_LIMITS, CodecLimits
from eco_dask.values.stream import pack, unpack

SAMPLES = {
    "none": None,
    "small": np.arange(3.0),
    "large": np.arange(5000.0),
    "parallel": np.arange(300_000.0),
    "several": {"a": np.zeros(500), "b": b"x" * 5000, "c": [1, "two"]},
}
samples = pytest.mark.parametrize("value", SAMPLES.values(), ids=SAMPLES)


@pytest.fixture(params=[True, False], ids=["gateway", "client"])
def keeping(request):
    keep_encoded(request.param)
    yield request.param
    keep_encoded(False)


@samples
def test_digest_and_size_are_those_of_the_bytes(value):
    encoded = encode(value)
    data = encoded.to_bytes()
    assert encoded.digest == blake3(data).digest()
    assert encoded.size_bytes == len(data)
    assert b"".join(encoded.parts()) == data


@samples
def test_bytes_round_trip_without_copying_buffers(value):
    encoded = encode(value)
    data = bytearray(encoded.to_bytes())
    again = EncodedValue.from_bytes(data)
    assert again == encoded
    assert hash(again) == hash(encoded)
    for buffer in again.buffers:
        assert np.shares_memory(np.frombuffer(buffer, "u1"), np.frombuffer(data, "u1"))
        assert memoryview(buffer).readonly


@pytest.mark.parametrize(
    "cut",
    [
        lambda b: b"",
        lambda b: b[:15],
        lambda b: b[:20],
        lambda b: b[:-1],
        lambda b: b + b"\0",
        lambda b: b"EDV\x02" + b[4:],
        lambda b: b[:4] + b"\xff\xff\xff\xff" + b[8:],
        lambda b: b[:8] + b"\xff" * 8 + b[16:],
        lambda b: b[:16] + b"\xff" * 8 + b[24:],
    ],
)
def test_lengths_that_do_not_add_up_are_refused(cut):
    with pytest.raises(ValueCodecError):
        EncodedValue.from_bytes(cut(encode(SAMPLES["large"]).to_bytes()))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_unpickling_keeps_or_decodes(keeping, protocol):
    encoded = encode(SAMPLES["several"])
    found = pickle.loads(pickle.dumps(encoded, protocol))
    assert_kept_or_decoded(keeping, found, encoded)


@samples
def test_dask_moves_it(keeping, value):
    encoded = encode(value)
    header, frames = serialize(encoded)
    assert_kept_or_decoded(keeping, deserialize(header, frames), encoded)
    data = b"".join(map(bytes, serialize_bytelist(encoded)))
    assert_kept_or_decoded(keeping, deserialize_bytes(data), encoded)


def test_dask_spills_it(keeping, tmp_path):
    buffer = SpillBuffer(str(tmp_path), target=10_000)
    encoded = {key: encode(np.arange(1000.0) + i) for i, key in enumerate("abcd")}
    buffer.update(encoded)
    assert buffer.disk
    for key, value in encoded.items():
        kept = key in buffer.memory
        found = buffer[key]
        if not kept:
            assert_kept_or_decoded(keeping, found, value)


def assert_kept_or_decoded(keeping, found, encoded):
    assert is_keeping_encoded() is keeping
    assert isinstance(found, EncodedValue) is keeping
    assert (found if keeping else encode(found)).digest == encoded.digest


def test_dask_sees_its_size():
    encoded = encode(SAMPLES["large"])
    assert encoded.size_bytes <= dask.sizeof.sizeof(encoded) < encoded.size_bytes + 500
    assert sys.getsizeof(encoded) >= encoded.size_bytes


KINDS = [
    (None, type(None), "NoneType"),
    (True, bool, "bool"),
    (2**80, int, "int"),
    ("a", str, "str"),
    ([1, 2], list, "list(2)"),
    ({"a": 1}, dict, "dict(1)"),
    (np.zeros((3, 4)), np.ndarray, "ndarray[float64](3, 4)"),
    (np.array(1, "M8[s]"), np.ndarray, "ndarray[<M8[s]]()"),
    (np.zeros(2, [("a", "i1")]), np.ndarray, "ndarray[structured](2,)"),
    (np.zeros(2, object), np.ndarray, "ndarray[object](2,)"),
    (np.float32(1), np.float32, "float32"),
    (pd.DataFrame({"a": [1, 2]}), pd.DataFrame, "DataFrame(2, 1)"),
    (pd.Series([1]), pd.Series, "Series(1,)"),
    (pd.date_range("2024", periods=2), pd.DatetimeIndex, "DatetimeIndex"),
]


@pytest.mark.parametrize(("value", "cls", "name"), KINDS, ids=[kind[2] for kind in KINDS])
def test_type_and_shape_show_without_decoding(value, cls, name):
    encoded = encode(value)
    assert encoded.python_type is cls
    assert encoded.kind_name == name
    assert name in repr(encoded)


@pytest.mark.parametrize("header", [b"\xc1", b"\xa5ab", b"\xdd\xff\xff\xff\xff", b"\xc4\x05os.ab"])
def test_a_senseless_header_is_shown_as_an_object_of_unknown_type(header):
    encoded = EncodedValue(header)
    assert encoded.python_type is object
    assert isinstance(encoded.kind_name, str)
    with pytest.raises(ValueCodecError):
        encoded.decode()


def test_a_gpu_array_is_read_as_numpy_where_no_gpu_is():
    plain = encode(np.arange(4.0))
    tokens = unpack(plain.header, DEFAULT_LIMITS)
    encoded = EncodedValue(pack([b"cupy.ndarray", *tokens[1:]]))
    assert encoded.kind_name == "cupy.ndarray[float64](4,)"
    decoded = encoded.decode()
    host = decoded if isinstance(decoded, np.ndarray) else decoded.get()
    np.testing.assert_array_equal(host, np.arange(4.0))


def test_it_cannot_be_changed():
    encoded = encode(1)
    digest = encoded.digest
    with pytest.raises(AttributeError, match="immutable"):
        encoded.header = b""
    with pytest.raises(AttributeError, match="immutable"):
        del encoded.header
    assert encoded.digest == digest


def test_it_is_no_equal_of_its_value():
    assert encode(1) != 1
    assert encode(1) == encode(1)
    assert encode(1) != encode(2)


# ------------------------------------------------------------------ parts

_CUT = encode({"a": np.arange(5000.0), "b": np.arange(3000), "c": "text"})


@given(st.lists(st.integers(0, _CUT.size_bytes), max_size=6))
def test_parts_however_they_are_cut_are_the_value(cuts: list[int]) -> None:
    data = _CUT.to_bytes()
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[i:j] for i, j in pairwise(places)]
    assert EncodedValue.from_parts(pieces) == _CUT
    own = EncodedValue.from_parts(_CUT.parts())
    assert (own.header, own.buffers) == (_CUT.header, _CUT.buffers)


@given(st.integers(0, _CUT.size_bytes - 1), st.integers(1, 255))
def test_parts_that_are_no_value_are_refused_as_their_bytes_are(at: int, change: int) -> None:
    parts = [bytearray(part) for part in _CUT.parts()]
    for part in parts:
        if at < len(part):
            part[at] ^= change
            break
        at -= len(part)

    def outcome(read: Callable[[], EncodedValue]) -> object:
        try:
            return read().digest
        except ValueCodecError:
            return ValueCodecError

    joined = b"".join(parts)
    assert outcome(lambda: EncodedValue.from_parts([bytes(p) for p in parts])) == outcome(
        lambda: EncodedValue.from_bytes(joined)
    )


LIMITS_EXCEEDED = (
    CodecLimits(size_bytes_max=1000),
    CodecLimits(buffers_max=1),
    CodecLimits(header_bytes_max=8),
)


def test_parts_beyond_the_limits_are_refused() -> None:
    for limits in LIMITS_EXCEEDED:
        with pytest.raises(ValueCodecError):
            EncodedValue.from_parts(_CUT.parts(), limits)
    with pytest.raises(ValueCodecError):
        EncodedValue.from_parts([])
