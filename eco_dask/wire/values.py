"""Values in parts, so that half a gigabyte never stands in the way of a small message.

::

    digest, buffers --split--> ValuePart, ValuePart, ... --ValueAssembler.feed--> bytearray
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from blake3 import blake3

from eco_dask.errors import WireError
from eco_dask.types import Digest
from eco_dask.wire.fields import Buffer
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import ValuePart


def split(digest: Digest, parts: Sequence[Buffer], part_bytes: int) -> Iterator[ValuePart]:
    """Cut the concatenation of ``parts`` into messages without ever joining the whole.

    A message that lies within one buffer is a view of it; only one that spans several is copied.
    A value of no bytes is one empty part.

    Raises
    ------
    ValueError
        If ``part_bytes`` is not positive.
    """
    if part_bytes <= 0:
        raise ValueError(f"part_bytes must be positive; got {part_bytes}")
    views = [memoryview(part).cast("B") for part in parts]
    size_bytes = sum(view.nbytes for view in views)
    offset_bytes = 0
    for data in _stretches(views, part_bytes) if size_bytes else [b""]:
        yield ValuePart(digest, size_bytes, offset_bytes, data)
        offset_bytes += len(data)


def _stretches(views: Sequence[memoryview], part_bytes: int) -> Iterator[Buffer]:
    """Give stretches of ``part_bytes``, the last one shorter."""
    gathered: list[memoryview] = []
    missing_bytes = part_bytes
    for view in views:
        start = 0
        while start < view.nbytes:
            piece = view[start : start + missing_bytes]
            gathered.append(piece)
            start += piece.nbytes
            missing_bytes -= piece.nbytes
            if not missing_bytes:
                yield _joined(gathered)
                gathered, missing_bytes = [], part_bytes
    if gathered:
        yield _joined(gathered)


def _joined(pieces: Sequence[memoryview]) -> Buffer:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@dataclass(slots=True)
class _Incoming:
    """A value under way; hashed as it arrives, so that its end costs no more than another part."""

    value: bytearray
    filled_bytes: int = 0
    hasher: blake3 = field(default_factory=blake3)


class Room:
    """Memory for values under way, shared by all peers.

    Parameters
    ----------
    bytes_max : int
        What they may take together; a larger value comes when it is alone.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        #: Bytes of all values promised or under way.
        self.taken_bytes = 0

    def has(self, size_bytes: int) -> bool:
        """Whether a value of that size may come now."""
        return self.taken_bytes == 0 or self.taken_bytes + size_bytes <= self.bytes_max


