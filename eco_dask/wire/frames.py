"""Messages to frames and back; one frame is one WebSocket binary message.

::

    messages --encode_frame--> u32 header length | msgpack header | buffers
    messages <--decode_frame--                            │
                        [[type code, [field, ...], [buffer length, ...]], ...]

Received buffers are views into the frame: whoever keeps one for long keeps the whole frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgpack

from eco_dask.errors import WireError
from eco_dask.wire.fields import PAIRS_MAX, Buffer, raw
from eco_dask.wire.layout import ITEMS_MAX, LAYOUTS, READABLE, Layout
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import MESSAGE_TYPES, Direction, Message

_PREFIX_SIZE_BYTES = 4
#: Room for the length prefix and the header's own list mark.
_OVERHEAD_SIZE_BYTES = _PREFIX_SIZE_BYTES + 5
#: Nothing in a header but keys, signatures, tokens and digests travels as bytes.
_OCTETS_MAX = 64
_UTF8_BYTES_PER_CHAR_MAX = 4
_ITEM_WIDTH = 3
_FIXARRAY_MAX, _ARRAY16_MAX = 15, 65535
_is_buffer = raw().fits

#: One message ready for a frame: its packed header entry, its buffers, the size of both.
_Packed: TypeAlias = tuple[bytes, tuple[Buffer, ...], int]


def encode_frame(messages: Sequence[Message]) -> bytes:
    """Write one frame; every buffer is copied once, into the result.

    Raises
    ------
    WireError
        If there is no message, or a field breaks its bounds: the peer would refuse the frame.
    """
    if not messages:
        raise WireError("frame-empty", "a frame holds at least one message; got none")
    return _join([_pack(message) for message in messages])


def encode_frames(messages: Sequence[Message], limits: WireLimits) -> Iterator[bytes]:
    """Write as few frames as ``limits`` allow, keeping the order; none for no messages.

    Raises
    ------
    WireError
        As :func:`encode_frame`, and if a single message exceeds the limits.
    """
    batch: list[_Packed] = []
    header_bytes = frame_bytes = _OVERHEAD_SIZE_BYTES
    for message in messages:
        packed = entry, _, size_bytes = _pack(message)
        if (
            _OVERHEAD_SIZE_BYTES + size_bytes > limits.frame_bytes_max
            or _OVERHEAD_SIZE_BYTES + len(entry) > limits.header_bytes_max
        ):
            raise WireError(
                "frame-size",
                f"a {type(message).__name__} of {size_bytes} bytes ({len(entry)} in the header) "
                f"fits no frame of {limits.frame_bytes_max} bytes ({limits.header_bytes_max}); "
                "send large content as ValueParts",
            )
        if (
            len(batch) == limits.messages_max
            or frame_bytes + size_bytes > limits.frame_bytes_max
            or header_bytes + len(entry) > limits.header_bytes_max
        ):
            yield _join(batch)
            batch, header_bytes, frame_bytes = [], _OVERHEAD_SIZE_BYTES, _OVERHEAD_SIZE_BYTES
        batch.append(packed)
        header_bytes += len(entry)
        frame_bytes += size_bytes
    if batch:
        yield _join(batch)


def _pack(message: Message) -> _Packed:
    layout = LAYOUTS.get(type(message))
    if layout is None:
        raise WireError("type-unknown", f"{type(message).__name__} is no message of the protocol")
    values, buffers = layout.header_of(message), layout.buffers_of(message)
    for fits, value in zip(layout.predicates, values, strict=True):
        if not fits(value):
            raise layout.explain(values)
    if buffers and not all(map(_is_buffer, buffers)):
        raise WireError("field-type", f"a buffer of {layout.name} must be contiguous bytes")
    lengths = [memoryview(buffer).nbytes for buffer in buffers]
    try:
        entry: bytes = msgpack.packb((layout.code, values, lengths))
    except UnicodeEncodeError as error:
        raise WireError(
            "text-encoding",
            f"a text of {layout.name} has no UTF-8 form ({error}); pass it through clip() first",
        ) from error
    return entry, buffers, len(entry) + sum(lengths)


def _join(batch: Sequence[_Packed]) -> bytes:
    mark = _array_mark(len(batch))
    header_bytes = len(mark) + sum(len(entry) for entry, _, _ in batch)
    pieces: list[Buffer] = [header_bytes.to_bytes(_PREFIX_SIZE_BYTES, "big"), mark]
    pieces += [entry for entry, _, _ in batch]
    for _, buffers, _ in batch:
        pieces += buffers
    return b"".join(pieces)


def _array_mark(count: int) -> bytes:
    """Msgpack's mark of an array, so that entries are packed, and measured, one by one."""
    if count <= _FIXARRAY_MAX:
        return bytes((0x90 | count,))
    if count <= _ARRAY16_MAX:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def decode_frame(
    frame: bytes | memoryview, direction: Direction, limits: WireLimits
) -> list[Message]:
    """Read one frame that travelled in ``direction``, all of it or nothing.

    Raises
    ------
    WireError
        For any deviation from the protocol, with ``code`` one of those in docs/protocol.md.
    """
    header, view, offset = _header(frame, direction, limits)
    readable, size_bytes = READABLE[direction], view.nbytes
    messages: list[Message] = []
    for item in header:
        layout, values, lengths = _entry(item, readable, direction)
        if len(values) != len(layout.predicates):
            raise layout.explain(values)
        for fits, value in zip(layout.predicates, values, strict=True):
            if not fits(value):
                raise layout.explain(values)
        if not lengths:
            messages.append(layout.build(*values))
            continue
        buffers = []
        for length in lengths:
            end = offset + length
            if end > size_bytes:
                raise WireError(
                    "buffers-size",
                    f"{layout.name} promises a buffer of {length} bytes; "
                    f"{size_bytes - offset} are left in the frame",
                )
            buffers.append(view[offset:end])
            offset = end
        messages.append(layout.build(*values, *buffers))
    if offset != size_bytes:
        raise WireError(
            "trailing-bytes", f"{size_bytes - offset} bytes follow the last buffer; expected none"
        )
    return messages


