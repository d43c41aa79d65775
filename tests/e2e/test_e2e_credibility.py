"""With error=, proven owners are believed alone, and liars get nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from e2e_network import network, until

import eco_dask
from eco_dask import checks
from eco_dask.testing import honest, misbehaving

HONEST = honest("ann", "bob", "cem", "dee")


def ramp(i):
    return np.arange(i, i + 512.0)


def ramps(client: Client, n: int) -> None:
    results = client.gather(client.map(ramp, range(n), pure=False, key="add"))
    np.testing.assert_array_equal(results, [ramp(i) for i in range(n)])


@pytest.mark.e2e
def test_proven_owners_are_believed_alone_also_by_the_next_gateway(tmp_path: Path) -> None:
    jobs = []
    for names in (("first", "second"), ("third",)):
        with (
            network(providers=HONEST, data_directory=tmp_path) as cluster,
            Client(cluster) as client,
        ):
            until(lambda client=client: len(client.scheduler_info()["workers"]) == 1, "a gateway")
            for name in names:
                with eco_dask.job(name, error=0.01) as job:
                    ramps(client, 40)
                jobs.append(job.report())
    first, second, third = jobs
    assert all(r.done == 40 and r.error_worst <= 0.01 for r in jobs)
    assert all(0 < r.error_mean <= r.error_worst for r in jobs)
    assert "per task by estimate" in str(second)
    assert not first.caught
    # What was learned makes the others cheaper, and outlives the gateway.
    assert max(second.attempts, third.attempts) < first.attempts
    assert max(second.attempts_per_task, third.attempts_per_task) < 1.5


@pytest.mark.e2e
@pytest.mark.parametrize("behaviour", ["lie:0.5", "sleeper:8", "sketch-right"])
def test_results_are_right_and_the_report_names_who_was_caught(behaviour: str) -> None:
    fleet = (*HONEST, misbehaving("mallory", behaviour))
    with network(providers=fleet) as cluster, Client(cluster) as client:
        with eco_dask.job("with a liar", error=1e-3) as job:
            ramps(client, 60)
        report = job.report()
        assert report.error_worst <= 1e-3
        assert {owner for owner, *_ in report.caught} == {"mallory"}
        assert "mallory" in str(report)


@pytest.mark.e2e
def test_two_owners_who_lie_together_do_not_outvote_the_others() -> None:
    gang = tuple(misbehaving(f"gang-{i}", "collude:7") for i in range(2))
    with network(providers=(*HONEST, *gang)) as cluster, Client(cluster) as client:
        with eco_dask.job("with a gang", error=1e-3) as job:
            ramps(client, 60)
        assert {owner for owner, *_ in job.report().caught} <= {"gang-0", "gang-1"}


def root(x):
    return np.sqrt(x) + 0.0


def squares_back(call, answer, seed):
    (x,) = call.args
    right = answer.shape == x.shape and np.allclose(answer**2, x)
    return checks.Passed(0.9999) if right else checks.Failed("its square is another number")


@pytest.mark.e2e
def test_a_recruiters_own_check_saves_second_attempts_and_finds_who_lies() -> None:
    values = [np.arange(i, i + 512.0) for i in range(24)]
    fleet = (*honest("ann", "bob"), misbehaving("mallory", "lie"))
    checks.register(root)(squares_back)
    try:
        with network(providers=fleet) as cluster, Client(cluster) as client:
            until(lambda: len(cluster.providers) == 4, "everybody")
            with eco_dask.job("with a check", error=0.01) as job:
                found = client.gather(client.map(root, values, pure=False, key="own"))
            report = job.report()
    finally:
        checks.unregister(root)
    np.testing.assert_allclose(found, [np.sqrt(v) for v in values])
    assert report.leases["check"] >= 24
    assert report.accepted == 24
    assert {owner for owner, *_ in report.caught} == {"mallory"}
    assert "recruiter's own checks" in str(report)