class ValueAssembler:
    """Puts the values of one peer together again, within limits.

    Every refusal leaves it unchanged, except that a value with a wrong digest is forgotten.

    Parameters
    ----------
    limits
        Bounds on one value and on all that is outstanding.
    unasked
        Whether to take values nobody expected. A provider does, as its gateway sends values ahead
        of the lease that needs them; a gateway does not.
    room
        Told of what is promised or under way here, beside other peers' values.
    """

    def __init__(
        self, limits: WireLimits, *, unasked: bool = False, room: Room | None = None
    ) -> None:
        self._room = room if room is not None else Room(limits.outstanding_bytes_max)
        self._limits = limits
        self._unasked = unasked
        self._promised: dict[Digest, int] = {}
        self._incoming: dict[Digest, _Incoming] = {}
        self._outstanding_bytes = 0

    @property
    def outstanding_bytes(self) -> int:
        """Bytes of all values promised or under way."""
        return self._outstanding_bytes

    @property
    def room_bytes(self) -> int:
        """The largest value that may be expected now."""
        room = self._limits.outstanding_bytes_max - self._outstanding_bytes
        return min(room, self._limits.value_bytes_max)

    def expect(self, digest: Digest, size_bytes: int) -> None:
        """Promise a value, before asking the peer for it. Repeating the promise changes nothing.

        Raises
        ------
        WireError
            ``"value-size"`` if it is too large or was promised with another size,
            ``"values-outstanding"`` if too much is promised or under way; ask again later.
        """
        promised = self._promised.get(digest)
        if promised is None:
            self._admit(digest, size_bytes)
        elif promised != size_bytes:
            raise _size_error(digest, size_bytes, promised)

    def feed(self, part: ValuePart) -> bytearray | None:
        """Take in one part; give the whole value once complete and verified (it may be empty).

        Raises
        ------
        WireError
            ``"value-unexpected"``, ``"value-size"``, ``"values-outstanding"``, ``"part-size"``,
            ``"part-offset"`` or ``"digest-mismatch"``.
        """
        digest, size_bytes, length = part.digest, part.size_bytes, memoryview(part.data).nbytes
        promised = self._promised.get(digest)
        if promised is None and not self._unasked:
            raise WireError("value-unexpected", f"nobody asked for value {digest.hex()}")
        if promised is not None and promised != size_bytes:
            raise _size_error(digest, size_bytes, promised)
        self._require_next(part, length)
        if promised is None:
            self._admit(digest, size_bytes)
        incoming = self._incoming.get(digest)
        if incoming is None:
            incoming = self._incoming[digest] = _Incoming(bytearray(size_bytes))
        end_bytes = part.offset_bytes + length
        incoming.value[part.offset_bytes : end_bytes] = part.data
        incoming.hasher.update(part.data)
        incoming.filled_bytes = end_bytes
        return self._completed(digest, incoming) if end_bytes == size_bytes else None

    def forget(self, digest: Digest) -> None:
        """Drop a value and its promise, such as when its lease is gone; unknown ones are fine."""
        size_bytes = self._promised.pop(digest, 0)
        self._outstanding_bytes -= size_bytes
        self._room.taken_bytes -= size_bytes
        self._incoming.pop(digest, None)

    def _admit(self, digest: Digest, size_bytes: int) -> None:
        if not 0 <= size_bytes <= self._limits.value_bytes_max:
            raise WireError(
                "value-size",
                f"value {digest.hex()} of {size_bytes} bytes; "
                f"at most {self._limits.value_bytes_max} are taken",
            )
        if self._outstanding_bytes + size_bytes > self._limits.outstanding_bytes_max:
            raise WireError(
                "values-outstanding",
                f"value {digest.hex()} of {size_bytes} bytes beside {self._outstanding_bytes} "
                f"outstanding; at most {self._limits.outstanding_bytes_max} together",
            )
        self._promised[digest] = size_bytes
        self._outstanding_bytes += size_bytes
        self._room.taken_bytes += size_bytes

    def _require_next(self, part: ValuePart, length: int) -> None:
        incoming = self._incoming.get(part.digest)
        filled_bytes = incoming.filled_bytes if incoming else 0
        if part.offset_bytes != filled_bytes:
            raise WireError(
                "part-offset",
                f"value {part.digest.hex()} continues at {filled_bytes}; got {part.offset_bytes}",
            )
        # An empty part of a value that is not empty would let a peer talk for ever.
        least = min(part.size_bytes, 1)
        most = min(self._limits.part_bytes, part.size_bytes - filled_bytes)
        if not least <= length <= most:
            raise WireError(
                "part-size",
                f"part of {length} bytes of value {part.digest.hex()}; expected {least} to {most}",
            )

    def _completed(self, digest: Digest, incoming: _Incoming) -> bytearray:
        self.forget(digest)
        found = incoming.hasher.digest()
        if found != digest:
            raise WireError(
                "digest-mismatch",
                f"{incoming.filled_bytes} bytes sent as {digest.hex()} hash to {found.hex()}",
            )
        return incoming.value


def _size_error(digest: Digest, found: int, promised: int) -> WireError:
    return WireError(
        "value-size", f"value {digest.hex()} of {found} bytes; {promised} were promised"
    )
