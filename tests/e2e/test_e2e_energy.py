"""Energy from end to end: meters at real providers, real books, a report that adds up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client
from e2e_network import network, until

import eco_dask
from eco_dask import EcoCluster
from eco_dask.energy.figures import EnergyFigures, total
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.report import JobReport
from eco_dask.testing import honest

#: What owners say in these tests, so that the class is C and the country known.
OWNERS = {
    "eco-dask.worker.energy.idle-watts": 5.0,
    "eco-dask.worker.energy.max-watts": 40.0,
    "eco-dask.worker.energy.zone": "FRA",
    "eco-dask.worker.energy.machine": "desktop",
    "eco-dask.worker.energy.price": 0.25,
}
#: The most that a machine of those watts draws at the wall, with what rounding and ticks add.
MAX_WALL_W = 40.0 * 1.25 * 1.1


def burn(i: int, seconds: float = 0.2) -> float:
    """Keep a core busy for a while; the answer is the same everywhere."""
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        np.sqrt(np.arange(2000.0)).sum()
    return float(i)


def books(cluster: EcoCluster) -> Ledger:
    return Ledger(open_database(f"sqlite:///{cluster.data_directory}/coordinator.sqlite"))


def settled(ledger: Ledger, job: eco_dask.Job) -> JobReport:
    """A report once all runs told what they took and their tasks are settled."""

    def is_complete() -> bool:
        receipts = ledger.receipts(job=job.id, limit=1000)
        known = ledger.energy_of([it.lease for it in receipts])
        return len(receipts) > 0 and len(known) == len(receipts)

    until(is_complete, "the energy of every run is in the books")
    return job.report()


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    """Three owners, of whom nothing is known before the first test."""
    with network(providers=honest("ann", "bob", "cem"), config=OWNERS) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: EcoCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def test_a_job_with_an_error_accounts_its_audits_and_known_answers(
    cluster: EcoCluster, client: Client
) -> None:
    with eco_dask.job("audited", error=0.01) as job:
        futures = client.map(burn, range(20), [0.05] * 20, pure=False)
        client.gather(futures)
    del futures
    report = settled(books(cluster), job)
    assert report.energy is not None
    assert report.energy.verification is not None
    assert report.energy.verification.reserved_uj > 0
    assert (report.energy.overhead_share or 0.0) > 0.0
    assert report.attempts > report.accepted


def test_a_jobs_report_is_the_sum_over_its_receipts_and_shows_what_checking_took(
    cluster: EcoCluster, client: Client
) -> None:
    with eco_dask.job("burn", quorum=2) as job:
        futures = client.map(burn, range(12), pure=False)
        assert client.gather(futures) == [float(i) for i in range(12)]
    del futures
    ledger = books(cluster)
    report = settled(ledger, job)
    receipts = ledger.receipts(job=job.id, limit=1000)
    told = ledger.energy_of([it.lease for it in receipts]).values()
    runs = [it for it in told if isinstance(it, EnergyFigures)]
    assert len(runs) == len(receipts)
    energy = report.energy
    assert energy is not None
    # To the microjoule, over useful, checking and wasted runs.
    of_runs = (energy.useful, energy.verification, energy.wasted)
    assert total(it for it in of_runs if it is not None) == total(runs)
    assert (energy.unknown_runs, report.accepted) == (0, 12)
    assert energy.useful is not None
    assert energy.verification is not None
    assert energy.useful.marginal_uj > 0
    assert energy.verification.reserved_uj > 0
    assert energy.all is not None
    assert energy.all.tier.value in {"C", "D"}
    assert energy.useful.tier.value == "C"
    assert {it[:3] for it in energy.useful.grids} == {"FRA"}
    assert energy.useful.carbon.central_ug > 0
    until(lambda: job.report().energy.coordination is not None, "own work of the coordinator")
    text = str(job.report())
    assert "modelled (class C)" in text or "class D" in text
    assert "verification" in text
    assert "the cloud" in text


def test_two_providers_on_one_host_do_not_count_the_machine_twice() -> None:
    providers = honest("ann", "bob")
    busy = threading.Event()

    def load_the_host() -> None:
        while not busy.is_set():
            np.sqrt(np.arange(20_000.0)).sum()

    with network(providers=providers, config=OWNERS) as cluster, Client(cluster) as client:
        owner = threading.Thread(target=load_the_host)
        owner.start()
        began_s = time.monotonic()
        try:
            with eco_dask.job("shared", quorum=2) as job:
                client.gather(client.map(burn, range(10), pure=False))
        finally:
            busy.set()
            owner.join()
        ledger = books(cluster)
        report = settled(ledger, job)
        elapsed_s = time.monotonic() - began_s
        shares = [it.figures for it in ledger.energy_totals("provider").values()]
        both = total(it for it in shares if it is not None)
        assert len(shares) == 2
        assert both is not None
        # Together no more than the one machine can draw, of which its owner used a part.
        assert 0 < both.reserved_j <= MAX_WALL_W * elapsed_s
        assert report.energy is not None
