"""Which values a provider keeps, and what its gateway knows of it.

::

    gateway: CacheMirror.sent ──ValuePart──► provider: BlobCache.add ─► evicted digests
             CacheMirror.evicted ◄──Evicted, Missing──────────────────────┘
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable

from eco_dask.types import Digest
from eco_dask.wire.fields import Buffer

#: Values of one provider that a gateway remembers.
MIRRORED_MAX = 100_000


class BlobCache:
    """Content-addressed blobs within a budget; the least recently used leaves first.

    The budget holds always. Pinned blobs never leave; a blob that does not fit beside them is not
    kept. A digest may be pinned before its blob arrives.

    Raises
    ------
    ValueError
        If the budget is negative.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = _budget(budget_bytes)
        self._blobs: OrderedDict[Digest, Buffer] = OrderedDict()
        self._pins: Counter[Digest] = Counter()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all blobs held, never above the budget."""
        return self._size_bytes

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._blobs

    def __len__(self) -> int:
        return len(self._blobs)

    def add(self, digest: Digest, data: Buffer) -> list[Digest]:
        """Keep a blob, as the most recently used one; give what left, to be told to the gateway.

        The list names ``digest`` itself, and nothing else, when the blob does not fit beside the
        pinned ones. The caller vouches that ``digest`` is the digest of ``data``.
        """
        if digest in self._blobs:
            self._blobs.move_to_end(digest)
            return []
        size_bytes = memoryview(data).nbytes
        excess_bytes = self._size_bytes + size_bytes - self.budget_bytes
        leaving: list[Digest] = []
        for held, blob in self._blobs.items():
            if excess_bytes <= 0:
                break
            if held not in self._pins:
                leaving.append(held)
                excess_bytes -= memoryview(blob).nbytes
        if excess_bytes > 0:
            return [digest]
        for held in leaving:
            self._size_bytes -= memoryview(self._blobs.pop(held)).nbytes
        self._blobs[digest] = data
        self._size_bytes += size_bytes
        return leaving

    def get(self, digest: Digest) -> Buffer | None:
        """Give a blob and mark it as just used; None if it is not held."""
        data = self._blobs.get(digest)
        if data is not None:
            self._blobs.move_to_end(digest)
        return data

    def pin(self, digests: Iterable[Digest]) -> None:
        """Keep these blobs until each was unpinned as often as it was pinned."""
        self._pins.update(digests)

    def unpin(self, digests: Iterable[Digest]) -> None:
        """Take back one pin of each; all or nothing.

        Raises
        ------
        ValueError
            If a digest is not pinned that often; no pin is taken back.
        """
        returned = Counter(digests)
        for digest, count in returned.items():
            if self._pins[digest] < count:
                raise ValueError(
                    f"{digest.hex()} is pinned {self._pins[digest]} times; cannot unpin {count}"
                )
        for digest, count in returned.items():
            self._pins[digest] -= count
            if not self._pins[digest]:
                del self._pins[digest]


class CacheMirror:
    """What a gateway believes one provider holds.

    Two ways to be wrong are harmless: a value thought absent is sent once more, a value thought
    present is reported Missing. So what grows past twice the budget, because a provider never
    tells what left, is forgotten from the oldest on; so is what grows past a number of values.

    Raises
    ------
    ValueError
        If the budget is negative.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = _budget(budget_bytes)
        self._sizes_bytes: OrderedDict[Digest, int] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all values believed to be held."""
        return self._size_bytes

    def holds(self, digest: Digest) -> bool:
        """Whether the provider is believed to hold the value."""
        return digest in self._sizes_bytes

    def sent(self, digest: Digest, size_bytes: int) -> None:
        """Take note of a value that was sent."""
        self.evicted([digest])
        self._sizes_bytes[digest] = size_bytes
        self._size_bytes += size_bytes
        while self._size_bytes > 2 * self.budget_bytes or len(self._sizes_bytes) > MIRRORED_MAX:
            self.evicted([next(iter(self._sizes_bytes))])

    def evicted(self, digests: Iterable[Digest]) -> None:
        """Take note of values that left, or turned out missing; unknown ones are fine."""
        for digest in digests:
            self._size_bytes -= self._sizes_bytes.pop(digest, 0)

    def clear(self) -> None:
        """Forget everything, as for a provider that starts a new session."""
        self._sizes_bytes.clear()
        self._size_bytes = 0


def _budget(budget_bytes: int) -> int:
    if budget_bytes < 0:
        raise ValueError(f"budget_bytes must not be negative; got {budget_bytes}")
    return budget_bytes
