"""Messages between agent and runner: a msgpack header and raw buffers over a byte stream.

    (header, buffers) ──pack──► u32 header length | header | buffers ──► (header, buffers)

The header's last field lists the buffers' lengths. The runner runs strangers' code, so the agent
reads what comes back as hostile: bounded, and of plain types only.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgpack

from eco_dask.errors import EcoDaskError

_LENGTH = struct.Struct(">I")
#: A header names one task or one answer; an error's text is the longest thing in it.
HEADER_BYTES_MAX = 1 << 20
BUFFERS_MAX = 1 << 16

Buffer = bytes | bytearray | memoryview
Header = list[Any]


class PipeError(EcoDaskError):
    """The other end of the pipe sent something that is no message."""


def pack(header: Header, buffers: Sequence[Buffer] = ()) -> list[Buffer]:
    """Return the chunks to write for one message."""
    lengths = [len(buffer) for buffer in buffers]
    packed = msgpack.packb([*header, lengths])
    return [_LENGTH.pack(len(packed)) + packed, *buffers]


def read(stream: BinaryIO) -> tuple[Header, list[bytearray]] | None:
    """Read one message from a blocking stream; None at its end."""
    prefix = stream.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    header, lengths = _parse(stream.read(_header_length(prefix)), None)
    buffers = []
    for length in lengths:
        buffer = bytearray(length)
        if stream.readinto(buffer) != length:  # type: ignore[attr-defined]
            return None
        buffers.append(buffer)
    return header, buffers


async def read_async(
    stream: asyncio.StreamReader, bytes_max: int
) -> tuple[Header, list[bytes]] | None:
    """Read one message from an asyncio stream; None at its end.

    Raises
    ------
    PipeError
        For anything that is no message, or whose buffers exceed ``bytes_max`` in all.
    """
    try:
        prefix = await stream.readexactly(_LENGTH.size)
        header, lengths = _parse(await stream.readexactly(_header_length(prefix)), bytes_max)
        return header, [await stream.readexactly(length) for length in lengths]
    except asyncio.IncompleteReadError:
        return None


def _header_length(prefix: bytes) -> int:
    (length,) = _LENGTH.unpack(prefix)
    if length > HEADER_BYTES_MAX:
        raise PipeError(f"header of {length} bytes; at most {HEADER_BYTES_MAX} are allowed")
    return int(length)


def _parse(packed: bytes, bytes_max: int | None) -> tuple[Header, list[int]]:
    try:
        header = msgpack.unpackb(packed, strict_map_key=True)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise PipeError(f"header is no msgpack: {error}") from error
    if not (isinstance(header, list) and header and isinstance(header[-1], list)):
        raise PipeError("header is no list that ends with the buffers' lengths")
    lengths = header.pop()
    if len(lengths) > BUFFERS_MAX or not all(type(n) is int and n >= 0 for n in lengths):
        raise PipeError("the buffers' lengths are no list of sizes")
    if bytes_max is not None and sum(lengths) > bytes_max:
        raise PipeError(f"{sum(lengths)} bytes of buffers; at most {bytes_max} are allowed")
    return header, lengths
