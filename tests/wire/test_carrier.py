"""The outbox: what is queued leaves in order, in frames that the other side takes."""

from __future__ import annotations

import asyncio

import pytest

from eco_dask.carrier import Outbox
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import SKETCHED_BYTES_MAX, Direction

LIMITS = WireLimits()


def frames_of(*messages: m.Message) -> list[bytes]:
    """What an outbox writes."""
    written: list[bytes] = []

    async def write(frame: bytes) -> None:
        written.append(frame)

    async def main() -> None:
        outbox = Outbox(write, LIMITS)
        for message in messages:
            outbox.send(message)
        writer = asyncio.create_task(outbox.run())
        async with asyncio.timeout(20):
            await outbox.drain()
        writer.cancel()

    asyncio.run(main())
    return written


SIZES = [
    [10] * 5,
    [SKETCHED_BYTES_MAX] * 3,
    [LIMITS.frame_bytes_max // 2 - 1, SKETCHED_BYTES_MAX, 10],
    [10, SKETCHED_BYTES_MAX, 10],
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_sketches_of_any_length_leave_in_frames_that_are_taken(sizes: list[int]) -> None:
    sketches = [m.Sketched(f"lease {i}", 1, bytes(size)) for i, size in enumerate(sizes)]
    frames = frames_of(*sketches)
    assert max(map(len, frames)) <= LIMITS.frame_bytes_max
    heard = [each for f in frames for each in decode_frame(f, Direction.TO_GATEWAY, LIMITS)]
    assert heard == sketches


def test_small_messages_share_a_frame() -> None:
    assert len(frames_of(*(m.Sketched("a", i + 1, b"x") for i in range(50)))) == 1
