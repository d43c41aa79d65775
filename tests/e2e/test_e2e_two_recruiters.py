"""Two recruiters at once: their tasks never meet in a process, and one's stay warm."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pytest
from distributed import Client
from e2e_network import network

import eco_dask
from eco_dask import EcoCluster

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    """One provider of one slot, so that everything goes through the same runners."""
    with network(n_providers=1, trusted_workers=0, config={"eco-dask.quorum.size": 1}) as cluster:
        yield cluster


def look(mark: str, _: int) -> tuple[str, tuple[str, ...]]:
    """Leave a mark in the process; return which process it is, and the marks found there."""
    import secrets

    import dask

    # Process ids are no names: each sandbox counts its own.
    process = dask.__dict__.setdefault("_name_of_this_process", secrets.token_hex(8))
    marks = dask.__dict__.setdefault("_marks_of_recruiters", [])
    found = tuple(marks)
    marks.append(mark)
    return process, found


def test_tasks_of_two_recruiters_never_meet_in_a_process(cluster: EcoCluster) -> None:
    with (
        Client(cluster.scheduler_address) as ann,
        Client(cluster.scheduler_address) as bob,
    ):
        alone = ann.gather([ann.submit(look, "ann", i, key=f"alone-{i}") for i in range(6)])
        # Warm: all of them in one process.
        assert sorted(len(marks) for _, marks in alone) == list(range(6))
        clients = {"ann": ann, "bob": bob}
        futures = {
            name: [client.submit(look, name, i, key=f"{name}-{i}") for i in range(5)]
            for name, client in clients.items()
        }
        seen = {name: clients[name].gather(futures[name]) for name in clients}
    processes = {name: {process for process, _ in seen[name]} for name in seen}
    assert not processes["ann"] & processes["bob"]
    for name, found in seen.items():
        assert {mark for _, marks in found for mark in marks} <= {name}


def test_a_client_cannot_pass_for_another(cluster: EcoCluster) -> None:
    """Who sent a task is what the scheduler knows, not what the client writes beside it."""
    processes = {}
    with Client(cluster.scheduler_address) as ann, Client(cluster.scheduler_address) as bob:
        for name, client in {"ann": ann, "bob": bob}.items():
            with dask.annotate(**{"eco-recruiter": ann.id}), eco_dask.job(quorum=1):
                processes[name], marks = client.submit(look, name, 0, key=f"forged-{name}").result(
                    60
                )
                assert set(marks) <= {name}
    assert processes["ann"] != processes["bob"]
