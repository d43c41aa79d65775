"""What travels to a provider: the task once, inputs and large constants by digest."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
import pytest
from blake3 import blake3
from dask._task_spec import Task, TaskRef

from eco_dask.agent.runner import run_task
from eco_dask.gateway.packing import CONSTANT_BYTES_MIN, Package, encode_input, pack
from eco_dask.values import encode

BIG = np.arange(CONSTANT_BYTES_MIN, dtype="u1").repeat(2)
SMALL = np.arange(8)


class Shout:
    """A recruiter's own class, without a safe encoding."""

    def __init__(self, text: str) -> None:
        self.text = text


def add(a, b):
    return a + b


def loud(shout):
    return shout.text.upper()


def run(package: Package) -> object:
    """What a runner makes of a package."""
    blobs = {digest: bytearray(b"".join(parts)) for digest, parts in package.blobs.items()}
    return run_task(
        package.task, [blobs[d] for d in package.inputs], [blobs[d] for d in package.constants]
    )


def test_a_packed_task_runs() -> None:
    package = pack(Task("k", add, TaskRef("x"), 2), {"x": encode(40)})
    assert run(package) == 42
    assert package.inputs == (encode(40).digest,)
    assert package.constants == ()


def test_large_constants_leave_the_pickle_and_small_ones_stay() -> None:
    package = pack(Task("k", add, BIG, SMALL[0]), {})
    assert package.constants == (blake3(BIG.data).digest(),)
    assert len(package.task) < 2000
    np.testing.assert_array_equal(run(package), BIG + SMALL[0])


def test_the_same_constant_has_the_same_digest_in_each_task() -> None:
    one, other = pack(Task("a", add, BIG, 1), {}), pack(Task("b", add, 2, BIG.copy()), {})
    assert one.constants == other.constants


def test_the_bytes_of_every_digest_hash_to_it() -> None:
    package = pack(Task("k", add, TaskRef("x"), BIG), {"x": encode(BIG)})
    assert set(package.blobs) == {*package.inputs, *package.constants}
    for digest, parts in package.blobs.items():
        assert blake3(b"".join(parts)).digest() == digest


def test_what_has_no_encoding_travels_by_value() -> None:
    assert encode_input(Shout("x")) is None
    package = pack(Task("k", loud, TaskRef("x")), {"x": Shout("quiet")})
    assert package.inputs == ()
    assert run(package) == "QUIET"


def test_functions_of_a_script_travel_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    script = types.ModuleType("__main__")
    exec("def here(x):\n    return helper(x)\ndef helper(x):\n    return -x", script.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", script)
    package = pack(Task("k", script.here, 5), {})
    # The runner's own __main__ has no such functions.
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    assert run(package) == -5


def test_functions_of_an_installed_module_travel_by_name() -> None:
    package = pack(Task("k", np.linalg.norm, SMALL), {})
    assert b"numpy" in package.task
    assert len(package.task) < 1000


def test_what_cannot_be_pickled_says_so() -> None:
    with pytest.raises((TypeError, pickle.PicklingError)):
        pack(Task("k", add, (i for i in range(3)), 1), {})


STORAGE = {
    "xarray.backends.api": True,
    "netCDF4": True,
    "h5py._hl": True,
    "zarr.core": True,
    "fsspec.spec": True,
    "pyarrow.fs": True,
    "pyarrow.dataset": True,
    "dask.dataframe.io.parquet": True,
    "dask.bytes.core": True,
    "load_store_chunk": True,
    "store_chunk": True,
    "xarray.core.dataset": False,
    "pyarrow.lib": False,
    "bizarre": False,
    "zarrlike": False,
    "dask.array.core": False,
    "my_store_chunks": False,
}


@pytest.mark.parametrize("name", STORAGE)
def test_tasks_that_touch_storage_are_recognised(name: str) -> None:
    # A name inside of a pickle is a counted string: what stands beside it is no letter.
    assert pack(Task("k", len, f"({name}\n"), {}).touches_storage is STORAGE[name]


def test_array_stores_are_recognised() -> None:
    import dask.array as da

    target = np.empty(4)
    graph = dict(da.ones(4, chunks=2).store(target, compute=False, lock=False).dask)
    assert any(pack(node, {}).touches_storage for node in graph.values() if isinstance(node, Task))


@pytest.mark.parametrize(
    ("text", "found"), [("cupy", True), ("cupy._core", True), ("occupy", False)]
)
def test_gpu_code_is_recognised(text: str, found: bool) -> None:
    assert pack(Task("k", len, f"({text}\n"), {}).uses_gpu is found
