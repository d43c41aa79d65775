"""One recruiter's worst, by a real client; then another's tasks on the very same provider."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import FunctionType

import pytest
from distributed import Client
from sandbox_cage import FOLDERS, why_no_namespaces

import eco_dask
from eco_dask import EcoCluster

pytestmark = [pytest.mark.e2e]
QUICK = {
    "eco-dask.gateway.benchmark-steps": 2,
    "eco-dask.gateway.benchmark-size": 64,
    "eco-dask.lease.losses-max": 2,
}
FOLDER_NAMES = ("/tmp", "/scratch", "/dev/shm")


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    """One provider with one slot: what is left behind would be met."""
    if sys.platform != "linux" or (reason := why_no_namespaces()):
        pytest.skip("Linux's sandboxes" if sys.platform != "linux" else str(reason))
    small = {"memory": "400 MiB", "processes": 48, "disk": "64 MiB", "read": list(FOLDERS)}
    limits = {f"eco-dask.worker.sandbox.{name}": value for name, value in small.items()}
    with EcoCluster(
        n_providers=1, trusted_workers=0, sandbox="bwrap", dashboard_address=None,
        config=QUICK | limits,
    ) as cluster:  # fmt: skip
        yield cluster


def tamper(_: int) -> str:
    """Change what the next task in this process would use, and answer as if nothing were."""
    import builtins
    import os
    import pickle

    import numpy as np

    from eco_dask.agent import runner
    from eco_dask.values import encode

    wrong = encode("tampered")
    builtins.sum = lambda *_: "tampered"
    np.add = np.multiply
    runner.encode = lambda _: wrong
    pickle.loads = lambda *_, **__: (lambda _: "tampered", (), {}, (), ())
    os.environ["LEFT"] = "left"
    return "done"


def leave_files_and_processes(_: int) -> int:
    import os
    import time

    for folder in ("/tmp", "/scratch", "/dev/shm"):
        with open(f"{folder}/left", "wb") as file:
            file.write(b"x" * (1 << 20))
    children = 0
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        children += 1
    return children


def fork_without_end(_: int) -> int:
    import os
    import time

    for n in range(400):
        try:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
        except OSError:
            return n
    return 400


def eat_memory(_: int) -> int:
    return len([b"x" * (16 << 20) for _ in range(200)])


def fill_the_disk(_: int) -> int:
    written = 0
    try:
        with open("/scratch/full", "wb", buffering=0) as file:
            for _ in range(1024):
                written += file.write(b"x" * (1 << 20))
    except OSError:
        return written
    return written


def flood_the_pipe(_: int) -> None:
    import os

    # Wherever the runner keeps its way out.
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\xff" * 100_000)
        except OSError:
            continue


WORST = (
    tamper, leave_files_and_processes, fork_without_end, eat_memory, fill_the_disk, flood_the_pipe,
)  # fmt: skip


def look(_: int) -> dict:
    import os

    import numpy as np

    names = []
    for pid in os.listdir("/proc"):
        if pid.isdecimal():
            with open(f"/proc/{pid}/stat") as file:
                names.append(file.read().split()[1])
    with open("/scratch/mine", "wb") as file:
        file.write(b"x" * (32 << 20))
    os.remove("/scratch/mine")
    return {
        "sum": sum([1, 2, 3]),
        "add": float(np.add(2.0, 5.0)),
        "variable": os.environ.get("LEFT"),
        "files": sorted(n for f in ("/tmp", "/scratch", "/dev/shm") for n in os.listdir(f)),
        "processes": len(names),
        "memory": len(b"x" * (200 << 20)) >> 20,
    }


def by_value(function):
    """Send a function itself, as a notebook does: providers have no such module."""
    copy = FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
    copy.__module__ = "__main__"
    return copy


@pytest.mark.parametrize("worst", WORST, ids=lambda function: function.__name__)
def test_the_next_recruiter_s_task_is_untouched(cluster: EcoCluster, worst) -> None:
    with (
        Client(cluster.scheduler_address) as mallory,
        Client(cluster.scheduler_address) as bob,
        eco_dask.job(quorum=1),
    ):
        bad = mallory.submit(by_value(worst), 0, pure=False, retries=0)
        deadline_s = time.monotonic() + 60
        while not bad.done():
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        found = bob.submit(by_value(look), 0, pure=False).result(60)
    files = found.pop("files")
    assert "left" not in files
    assert "full" not in files
    processes = found.pop("processes")
    assert found == {"sum": 6, "add": 7.0, "variable": None, "memory": 200}
    # bwrap's first process, and the runner with what Python starts beside it.
    assert processes <= 4
