"""All kinds of liars at once under error=: chains come out right, the report names the caught."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import numpy as np
import pytest
from distributed import Client, wait
from e2e_network import network

import eco_dask
from eco_dask import EcoCluster
from eco_dask.testing import honest, misbehaving

HONEST = ("ann", "bob", "cem", "dee")
LIARS = ("liar", "gang-0", "gang-1", "sleeper", "swapper")
FLEET = (
    *honest(*HONEST),
    misbehaving("liar", "lie:0.5"),
    misbehaving("gang-0", "collude:7"),
    misbehaving("gang-1", "collude:7"),
    misbehaving("sleeper", "sleeper:6"),
    misbehaving("swapper", "mismatch"),
)
CHAINS = 12


def start(i):
    return np.arange(i, i + 512)


def step(x):
    return x * 3 + 1


def total(parts):
    return int(sum(part.sum() for part in parts))


def chained():
    """Chains of leased tasks with structural ones between them; all but the last stay inside."""
    parts = []
    for i in range(CHAINS):
        x = dask.delayed(start)(i)
        for _ in range(3):
            x = dask.delayed(step)(x)
        parts.append(x[10:])
    return dask.delayed(total)(parts)


EXPECTED = total([step(step(step(start(i))))[10:] for i in range(CHAINS)])


@pytest.fixture(scope="module")
def reported() -> Iterator[tuple[EcoCluster, eco_dask.JobReport]]:
    """A network of many liars after a job of chains that came out right."""
    config = {"eco-dask.gateway.inline-bytes": "1 kiB"}
    with network(providers=FLEET, config=config) as cluster, Client(cluster):
        with eco_dask.job("among liars", error=1e-3) as job:
            for _ in range(2):
                assert chained().compute() == EXPECTED
        yield cluster, job.report()


def test_a_wrong_intermediate_is_never_delivered(reported) -> None:
    _, report = reported
    # Twice: the chains' tasks, their slices, the list and the total; Dask may fuse some.
    assert report.erred == 0
    assert report.done == report.tasks > 0


def test_the_report_says_how_sure_it_is(reported) -> None:
    _, report = reported
    assert 0 < report.error_mean <= report.error_worst <= 1e-3
    assert report.leases["vote"] >= report.accepted


def test_the_report_names_who_was_caught_doing_what_and_nobody_else(reported) -> None:
    cluster, report = reported
    owners = {owner for owner, *_ in report.caught}
    assert {"liar", "sleeper"} & owners
    assert owners <= set(LIARS)
    providers = {p["id"]: p["owner"] for p in cluster.providers}
    for owner, provider, reason, times in report.caught:
        assert providers[provider] == owner
        assert times > 0
        assert reason in ("dissented", "value-mismatch", "value-withheld")
    assert all(owner in str(report) for owner in owners)


def test_a_result_that_is_asked_for_later_is_right_too(reported) -> None:
    cluster, _ = reported
    with Client(cluster) as client, eco_dask.job("later", error=1e-3):
        inside = client.submit(start, 5, pure=False)
        last = client.submit(step, inside, pure=False)
        wait(last)
        # Between the two it was not wanted yet; it leaves the gateway once it stands.
        np.testing.assert_array_equal(inside.result(), start(5))
        np.testing.assert_array_equal(last.result(), step(start(5)))


def test_trusted_workers_audit_accepted_answers() -> None:
    with network(providers=honest("ann", "bob")) as cluster, Client(cluster) as client:
        with eco_dask.job("audited", error=0.05) as job:
            for _ in range(40):  # each task is audited by chance
                results = client.gather(client.map(start, range(20), pure=False))
                np.testing.assert_array_equal(results, [start(i) for i in range(20)])
                report = job.report()
                if report.leases.get("audit"):
                    break
        assert report.leases["audit"] > 0
        assert "results audited" in str(report)
        assert report.caught == ()
