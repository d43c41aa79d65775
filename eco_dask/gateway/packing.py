"""A Dask task made ready to travel: pickled once, with inputs and large constants by digest.

    run_spec, inputs ──pack──► Package(task, inputs, constants, blobs)

The pickle is the recruiter's own code on its way to the providers' sandboxes. Nothing is ever
unpickled in the other direction.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
from blake3 import blake3

from eco_dask.dask_internals import GraphNode
from eco_dask.errors import TaskRefusedError, ValueCodecError
from eco_dask.types import Digest
from eco_dask.values import EncodedValue, encode
from eco_dask.values.registered import classes_needed
from eco_dask.wire.messages import INPUTS_MAX

#: Constants larger than this travel once per provider, by digest, instead of with each task.
CONSTANT_BYTES_MIN = 32 * 1024
#: A larger pickle travels by digest, too: a lease must fit one frame.
TASK_BYTES_MAX = 1 << 20
#: Above this BLAKE3 gains from more than one core.
_PARALLEL_HASH_BYTES_MIN = 1 << 20
#: Names in a pickle that show that a task opens files or stores: only the operator's own workers
#: have any. A false hit costs a trusted worker's time, a miss an error on the providers.
_STORAGE = re.compile(
    rb"xarray\.backends|netCDF4|h5netcdf|\bh5py\b|\bzarr\.|\bfsspec\b|\bpyarrow\.(fs|dataset)\b"
    rb"|dask\.dataframe\.(dask_expr\.)?io|dask\.bytes|dask_expr\.io"
    rb"|(?<!\w)(store_chunk|load_store_chunk|load_chunk)(?!\w)"
)
#: Each match of the above contains one of these: looking for them is six times faster, and nearly
#: every task has none.
_STORAGE_HINTS = (
    b"xarray.backends", b"netCDF4", b"h5netcdf", b"h5py", b"zarr", b"fsspec", b"pyarrow.fs",
    b"pyarrow.dataset", b"dask.dataframe", b"dask.bytes", b"dask_expr.io", b"_chunk",
)  # fmt: skip
_GPU = re.compile(rb"\bcupy\b")

Parts = Sequence[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Package:
    """What a lease of the task carries, and the blobs that a provider needs to have first."""

    #: Pickle of ``(run_spec, keys of the inputs, inputs by value, registered classes that the
    #: inputs need, references to classes that may be imported and registered, whether a result
    #: without safe encoding may be pickled)``.
    task: bytes
    #: Digests of the encoded inputs, in the order of the keys.
    inputs: tuple[Digest, ...]
    #: Digests of the constants that were kept out of the pickle, in its order.
    constants: tuple[Digest, ...]
    blobs: dict[Digest, Parts] = field(default_factory=dict)
    touches_storage: bool = False
    uses_gpu: bool = False


def encode_input(value: object) -> EncodedValue | None:
    """Encode an input that the recruiter's client put here, or return None if it has no encoding.

    Such an input is the recruiter's own object, so it may travel inside the task's pickle instead.
    """
    if isinstance(value, EncodedValue):
        return value
    try:
        return encode(value)
    except ValueCodecError:
        return None


def pack(
    run_spec: GraphNode,
    inputs: dict[Any, object],
    vouched: Sequence[str] = (),
    *,
    unsafe: bool = False,
) -> Package:
    """Make a task ready to travel.

    Parameters
    ----------
    run_spec : GraphNode
        The task.
    inputs : dict
        Its inputs by key: encoded values, or a recruiter's own objects.
    vouched : sequence of str
        References to the classes that the recruiter registered.
    unsafe : bool
        Whether a result without safe encoding may be pickled.

    Raises
    ------
    Exception
        Whatever pickling the recruiter's task raises.
    """
    blobs: dict[Digest, Parts] = {}
    keys: list[Any] = []
    digests: list[Digest] = []
    by_value: dict[Any, object] = {}
    classes: dict[type, None] = {}
    uses_gpu = False
    for key, value in inputs.items():
        if isinstance(value, EncodedValue):
            keys.append(key)
            digests.append(value.digest)
            blobs[value.digest] = value.parts()
            classes.update(dict.fromkeys(classes_needed(value.header)))
            uses_gpu = uses_gpu or value.kind_name.startswith("cupy")
        else:
            by_value[key] = value

    task, buffers = _pickle(
        (run_spec, tuple(keys), by_value, tuple(classes), tuple(vouched), unsafe)
    )
    raws: list[memoryview] = [buffer.raw() for buffer in buffers]
    large = len(task) > TASK_BYTES_MAX
    if large:
        # An empty task says that the first constant is the task.
        raws.insert(0, memoryview(task))
    constants = [_digest_of(raw) for raw in raws]
    blobs.update((digest, (raw,)) for digest, raw in zip(constants, raws, strict=True))
    _require_few(len(digests), len(constants))
    return Package(
        b"" if large else task,
        tuple(digests),
        tuple(constants),
        blobs,
        touches_storage=_touches_storage(task),
        uses_gpu=uses_gpu or (b"cupy" in task and _GPU.search(task) is not None),
    )


def _digest_of(raw: memoryview) -> Digest:
    threads = blake3.AUTO if raw.nbytes > _PARALLEL_HASH_BYTES_MIN else 1
    return Digest(blake3(raw, max_threads=threads).digest())


def _touches_storage(task: bytes) -> bool:
    return any(hint in task for hint in _STORAGE_HINTS) and _STORAGE.search(task) is not None


def _require_few(inputs: int, constants: int) -> None:
    """Refuse a task that no lease can name the values of."""
    if max(inputs, constants) > INPUTS_MAX:
        raise TaskRefusedError(
            f"the task needs {inputs} inputs and {constants} large constants; a task on providers "
            f"may need {INPUTS_MAX} of each. Combine them in steps, as in a tree reduction."
        )


def _pickle(value: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """Pickle, as Dask does, by reference where possible and by value where not."""
    buffers: list[pickle.PickleBuffer] = []

    def stays_inside(buffer: pickle.PickleBuffer) -> bool:
        if buffer.raw().nbytes <= CONSTANT_BYTES_MIN:
            return True
        buffers.append(buffer)
        return False

    try:
        task = pickle.dumps(value, protocol=5, buffer_callback=stays_inside)
    except Exception:  # noqa: BLE001  anything may go wrong in a recruiter's __reduce__; cloudpickle decides
        task = b""
    if not task or b"__main__" in task:
        buffers.clear()
        task = cloudpickle.dumps(value, protocol=5, buffer_callback=stays_inside)
    return task, buffers
