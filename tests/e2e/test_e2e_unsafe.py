"""Pickled results: only for jobs that ask, only after owners agreed, and never loaded unasked."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from e2e_network import by_owner, network, until

import eco_dask
from eco_dask import EcoCluster
from eco_dask.client import UnsafeResultsWarning
from eco_dask.errors import RemoteTaskError, TaskRefusedError
from eco_dask.testing import honest
from eco_dask.values import PickledResult


class Bag:
    """Something that has no safe encoding."""

    def __init__(self, items):
        self.items = items


def pack(*items):
    return Bag(items)


def weigh(bag):
    return sum(bag.items)


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    with network(providers=honest("ann", "bob")) as found:
        yield found


@pytest.fixture
def client(cluster: EcoCluster) -> Iterator[Client]:
    with Client(cluster) as found:
        yield found


def test_without_asking_such_a_result_is_an_error(client: Client) -> None:
    with eco_dask.job(), pytest.raises(RemoteTaskError, match="no safe encoding"):
        client.submit(pack, 1, 2, pure=False).result()


def pack_and_weigh(client: Client) -> tuple[object, object]:
    """Tasks of the job work with the object itself, in their sandbox."""
    bag = client.submit(pack, 1, 2, pure=False)
    return bag.result(), client.submit(weigh, bag, pure=False).result()


def test_who_asks_gets_opaque_bytes_after_two_owners_agreed(client: Client) -> None:
    with (
        pytest.warns(UnsafeResultsWarning, match="conspire"),
        eco_dask.job(unsafe_results=True) as job,
    ):
        found, weight = pack_and_weigh(client)
    assert weight == 3
    assert isinstance(found, PickledResult)
    assert found.load().items == (1, 2)
    assert job.report().reasons["agreed"] == 4


def test_a_result_is_not_loaded_by_its_mere_arrival(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "exploded"
    with warnings.catch_warnings(action="ignore"), eco_dask.job(unsafe_results=True):
        found = client.submit(Bomb, str(path), pure=False).result()
    assert isinstance(found, PickledResult)
    assert not path.exists()
    found.load()
    assert path.exists()


def test_the_operator_may_refuse_them() -> None:
    config = {"eco-dask.verification.unsafe-results": False}
    with (
        network(providers=honest("ann", "bob"), config=config) as cluster,
        Client(cluster) as client,
    ):
        with (
            warnings.catch_warnings(action="ignore"),
            eco_dask.job(unsafe_results=True),
            pytest.raises(TaskRefusedError, match="operator of this network refuses"),
        ):
            client.submit(pack, 1, pure=False).result()
        until(lambda: by_owner(cluster, "ann")["tasks"] == 0, "nothing was leased")
    assert pickle.loads(pickle.dumps(PickledResult(b"x"))) == PickledResult(b"x")