def _header(
    frame: bytes | memoryview, direction: Direction, limits: WireLimits
) -> tuple[tuple[object, ...], memoryview, int]:
    """Unpack the header; give it, a view of the frame and where the buffers begin."""
    view = memoryview(frame).cast("B")
    _within("frame-size", "frame", view.nbytes, limits.frame_bytes_max)
    header_bytes = int.from_bytes(view[:_PREFIX_SIZE_BYTES], "big")
    _within("header-size", "header", header_bytes, limits.header_bytes_max)
    end = _PREFIX_SIZE_BYTES + header_bytes
    if view.nbytes < end:
        raise WireError("frame-cut", f"the header ends at byte {end} of {view.nbytes}")
    # Bounds per list, text and map: an array mark of five bytes may claim gigabytes, and nest.
    try:
        header = msgpack.unpackb(
            view[_PREFIX_SIZE_BYTES:end],
            use_list=False,
            object_pairs_hook=_map,
            max_array_len=max(limits.messages_max, ITEMS_MAX[direction]),
            max_str_len=limits.text_chars_max * _UTF8_BYTES_PER_CHAR_MAX,
            max_bin_len=_OCTETS_MAX,
            max_map_len=PAIRS_MAX,
            max_ext_len=0,
        )
    except ValueError as error:  # the base of all that msgpack raises for bad bytes
        raise WireError(
            "header-malformed", f"the header is no msgpack in bounds: {error}"
        ) from error
    if type(header) is not tuple:
        raise WireError("header-shape", "the header must be a list of messages")
    if not header:
        raise WireError("frame-empty", "a frame holds at least one message; got none")
    _within("messages-count", "messages", len(header), limits.messages_max)
    return header, view, end


def _entry(
    item: Any, readable: dict[int, Layout], direction: Direction
) -> tuple[Layout, tuple[object, ...], tuple[int, ...]]:
    """Check the shape of one header entry and find its layout."""
    if type(item) is not tuple or len(item) != _ITEM_WIDTH:
        raise WireError("header-shape", "a message must be [type code, [fields], [buffer lengths]]")
    code, values, lengths = item
    if type(code) is not int or type(values) is not tuple or type(lengths) is not tuple:
        raise WireError("header-shape", "a message must be [type code, [fields], [buffer lengths]]")
    layout = readable.get(code)
    if layout is None:
        names = [each.__name__ for each in MESSAGE_TYPES if code == each.TYPE_CODE]
        if names:
            raise WireError("direction", f"{names[0]} does not travel {direction.value}")
        raise WireError("type-unknown", f"no message has type code {code}")
    if len(lengths) != layout.buffers_count:
        raise WireError(
            "buffers-count",
            f"{layout.name} has {layout.buffers_count} buffers; got {len(lengths)} lengths",
        )
    if lengths and not all(type(length) is int and length >= 0 for length in lengths):
        raise WireError("buffers-size", f"buffer lengths of {layout.name} must be whole numbers")
    return layout, values, lengths


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Read a map, refusing doubled keys; lists in it are facts, and lists on our side too."""
    facts = {key: list(fact) if type(fact) is tuple else fact for key, fact in pairs}
    if len(facts) != len(pairs):
        raise ValueError("a map names a key twice")
    return facts


def _within(code: str, what: str, found: int, allowed: int) -> None:
    if found > allowed:
        raise WireError(code, f"{what} of {found}; at most {allowed} is allowed")
