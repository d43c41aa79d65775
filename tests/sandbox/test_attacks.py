"""Attacks by real tasks in a real runner: reading, seeing, signalling, connecting, the kernel."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sandbox_attacks import ATTACKS, HARMLESS_CONTROLS, attempt
from sandbox_cage import Life, live, sandbox

from eco_dask.sandbox.seccomp import ARCHITECTURES
from eco_dask.sandbox.syscalls import NUMBERS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's sandboxes")
CANARY = "canary-7f3a9d"


@pytest.fixture(scope="module")
def bait(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """Files, sockets and a secret in the environment, all within an unconfined task's reach."""
    folder = tmp_path_factory.mktemp("agent")
    key, home_file = folder / "key", Path.home() / ".eco-dask-test-bait"
    for path in (key, home_file):
        path.write_text("secret")
    os.environ["ECO_TEST_CANARY"] = CANARY
    column = ARCHITECTURES[os.uname().machine][1]
    with (
        socket.create_server(("", 0)) as listener,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        for server, address in ((named, str(folder / "s")), (abstract, "\0eco-dask-test")):
            server.bind(address)
            server.listen(64)
        yield {
            "key": str(key),
            "home_file": str(home_file),
            "canary": CANARY,
            "pid": os.getpid(),
            "python": Path(sys.executable).name,
            "port": listener.getsockname()[1],
            "address": own_address(),
            "socket": str(folder / "s"),
            "abstract": "\0eco-dask-test",
            "numbers": {name: pair[column] for name, pair in NUMBERS.items()},
        }
    home_file.unlink()
    del os.environ["ECO_TEST_CANARY"]


def own_address() -> str:
    """The address of this machine in its own network, loopback if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: it only asks which way a datagram would go.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module", params=["bwrap", "landlock"])
def outcomes(request, bait, tmp_path_factory) -> dict[str, str]:
    """What came of each attack, in the order of the table, in one runner."""
    cage = sandbox(request.param, tmp_path_factory.mktemp("home"))
    return all_outcomes(cage, list(ATTACKS), bait)


def all_outcomes(cage, names: list[str], bait: dict) -> dict[str, str]:
    async def story(life: Life) -> None:
        for name in names:
            life.feed(name, attempt, name, bait)
        await life.until(lambda: len(life.answers) == len(names) or life.deaths)
        assert not life.deaths
        await life.still_serves()

    life = live(cage, story)
    return {name: life.value(name) for name in names}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes[name].startswith("refused")


def test_the_same_attacks_succeed_without_a_sandbox(bait: dict, tmp_path: Path) -> None:
    outcomes = all_outcomes(sandbox("none", tmp_path), list(HARMLESS_CONTROLS), bait)
    assert {n: o for n, o in outcomes.items() if not o.startswith("gained")} == {}


def test_numerics_work_inside(tmp_path: Path) -> None:
    def compute() -> np.ndarray:
        import dask.array as da

        x = da.arange(10_000, chunks=1_000).reshape(100, 100)
        return np.linalg.svd((x @ x.T).compute(), compute_uv=False)

    def processes() -> list[int]:
        import multiprocessing

        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2])

    def files() -> str:
        import tempfile

        with tempfile.NamedTemporaryFile("w+") as file:
            file.write("scratch")
            file.seek(0)
            return file.read()

    async def story(life: Life) -> None:
        for task in (compute, processes, files):
            life.feed(task.__name__, task)
        await life.until(lambda: len(life.answers) == 3)

    inside = live(sandbox("bwrap", tmp_path), story)
    outside = live(sandbox("none", tmp_path), story)
    # The sandbox changes no bit of a result.
    assert inside.answers["compute"].digest == outside.answers["compute"].digest
    assert inside.value("processes") == [1, 2]
    assert inside.value("files") == "scratch"
