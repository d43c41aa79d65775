"""Messages between agent and runner: what is packed is read, and hostile bytes stay bytes."""

from __future__ import annotations

import asyncio
import io
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.agent.pipe import BUFFERS_MAX, HEADER_BYTES_MAX, PipeError, pack, read, read_async

BYTES_MAX = 1 << 16
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
headers = st.lists(plain | st.text(max_size=20) | st.binary(max_size=20), max_size=6)
buffers = st.lists(st.binary(max_size=200), max_size=5)


def read_all(data: bytes, bytes_max: int = BYTES_MAX):
    async def run():
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        return await read_async(stream, bytes_max)

    return asyncio.run(run())


@given(headers, buffers)
def test_what_is_packed_is_read(header, parts) -> None:
    data = b"".join(pack(header, parts))
    assert read(io.BytesIO(data)) == (header, parts)
    assert read_all(data) == (header, parts)


@given(headers, buffers, st.data())
def test_a_stream_that_ends_early_is_at_its_end(header, parts, data) -> None:
    packed = b"".join(pack(header, parts))
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    assert read_all(cut) is None


@given(st.binary(max_size=300))
def test_hostile_bytes_give_a_pipe_error_or_nothing(data: bytes) -> None:
    try:
        found = read_all(data)
    except PipeError:
        return
    assert found is None or isinstance(found[0], list)


def framed(header: object) -> bytes:
    packed = msgpack.packb(header)
    return struct.pack(">I", len(packed)) + packed


HOSTILE = {
    "header too long": (struct.pack(">I", HEADER_BYTES_MAX + 1), "at most"),
    "no msgpack": (struct.pack(">I", 1) + b"\xc1", "no msgpack"),
    "no list": (framed({"a": 1}), "no list"),
    "empty list": (framed([]), "no list"),
    "no lengths": (framed(["done", 1]), "no list"),
    "negative length": (framed(["done", [-1]]), "sizes"),
    "a length that is no number": (framed(["done", ["1"]]), "sizes"),
    "a length that is a boolean": (framed(["done", [True]]), "sizes"),
    "too many buffers": (framed(["done", [0] * (BUFFERS_MAX + 1)]), "sizes"),
    "buffers too large": (framed(["done", [BYTES_MAX, 1]]), "at most"),
    "nested beyond reason": (struct.pack(">I", 5000) + b"\x91" * 5000, "no msgpack"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_breach_is_named(name: str) -> None:
    data, words = HOSTILE[name]
    with pytest.raises(PipeError, match=words):
        read_all(data)
