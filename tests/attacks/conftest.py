"""One network for all attacks, and what must hold after each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_target import CANARY, Target, works
from distributed import Client

from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry

# Functions of test modules travel by reference, as those of any installed package do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
)
TRACEBACK = "Traceback (most recent call last)"
SETTINGS = {
    # What is measured here is not speed.
    "eco-dask.gateway.benchmark-steps": 0,
    "eco-dask.gateway.guard.hello": "3 s",
    # One machine plays hundreds of attackers here, some of which break rules all the time.
    "eco-dask.gateway.guard.knocks-burst": 100_000,
    "eco-dask.gateway.guard.violations": 100_000,
    # What strangers did is written down as often as the revoked are looked for.
    "eco-dask.gateway.guard.revoked": "200 ms",
    "eco-dask.gateway.inline-bytes": "1 kiB",
    "eco-dask.gateway.grace": "2 s",
    "eco-dask.worker.reconnect-max": "1 s",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "attacks" in item.path.parts and "sandbox" not in item.path.parts:
            item.add_marker("e2e")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Two honest owners and a trusted worker, shared by a module's attacks."""
    folder = tmp_path_factory.mktemp("attacked")
    canary = folder / "canary"
    os.environ[CANARY] = str(canary)
    with EcoCluster(
        owners=["ann", "bob"],
        n_providers=2,
        dashboard_address=None,
        config=SETTINGS,
        data_directory=folder / "home",
        start_timeout=150,
    ) as cluster:
        database = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
        with Client(cluster) as client:
            yield Target(cluster, client, Ledger(database), Registry(database), canary)
        database.dispose()


@pytest.fixture
def target(network: Target) -> Iterator[Target]:
    """Give the network, and check after the attack that it harmed nobody."""
    before, tracebacks = network.gateway().pid, network.log.count(TRACEBACK)
    yield network
    while network.futures:
        network.futures.pop().cancel()
    assert not network.canary.exists(), "something that an attacker sent was executed"
    assert network.gateway().pid == before, "the gateway died"
    assert network.log.count(TRACEBACK) == tracebacks, network.log[-3000:]
    assert works(network)
    assert network.ledger.total_mpt() == 0
    honest = [p for p in network.cluster.providers if p["owner"] in ("ann", "bob", "operator")]
    assert [p["strikes"] for p in honest] == [0, 0, 0]
    assert all(p["connected"] for p in honest)
