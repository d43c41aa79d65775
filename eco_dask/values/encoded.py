"""A value as it travels, rests and is compared: a small header and raw buffers.

    encode(value) --> EncodedValue --parts()--> bytes on the wire --from_bytes()--> EncodedValue

The layout of :meth:`EncodedValue.to_bytes`, all numbers little-endian::

    4 bytes     b"EDV" and the version, 1
    u32         number of buffers
    u64         length of the header
    u64 each    length of every buffer
    ...         the header, then the buffers
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from eco_dask.errors import ValueCodecError
from eco_dask.types import Digest
from eco_dask.values import describe
from eco_dask.values.codec import decode_parts, encode_parts
from eco_dask.values.limits import DEFAULT_LIMITS, CodecLimits
from eco_dask.values.role import is_keeping_encoded
from eco_dask.values.stream import Payload

_MAGIC = b"EDV\x01"
_PREFIX = struct.Struct("<4sIQ")
#: Hashing on several cores pays from here on.
_PARALLEL_BYTES_MIN = 1 << 20
#: Rough size of the object itself, in bytes.
_OBJECT_BYTES = 200


class EncodedValue:
    """A value in the safe codec. Immutable; equal to another if their digests are equal.

    Equal values of equal type encode to equal bytes, so the digest stands for the value. The
    exceptions are differences that a type shows only on close inspection: unused categories or
    levels in pandas, unsorted or explicit zeros in sparse matrices.

    Large buffers may be views of the array that was encoded, which must not change meanwhile.

    Pickling one and loading it gives the *decoded* value, except in a process that called
    :func:`~eco_dask.values.role.keep_encoded`: that is how Dask moves and spills it.
    """

    __slots__ = ("_digest", "_size_bytes", "buffers", "header")

    header: bytes
    buffers: tuple[Payload, ...]

    def __init__(self, header: Payload, buffers: Sequence[Payload] = ()) -> None:
        set_once = object.__setattr__
        set_once(self, "header", header if type(header) is bytes else bytes(header))
        set_once(self, "buffers", tuple(map(_as_payload, buffers)))
        content = len(header) + sum(map(len, self.buffers))
        set_once(self, "_size_bytes", _PREFIX.size + 8 * len(self.buffers) + content)
        set_once(self, "_digest", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an EncodedValue is immutable; cannot set {name!r} to {value!r:.80}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an EncodedValue is immutable; cannot delete {name!r}")

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, limits: CodecLimits = DEFAULT_LIMITS
    ) -> EncodedValue:
        """Take apart what :meth:`to_bytes` gave, without copying the buffers.

        Raises
        ------
        ValueCodecError
            If the lengths do not add up exactly or go beyond ``limits``. The header is read only
            when the value is decoded.
        """
        view = memoryview(data).toreadonly().cast("B")
        if len(view) < _PREFIX.size:
            raise ValueCodecError(f"{len(view)} bytes are too few for an encoded value")
        magic, n_buffers, header_bytes = _PREFIX.unpack_from(view)
        if magic != _MAGIC:
            raise ValueCodecError(f"expected an encoded value, {_MAGIC!r}; found {magic!r}")
        if (
            len(view) > limits.size_bytes_max
            or n_buffers > limits.buffers_max
            or header_bytes > limits.header_bytes_max
        ):
            raise ValueCodecError(
                f"{len(view)} bytes with {n_buffers} buffers and {header_bytes} bytes of header "
                f"are beyond {limits}"
            )
        return cls(*_split(view, n_buffers, header_bytes))

    @classmethod
    def from_parts(
        cls, parts: Sequence[Payload], limits: CodecLimits = DEFAULT_LIMITS
    ) -> EncodedValue:
        """Take what :meth:`parts` gave without copying it; the same bytes cut otherwise are joined.

        Raises
        ------
        ValueCodecError
            As :meth:`from_bytes`.
        """
        head, *buffers = parts or (b"",)
        if len(buffers) > limits.buffers_max or len(head) < _PREFIX.size + 8 * len(buffers):
            return cls.from_bytes(b"".join(parts), limits)
        start = _PREFIX.size + 8 * len(buffers)
        lengths = struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        expected = _PREFIX.pack(_MAGIC, len(buffers), len(head) - start) + lengths
        size_bytes = len(head) + sum(map(len, buffers))
        if (
            bytes(head[:start]) != expected
            or len(head) - start > limits.header_bytes_max
            or size_bytes > limits.size_bytes_max
        ):
            return cls.from_bytes(b"".join(parts), limits)
        return cls(head[start:], buffers)

    @property
    def size_bytes(self) -> int:
        """Length of :meth:`to_bytes`."""
        size: int = self._size_bytes  # type: ignore[attr-defined]
        return size

    @property
    def digest(self) -> Digest:
        """BLAKE3 over exactly the bytes of :meth:`to_bytes`; computed once."""
        digest: Digest | None = self._digest  # type: ignore[attr-defined]
        if digest is None:
            parallel = self.size_bytes > _PARALLEL_BYTES_MIN
            hasher = blake3(max_threads=blake3.AUTO if parallel else 1)
            for part in self.parts():
                hasher.update(part)
            digest = Digest(hasher.digest())
            object.__setattr__(self, "_digest", digest)
        return digest

    @property
    def python_type(self) -> type:
        """The class of the value, or ``object`` if it is not imported here."""
        return describe.python_type(self.header)

    @property
    def kind_name(self) -> str:
        """Type and shape for displays, such as ``"ndarray[float64](3, 4)"``."""
        return describe.kind_name(self.header)

    def parts(self) -> list[Payload]:
        """Return the pieces whose concatenation is :meth:`to_bytes`."""
        lengths = struct.pack(f"<{len(self.buffers)}Q", *map(len, self.buffers))
        prefix = _PREFIX.pack(_MAGIC, len(self.buffers), len(self.header))
        return [prefix + lengths + self.header, *self.buffers]

    def to_bytes(self) -> bytes:
        """Return the whole encoding as one byte string."""
        return b"".join(self.parts())

    def decode(self, limits: CodecLimits = DEFAULT_LIMITS) -> Any:
        """Return the value: a fresh copy, writable where its type can be written to.

        Raises
        ------
        ValueCodecError
            If this encodes no value, or needs a class or library that is not here.
        """
        return decode_parts(self.header, self.buffers, limits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EncodedValue):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __sizeof__(self) -> int:
        return _OBJECT_BYTES + self.size_bytes

    def __repr__(self) -> str:
        return f"<EncodedValue {self.kind_name} {self.size_bytes} bytes>"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if protocol >= 5:  # noqa: PLR2004  the protocol that carries buffers out of band
            return _restore, (self.header, *map(pickle.PickleBuffer, self.buffers))
        return _restore, (self.header, *map(bytes, self.buffers))


def encode(value: object, limits: CodecLimits = DEFAULT_LIMITS) -> EncodedValue:
    """Encode a value without pickle.

    Parameters
    ----------
    value : object
        Plain Python data, numpy, pandas, pyarrow, xarray or scipy.sparse data, or an instance of
        a class given to :func:`register`. Arrays in it must not change while the result is used.
    limits : CodecLimits
        Bounds on the result.

    Raises
    ------
    ValueCodecError
        If a type in it has no safe encoding (never is a type silently changed, except that
        bytearray and memoryview become bytes), or it goes beyond ``limits``.
    """
    return EncodedValue(*encode_parts(value, limits))


def _restore(header: Payload, *buffers: Payload) -> Any:
    encoded = EncodedValue(header, buffers)
    return encoded if is_keeping_encoded() else encoded.decode()


def _as_payload(buffer: Any) -> Payload:
    return buffer if type(buffer) is bytes else memoryview(buffer).toreadonly().cast("B")


def _split(view: memoryview, n_buffers: int, header_bytes: int) -> tuple[bytes, list[memoryview]]:
    start = _PREFIX.size + 8 * n_buffers
    if len(view) < start:
        raise ValueCodecError(f"{len(view)} bytes are too few for {n_buffers} buffers")
    lengths = struct.unpack_from(f"<{n_buffers}Q", view, _PREFIX.size)
    if start + header_bytes + sum(lengths) != len(view):
        raise ValueCodecError(
            f"found {len(view)} bytes where the lengths add up to "
            f"{start + header_bytes + sum(lengths)}"
        )
    header, start = bytes(view[start : start + header_bytes]), start + header_bytes
    buffers = []
    for length in lengths:
        buffers.append(view[start : start + length])
        start += length
    return header, buffers
