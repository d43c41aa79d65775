"""Honest last bits agree; who sketches one thing and serves another is caught."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from distributed import Client
from e2e_network import network

import eco_dask
from eco_dask import EcoCluster
from eco_dask.cluster import ProviderSpec
from eco_dask.errors import EcoDaskError
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.testing import misbehaving

#: Kernels that round differently; with one thread each the answers are repeatable.
KERNELS = {
    "ann": {"OPENBLAS_CORETYPE": "Prescott"},
    "bob": {"OPENBLAS_CORETYPE": "Haswell"},
}
MIXED = tuple(ProviderSpec(owner, environment=kernel) for owner, kernel in KERNELS.items())
TASKS = 12


def product(i):
    a = np.random.default_rng(i).random((120, 120))
    return a @ a.T


def bits_of(i):
    return product(i).tobytes()


def receipts(cluster: EcoCluster) -> Counter[tuple[str, str]]:
    database = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        found = Ledger(database).receipts(limit=10_000)
        return Counter((receipt.owner, str(receipt.reason)) for receipt in found)
    finally:
        database.dispose()


def products(client: Client, key: str) -> None:
    futures = [client.submit(product, i, key=f"{key}-{i}", pure=False) for i in range(TASKS)]
    for i, value in enumerate(client.gather(futures)):
        np.testing.assert_allclose(value, product(i), rtol=1e-12)


@pytest.mark.e2e
def test_answers_that_differ_in_the_last_bits_agree() -> None:
    soon = {"eco-dask.lease.patience": "2 s"}
    with (
        network(providers=MIXED, trusted_workers=0, config=soon) as cluster,
        Client(cluster) as client,
    ):
        with eco_dask.job("mixed", quorum=2) as job:
            products(client, "matmul")
        report = job.report()
        assert (report.done, report.erred, report.accepted) == (TASKS, 0, TASKS)
        assert report.attempts == 2 * TASKS
        assert set(receipts(cluster)) == {("ann", "agreed"), ("bob", "agreed")}
        # They did differ: the same products compared bit by bit find no agreement.
        with (
            eco_dask.job("bit by bit", quorum=2, compare="exact"),
            pytest.raises(EcoDaskError, match="seed"),
        ):
            client.gather(client.submit(product, 0, key="matmul-exact", pure=False))


@pytest.mark.e2e
def test_who_serves_other_bytes_than_it_sketches_is_caught() -> None:
    # Its sketch shows that it has the right value, so its votes count; what it serves does not.
    fleet = (MIXED[0], misbehaving("mallory", "sketch-right"))
    with network(providers=fleet) as cluster, Client(cluster) as client:
        with eco_dask.job("with a swapper", quorum=2):
            products(client, "matmul")
        found = receipts(cluster)
        assert found["mallory", "value-mismatch"] > 0
        assert {reason for owner, reason in found if owner == "ann"} == {"agreed"}


@pytest.mark.e2e
def test_who_withholds_sketches_costs_attempts_but_nothing_else() -> None:
    fleet = (*MIXED, misbehaving("mallory", "sketch-withhold"))
    with network(providers=fleet) as cluster, Client(cluster) as client:
        with eco_dask.job("with a withholder", quorum=2):
            products(client, "matmul")
        caught = {reason for (owner, reason) in receipts(cluster) if owner == "mallory"}
        assert caught <= {"value-withheld", "recalled", "dissented"}


@pytest.mark.e2e
def test_who_sketches_another_value_harms_nobody_who_has_the_same_bytes() -> None:
    liar = misbehaving("mallory", "sketch-lie", environment=KERNELS["bob"])
    with network(providers=(*MIXED, liar)) as cluster, Client(cluster) as client:
        with eco_dask.job("with a false sketcher", quorum=2):
            products(client, "matmul")
        others = {reason for (owner, reason) in receipts(cluster) if owner != "mallory"}
        assert others <= {"agreed", "recalled", "trusted"}
