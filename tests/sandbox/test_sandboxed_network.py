"""Attacks by a real client on a whole network, and what an owner is told at the start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from sandbox_cage import FOLDERS, why_no_namespaces

import eco_dask
from eco_dask import EcoCluster
from eco_dask.errors import RemoteTaskError
from eco_dask.providers.invite import Invite
from eco_dask.providers.link import JoinLink

pytestmark = [pytest.mark.e2e]
QUICK = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    """Two providers in namespaces, and a trusted worker that is in none."""
    if sys.platform != "linux" or (reason := why_no_namespaces()):
        pytest.skip("Linux's sandboxes" if sys.platform != "linux" else str(reason))
    small = {"memory": "400 MiB", "processes": 48, "read": list(FOLDERS)}
    limits = {f"eco-dask.worker.sandbox.{name}": value for name, value in small.items()}
    with EcoCluster(
        n_providers=2, sandbox="bwrap", dashboard_address=None, config=QUICK | limits
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: EcoCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def test_a_recruiters_task_finds_no_key_no_settings_and_no_network(
    client: Client, cluster: EcoCluster
) -> None:
    def reach(folder: str, addresses: list[str]) -> list[str]:
        import os
        import socket

        found = [name for name in os.environ if "ECO_DASK" in name or "DASK_" in name]
        if os.path.exists(folder):
            found.append(folder)
        for address in addresses:
            host, port = address.rpartition("://")[2].split("/")[0].split(":")
            try:
                socket.create_connection((host, int(port)), 3).close()
            except OSError:
                continue
            found.append(address)
        return [*found, *(["root"] if os.getuid() == 0 else [])]

    addresses = [cluster.provider_address, cluster.scheduler_address]
    folder = str(cluster.data_directory)
    assert Path(folder).exists()
    assert client.submit(reach, folder, addresses).result(60) == []
    # The same function finds all of it where nothing confines it.
    assert len(reach(folder, addresses)) >= 3


def test_a_memory_bomb_of_one_job_fails_and_the_next_job_succeeds(client: Client) -> None:
    def bomb() -> int:
        held = [b"x" * (16 << 20) for _ in range(200)]
        return len(held)

    # Quorum 1 and no trusted worker to run it unconfined.
    with eco_dask.job(quorum=1):
        bad = client.submit(bomb, key="bomb", retries=0)
        good = [client.submit(pow, 2, n, key=f"good-{n}") for n in range(10)]
        assert client.gather(good) == [2**n for n in range(10)]
    bad.cancel()
    after = client.submit(sum, [1, 2, 3], key="after")
    assert after.result(60) == 6


def test_what_a_task_raises_in_a_sandbox_reaches_the_recruiter(client: Client) -> None:
    def write() -> None:
        with open("/usr/lib/eco-dask-was-here", "w") as file:
            file.write("x")

    with pytest.raises(RemoteTaskError) as caught:
        client.submit(write).result(60)
    assert isinstance(caught.value, OSError)


# ------------------------------------------------------------------ the owner's command


def start_worker(folder: Path, *arguments: str, path: str) -> subprocess.CompletedProcess:
    """Run eco-dask-worker with the programs of a folder only, to where nobody answers."""
    command = [sys.executable, "-m", "eco_dask.cli.worker", "--local-directory", str(folder)]
    link = str(JoinLink("ws://127.0.0.1:1", str(Invite.draw())))
    environment = os.environ | {"PATH": path, "ECO_DASK_JOIN_LINK": link}
    return subprocess.run(
        [*command, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_worker_without_a_sandbox_refuses_to_start_and_says_why(tmp_path: Path) -> None:
    done = start_worker(tmp_path / "a", "--sandbox", "none", path=os.environ["PATH"])
    assert done.returncode == 1
    assert "--i-trust-the-recruiters" in done.stderr
    # No program is found there: neither bubblewrap nor an engine for containers.
    done = start_worker(tmp_path / "b", "--sandbox", "bwrap", path=str(tmp_path))
    assert done.returncode == 1
    assert "bubblewrap is not installed" in done.stderr or "needs Linux" in done.stderr
    done = start_worker(tmp_path / "c", "--sandbox", "container", path=str(tmp_path))
    assert "neither podman nor docker" in done.stderr
