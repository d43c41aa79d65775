"""What a runner's answer becomes for the gateway: a message, a sketch, or an error of its own.

Done | Raised ──answer_message──► Committed | Failed
"""

from __future__ import annotations

import logging

from eco_dask.agent.runner_process import Done, Raised
from eco_dask.errors import ValueCodecError
from eco_dask.sketches import sketch_or_digest
from eco_dask.text import clean
from eco_dask.values import EncodedValue
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)


def answer_message(answer: Done | Raised, inline_bytes_max: int) -> m.Message:
    """Return what the gateway is told; a value of at most that many bytes comes along."""
    if isinstance(answer, Raised):
        return m.Failed(
            answer.lease,
            clean(answer.error_type, 200) or "Exception",
            clean(answer.message, 4000),
            clean(answer.traceback, 15000),
            answer.cpu_s,
            answer.wall_s,
        )
    size_bytes = answer.size_bytes
    value = b"".join(answer.parts) if size_bytes <= inline_bytes_max else b""
    return m.Committed(answer.lease, answer.digest, size_bytes, answer.cpu_s, answer.wall_s, value)


def sketch_bytes(parts: tuple[bytes, ...], seed: bytes) -> bytes:
    """Sketch an answer; empty for what is no value, as a task's code can write it to our pipe."""
    try:
        value = EncodedValue.from_parts(parts)
        return sketch_or_digest(value, seed, m.SKETCHED_BYTES_MAX).to_bytes()
    except ValueCodecError as error:
        logger.warning("An answer is no value and has no sketch: %s", error)
        return b""


def too_large(answer: Done, bytes_max: int) -> Raised:
    """Return what stands in for a value of more bytes than are taken."""
    text = (
        f"the result has {answer.size_bytes} bytes; the job or this network takes {bytes_max} at "
        "most. Use smaller chunks, raise job(result_bytes_max=), or ask the operator to raise "
        "eco-dask.gateway.value-bytes-max."
    )
    return Raised(answer.lease, "ValueError", text, "", answer.cpu_s, answer.wall_s)
