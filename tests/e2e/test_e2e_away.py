"""A laptop that changes its network, and one that sleeps: it comes back by itself, the same one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click import ClickException
from distributed import Client
from e2e_network import by_owner, network, until
from relay import Relay

from eco_dask import EcoCluster
from eco_dask.cli.owner import ask
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.providers.link import JoinLink

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    """Long enough away, a provider loses its leases."""
    config = {
        "eco-dask.quorum.size": 1,
        "eco-dask.gateway.ping": "2 s",
        "eco-dask.gateway.grace": "10 s",
    }
    with network(n_providers=0, trusted_workers=0, config=config) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def relay(cluster: EcoCluster) -> Iterator[Relay]:
    with Relay(int(cluster.provider_address.rpartition(":")[2])) as relay:
        yield relay


@pytest.fixture(scope="module")
def client(cluster: EcoCluster) -> Iterator[Client]:
    with Client(cluster.scheduler_address) as client:
        yield client


class Laptop:
    """A provider as its owner starts it, on the other side of a relay."""

    def __init__(self, cluster: EcoCluster, relay: Relay, home: Path) -> None:
        link = JoinLink.parse(cluster.invite("olga"))
        dialled = JoinLink(f"ws://127.0.0.1:{relay.port}", link.invite)
        self.home, self.log = home / "provider", home / "log"
        command = [sys.executable, "-m", "eco_dask.cli.worker", "--nthreads", "1"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--local-directory", str(self.home)],
                env=os.environ
                | {"ECO_DASK_JOIN_LINK": str(dialled), "DASK_ECO_DASK__WORKER__PING": "2 s"},
                stdout=log,
                stderr=log,
            )

    def runs(self) -> bool:
        # Before the agent's page is there, it does not answer.
        with contextlib.suppress(ClickException):
            return any(task["running"] for task in ask(self.home, "state")["tasks"])
        return False

    def said(self, words: str) -> int:
        return self.log.read_text().count(words)

    def sleep(self) -> None:
        for each in self._processes():
            each.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        for each in self._processes():
            each.send_signal(signal.SIGCONT)

    def _processes(self) -> list[psutil.Process]:
        agent = psutil.Process(self.process.pid)
        return [agent, *agent.children(recursive=True)]


@pytest.fixture(scope="module")
def laptop(
    cluster: EcoCluster, relay: Relay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laptop]:
    laptop = Laptop(cluster, relay, tmp_path_factory.mktemp("laptop"))
    yield laptop
    laptop.wake()
    laptop.process.terminate()
    laptop.process.wait(20)


def work(client: Client, wall_s: float):
    def work(wall_s: float) -> str:
        import time

        time.sleep(wall_s)
        return "done"

    return client.submit(work, wall_s, pure=False)


def reasons(cluster: EcoCluster) -> Counter[str]:
    """Why each lease so far was paid, or not."""
    database = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        return Counter(receipt.reason for receipt in Ledger(database).receipts())
    finally:
        database.dispose()


def test_a_change_of_address_loses_no_task(
    cluster: EcoCluster, relay: Relay, laptop: Laptop, client: Client
) -> None:
    future = work(client, 6.0)
    until(laptop.runs, "the task runs", 60)
    before = by_owner(cluster, "olga")
    # Nobody tells either side: the old connection just carries nothing any more.
    relay.move("127.0.0.2")
    assert future.result(60) == "done"
    after = by_owner(cluster, "olga")
    assert (after["id"], after["strikes"]) == (before["id"], 0)
    # The session went on: the answer is that of the first lease.
    assert laptop.said("Back as provider")
    assert relay.dialled >= 2
    assert reasons(cluster) == {"agreed": 1}


def test_after_a_sleep_it_joins_again_and_works(
    cluster: EcoCluster, relay: Relay, laptop: Laptop, client: Client
) -> None:
    before = by_owner(cluster, "olga")
    future = work(client, 2.0)
    until(laptop.runs, "the task runs", 60)
    laptop.sleep()
    relay.move("127.0.0.3")
    # Longer than the grace time: its session and its lease are gone.
    until(lambda: reasons(cluster)["provider-left"] == 1, "it counts as gone", 60)
    assert not by_owner(cluster, "olga")["connected"]
    laptop.wake()
    assert future.result(60) == "done"
    after = by_owner(cluster, "olga")
    assert (after["id"], after["connected"], after["strikes"]) == (before["id"], True, 0)
    assert laptop.said("Joined as provider") == 2
    assert reasons(cluster) == {"agreed": 2, "provider-left": 1}
