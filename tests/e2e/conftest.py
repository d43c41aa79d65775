"""Networks of real processes over real sockets, shared by the tests that can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from e2e_network import network

from eco_dask import EcoCluster

# Functions of test modules travel by reference, as those of any installed package do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def honest_network() -> Iterator[EcoCluster]:
    """Three honest providers of three owners, and a trusted worker."""
    with network(n_providers=3) as cluster:
        yield cluster


@pytest.fixture
def client(honest_network: EcoCluster) -> Iterator[Client]:
    with Client(honest_network, set_as_default=True) as client:
        yield client
