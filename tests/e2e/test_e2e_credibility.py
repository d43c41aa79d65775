"""With error=, proven owners are believed alone, and liars get nothing."""

from __future__ import annotations

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
def test_proven_owners_are_believed_alone_and_the_report_says_how_surely() -> None:
    with network(providers=HONEST) as cluster, Client(cluster) as client:
        with eco_dask.job("first", error=0.01) as first:
            ramps(client, 40)
        with eco_dask.job("second", error=0.01) as second:
            ramps(client, 40)
        reports = [first.report(), second.report()]
        assert all(r.done == 40 and r.error_worst <= 0.01 for r in reports)
        assert all(0 < r.error_mean <= r.error_worst for r in reports)
        assert reports[1].attempts < reports[0].attempts
        assert reports[1].attempts_per_task < 1.5
        assert "per task by estimate" in str(reports[1])
        assert not reports[0].caught


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


@pytest.mark.e2e
def test_what_a_gateway_learned_outlives_it(tmp_path) -> None:
    def attempts() -> float:
        with (
            network(providers=HONEST, data_directory=tmp_path) as cluster,
            Client(cluster) as client,
        ):
            until(lambda: len(client.scheduler_info()["workers"]) == 1, "a gateway")
            with eco_dask.job("any", error=0.01) as job:
                ramps(client, 30)
            return job.report().attempts

    assert attempts() > attempts()


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
