"""Tasks that are larger than a lease may be."""

from __future__ import annotations

import pytest
from dask._task_spec import Task

from eco_dask.agent.runner import run_task
from eco_dask.errors import TaskRefusedError
from eco_dask.gateway.packing import TASK_BYTES_MAX, Package, pack
from eco_dask.values import encode
from eco_dask.wire.messages import INPUTS_MAX


def run(package: Package) -> object:
    def blob(digest):
        return bytearray(b"".join(package.blobs[digest]))

    return run_task(
        package.task, [blob(d) for d in package.inputs], [blob(d) for d in package.constants]
    )


def test_a_task_that_does_not_fit_a_lease_travels_by_digest() -> None:
    words = [f"{i:07d}" for i in range(TASK_BYTES_MAX // 5)]
    package = pack(Task("k", len, words), {})
    assert package.task == b""
    assert len(package.constants) == 1
    assert run(package) == len(words)


def test_a_small_task_travels_in_its_lease() -> None:
    package = pack(Task("k", len, ["a"]), {})
    assert package.task
    assert package.constants == ()
    assert run(package) == 1


def test_more_inputs_than_a_lease_can_name_are_refused_with_the_way_out() -> None:
    value = encode(1)
    with pytest.raises(TaskRefusedError, match="tree reduction"):
        pack(Task("k", len, []), dict.fromkeys(range(INPUTS_MAX + 1), value))
    assert (
        len(pack(Task("k", len, []), dict.fromkeys(range(INPUTS_MAX), value)).inputs) == INPUTS_MAX
    )
