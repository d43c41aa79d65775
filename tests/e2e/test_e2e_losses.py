"""Processes that are killed: work goes on, points stay, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client
from e2e_network import QUICK, network, processes, until

from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger

SCRIPT = Path(__file__).with_name("parent_of_a_network.py")


def slowly_doubled(x):
    time.sleep(0.05)
    return 2 * x


def many(client: Client, n: int = 60):
    return client.map(slowly_doubled, range(n), pure=False)


def check(client: Client, futures) -> None:
    assert client.gather(futures) == [2 * i for i in range(len(futures))]


def some_done(futures) -> bool:
    return sum(f.done() for f in futures) >= 5


def process(cluster: EcoCluster, module: str) -> psutil.Process:
    """The first of a network's processes that runs a module."""
    return next(p for p in processes(cluster) if module in p.cmdline())


def connected(cluster: EcoCluster) -> int:
    return sum(p["connected"] for p in cluster.providers)


@pytest.fixture(scope="module")
def fragile() -> Iterator[EcoCluster]:
    """A network that notices a loss quickly."""
    config = {"eco-dask.gateway.grace": "1 s", "eco-dask.worker.reconnect-max": "1 s"}
    with network(n_providers=3, config=config) as cluster:
        yield cluster


@pytest.fixture
def client(fragile: EcoCluster) -> Iterator[Client]:
    with Client(fragile) as client:
        yield client


# In this order: each test finds the network as the one before left it, with three providers.


def test_a_provider_killed_in_the_middle(fragile: EcoCluster, client: Client) -> None:
    futures = many(client)
    until(lambda: some_done(futures), "some results")
    fragile.kill_provider(0)
    check(client, futures)
    fragile.scale(3)
    until(lambda: connected(fragile) == 4, "three providers and the trusted worker")


def test_all_providers_killed_and_others_join(fragile: EcoCluster, client: Client) -> None:
    before = {p["id"] for p in fragile.providers}
    futures = many(client)
    until(lambda: some_done(futures), "some results")
    for index in range(3):
        fragile.kill_provider(index)
    until(lambda: connected(fragile) == 1, "only the trusted worker is left")
    fragile.scale(3)
    check(client, futures)
    new = [p for p in fragile.providers if p["id"] not in before]
    until(lambda: connected(fragile) == 4, "three providers and the trusted worker")
    assert len(new) <= 3


def test_a_runner_killed_in_the_middle(fragile: EcoCluster, client: Client) -> None:
    futures = many(client)
    until(lambda: some_done(futures), "some results")
    runner = process(fragile, "eco_dask.agent.runner")
    runner.kill()
    check(client, futures)


def test_a_gateway_killed_is_started_again_and_dask_recomputes(
    fragile: EcoCluster, client: Client
) -> None:
    kept = client.submit(slowly_doubled, 500)
    assert kept.result() == 1000
    futures = many(client)
    until(lambda: some_done(futures), "some results")
    ids = {p["id"] for p in fragile.providers if p["connected"]}
    process(fragile, "eco_dask.cli.gateway").kill()
    check(client, futures)
    # Its value was in the gateway's memory, and is computed anew.
    assert client.submit(slowly_doubled, kept).result() == 2000
    until(
        lambda: {p["id"] for p in fragile.providers if p["connected"]} == ids,
        "the same providers are back by themselves",
    )


def test_points_survive_a_killed_coordinator(tmp_path: Path) -> None:
    with network(n_providers=3, data_directory=tmp_path) as cluster:
        with Client(cluster) as client:
            check(client, many(client, 20))
        before = {p["id"]: p["owner"] for p in cluster.providers}
        paid = {p["id"]: p["posted_mpt"] for p in cluster.providers}
        process(cluster, "eco_dask.cli.scheduler").kill()
    assert not processes(cluster)
    assert any(paid.values())
    with network(n_providers=3, data_directory=tmp_path) as cluster:
        assert {p["id"]: p["owner"] for p in cluster.providers} == before
        assert {p["id"]: p["posted_mpt"] for p in cluster.providers} == paid
        with Client(cluster) as client:
            check(client, many(client, 20))
        after = {p["id"]: p["posted_mpt"] for p in cluster.providers}
        assert sum(after.values()) > sum(paid.values())
    database = open_database(f"sqlite:///{tmp_path / 'coordinator.sqlite'}")
    ledger = Ledger(database)
    balances = ledger.balances("owner:")
    assert sum(b.posted_mpt for b in balances.values()) == sum(after.values())
    assert ledger.total_mpt() == 0
    # What the killed gateway held was given back at its next start.
    assert not ledger.open_reserves("gateway/")
    database.dispose()


ENDINGS = {"closed": lambda script: script.stdin.close(), "killed": lambda script: script.kill()}


@pytest.mark.skipif(os.name != "posix", reason="asks for processes by number")
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_behind(ending: str) -> None:
    settings = {
        f"DASK_{k.upper().replace('-', '_').replace('.', '__')}": str(v) for k, v in QUICK.items()
    }
    script = subprocess.Popen(
        [sys.executable, SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | settings,
        text=True,
    )
    with script:
        folder, *pids = script.stdout.readline().split()
        # Coordinator, gateway, trusted worker, two providers, three runners, and sandboxes.
        assert len(pids) >= 8
        ENDINGS[ending](script)
        script.wait(25)
    until(lambda: not any(map(alive, pids)), "all processes have ended")
    if ending == "closed":
        assert not Path(folder).exists()
        assert script.returncode == 0
    else:
        assert script.returncode == -signal.SIGKILL


def alive(pid: str) -> bool:
    try:
        return psutil.Process(int(pid)).status() != "zombie"
    except psutil.NoSuchProcess:
        return False
