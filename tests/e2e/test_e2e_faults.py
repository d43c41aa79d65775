"""Providers that misbehave: results stay right, and each fault shows on the right account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client
from e2e_network import by_owner, network, until

import eco_dask
from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.testing import honest, misbehaving

TASKS = 60
#: 4 KiB each: too large to come along with its commitment in these networks.
EXPECTED = [np.arange(i, i + 512.0) for i in range(TASKS)]

ZOO = (
    *honest("ann", "bob", "cem"),
    misbehaving("liar", "lie:0.5"),
    misbehaving("gang", "collude:7"),
    misbehaving("gang", "collude:7", seed="another machine"),
    misbehaving("claimer", "error:0.5"),
    misbehaving("withholder", "withhold"),
    misbehaving("reneger", "renege"),
    misbehaving("swapper", "mismatch"),
    misbehaving("babbler", "garbage"),
)


def ramp(i):
    return np.arange(i, i + 512.0)


def compute(client: Client) -> None:
    results = client.gather(client.map(ramp, range(TASKS), pure=False))
    np.testing.assert_array_equal(results, EXPECTED)


def reasons(cluster: EcoCluster, owner: str) -> Counter[str]:
    """Reasons on the receipts of an owner."""
    database = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        found = Ledger(database).receipts(owner=owner, limit=10_000)
        return Counter(str(receipt.reason) for receipt in found)
    finally:
        database.dispose()


# ------------------------------------------------------------------ all at once


@pytest.fixture(scope="module")
def zoo() -> Iterator[EcoCluster]:
    """Three honest owners among all kinds of others, after a job that came out right."""
    config = {"eco-dask.gateway.inline-bytes": "1 kiB"}
    with network(providers=ZOO, config=config) as cluster, Client(cluster) as client:
        for _ in range(2):
            compute(client)
        until(lambda: by_owner(cluster, "babbler")["strikes"], "the babbler is struck")
        yield cluster


def test_honest_owners_are_paid_and_never_struck(zoo: EcoCluster) -> None:
    for owner in ("ann", "bob", "cem"):
        found = by_owner(zoo, owner)
        assert found["agreed"] > 0
        assert (found["strikes"], found["dissented"]) == (0, 0)
        assert found["posted_mpt"] >= found["agreed"]


CAUGHT = {
    "liar": "dissented",
    "claimer": "dissented",
    "withholder": "value-withheld",
    "reneger": "value-withheld",
    "swapper": "value-mismatch",
}


@pytest.mark.parametrize("owner", CAUGHT)
def test_each_fault_is_struck_and_named_on_its_receipts(zoo: EcoCluster, owner: str) -> None:
    found, receipts = by_owner(zoo, owner), reasons(zoo, owner)
    assert receipts[CAUGHT[owner]] > 0
    assert found["strikes"] >= receipts[CAUGHT[owner]]


def test_only_answers_that_agreed_are_paid(zoo: EcoCluster) -> None:
    database = open_database(f"sqlite:///{zoo.data_directory / 'coordinator.sqlite'}")
    paid = {str(r.reason) for r in Ledger(database).receipts(limit=10_000) if r.amount_mpt}
    database.dispose()
    assert paid <= {"agreed", "agreed-late", "error-agreed"}


def test_two_machines_of_one_owner_are_one_witness(zoo: EcoCluster) -> None:
    gang = [p for p in zoo.providers if p["owner"] == "gang"]
    assert [p["agreed"] for p in gang] == [0, 0]
    assert sum(p["dissented"] for p in gang) > 0
    assert sum(p["posted_mpt"] for p in gang) == 0


def test_garbage_costs_the_connection_and_the_others_go_on(zoo: EcoCluster) -> None:
    assert by_owner(zoo, "babbler")["strikes"] > 0
    log = (zoo.data_directory / "logs" / "gateway.log").read_text()
    assert "broke the provider protocol" in log
    assert "Traceback" not in log


# ------------------------------------------------------------------ one by one


def test_a_trusted_worker_decides_where_everybody_lies() -> None:
    liars = [misbehaving("eve", "lie"), misbehaving("mallory", "lie")]
    with network(providers=liars) as cluster, Client(cluster) as client:
        with eco_dask.job() as job:
            assert client.gather(client.map(abs, range(-9, 0))) == list(range(9, 0, -1))
        assert job.report().reasons == {"dissented": 18, "trusted": 9}
        assert job.report().spent_mpt == 0
        assert by_owner(cluster, "eve")["strikes"] == 9


def test_who_never_answers_or_vanishes_costs_time_only() -> None:
    config = {
        "eco-dask.lease.deadline-first": "2 s",
        "eco-dask.lease.deadline-min": "2 s",
        "eco-dask.lease.late-grace": "1 s",
        "eco-dask.gateway.grace": "1 s",
        "eco-dask.gateway.inline-bytes": "1 kiB",
    }
    lost = [misbehaving("sleeper", "stall"), misbehaving("ghost", "vanish:2", nthreads=2)]
    fleet = [*honest("ann", "bob"), *lost]
    with network(providers=fleet, config=config) as cluster, Client(cluster) as client:
        compute(client)
        until(lambda: reasons(cluster, "sleeper")["expired"], "the sleeper's lease is closed")
        until(lambda: not by_owner(cluster, "ghost")["connected"], "the ghost is gone")
        assert by_owner(cluster, "sleeper")["posted_mpt"] == 0
        assert by_owner(cluster, "sleeper")["strikes"] > 0
        # Leaving is no lie. (On a busy machine its last leases may pass their deadline first.)
        assert reasons(cluster, "ghost").keys() & {"provider-left", "expired"}
        assert not reasons(cluster, "ghost").keys() & {"dissented", "value-withheld"}
