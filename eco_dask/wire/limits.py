"""How much a peer may ask of us: bounds on frames and values, checked before allocating."""

from __future__ import annotations

from dataclasses import dataclass, fields

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds on what one peer may send. Each field of a message has its own, tighter bound too.

    Raises
    ------
    ValueError
        If a bound is not positive, or a part does not fit a frame.
    """

    #: Bytes of one frame, header and buffers; give it to the WebSocket library as well.
    frame_bytes_max: int = 8 * _MIB
    #: Bytes of the msgpack header of one frame.
    header_bytes_max: int = 2 * _MIB
    #: Messages in one frame.
    messages_max: int = 1024
    #: Characters of the longest text; compared as four UTF-8 bytes each, before decoding.
    text_chars_max: int = 16 * 1024
    #: Bytes of value carried by one :class:`~eco_dask.wire.messages.ValuePart`.
    part_bytes: int = 4 * _MIB
    #: Bytes of one value that travels in parts.
    value_bytes_max: int = 1024 * _MIB
    #: Bytes of all values that are promised or under way from one peer at a time.
    outstanding_bytes_max: int = 2048 * _MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be positive; got {getattr(self, field.name)}")
        if self.part_bytes + 1024 > self.frame_bytes_max:
            raise ValueError(
                f"a part of part_bytes={self.part_bytes} and its header (1024 bytes) do not fit "
                f"frame_bytes_max={self.frame_bytes_max}; lower the first or raise the second"
            )
