"""How large and how deep an encoded value may be before its reader refuses it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class CodecLimits:
    """Bounds on one encoded value, the same for whoever writes and whoever reads it."""

    #: Containers inside one another.
    depth_max: int = 100
    #: Tokens in the header: one per scalar, a few per container or array.
    nodes_max: int = 4_000_000
    #: Length of the header.
    header_bytes_max: int = 128 << 20
    #: Length of the whole encoding, header and buffers.
    size_bytes_max: int = 16 << 30
    #: Number of buffers (large arrays, strings and byte strings).
    buffers_max: int = 100_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be positive; got {getattr(self, field.name)}")


DEFAULT_LIMITS = CodecLimits()
