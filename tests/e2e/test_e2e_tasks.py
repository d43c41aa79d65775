"""What becomes of tasks that fail, are refused, are let go of, or cost too much."""

from __future__ import annotations

import traceback

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, wait
from e2e_network import by_owner, network, until

import eco_dask
from eco_dask import EcoCluster
from eco_dask.errors import (
    BudgetExceededError,
    NoEligibleProviderError,
    RemoteTaskError,
    TaskRefusedError,
    ValueCodecError,
)
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger


def doubled(x):
    return 2 * x


def divide(x):
    return 1 / x


def sleep(seconds):
    import time

    time.sleep(seconds)


def spin(n):
    while True:
        n += 1


async def coroutine(x):
    return x


class Counter:
    def increment(self):
        return 1


class Opaque:
    pass


def opaque(x):
    return Opaque()


# ------------------------------------------------------------------ errors


def test_an_error_arrives_as_a_subclass_with_text_and_traceback(client: Client) -> None:
    with eco_dask.job("divides") as job, pytest.raises(ZeroDivisionError) as caught:
        client.submit(divide, 0, pure=False).result()
    error = caught.value
    assert isinstance(error, RemoteTaskError)
    assert (str(error), error.error_type) == ("division by zero", "ZeroDivisionError")
    shown = "".join(traceback.format_exception(error))
    assert "Traceback on the provider" in shown
    assert "in divide" in shown
    # One provider alone cannot fail a job: two owners said so.
    assert job.report().reasons == {"error-agreed": 2}


def test_a_result_without_an_encoding_fails_with_its_type_and_the_way_out(client: Client) -> None:
    with pytest.raises(RemoteTaskError) as caught:
        client.submit(opaque, 1).result()
    assert caught.value.error_type == "eco_dask.errors.ValueCodecError"
    assert "Opaque" in str(caught.value)
    assert "register" in str(caught.value)
    assert ValueCodecError.__name__ in caught.value.remote_traceback


def test_an_erred_input_fails_what_depends_on_it(client: Client) -> None:
    broken = client.submit(divide, 0)
    with pytest.raises(ZeroDivisionError):
        client.submit(doubled, broken).result()


# ------------------------------------------------------------------ refusals

REFUSED = {
    "coroutine": (lambda client: client.submit(coroutine, 1), "coroutine functions"),
    "actor": (lambda client: client.submit(Counter, actor=True), "actors"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_run_in_the_gateway_is_refused(client: Client, name: str) -> None:
    submit, what = REFUSED[name]
    with pytest.raises(TaskRefusedError, match=what):
        submit(client).result()


def test_an_executor_annotation_is_refused(client: Client) -> None:
    with (
        dask.annotate(executor="processes"),
        pytest.raises(TaskRefusedError, match="executor="),
    ):
        client.submit(doubled, 4).result()


def test_peer_to_peer_rechunk_is_refused_with_the_way_out(client: Client) -> None:
    x = da.ones((100, 100), chunks=(10, 100)).rechunk((100, 10), method="p2p")
    with pytest.raises(TaskRefusedError, match="task-based"):
        x.compute()


def test_a_gpu_that_nobody_has_is_refused_at_once(client: Client) -> None:
    with dask.annotate(resources={"GPU": 1}), pytest.raises(TaskRefusedError, match="GPU"):
        client.submit(doubled, 5).result()


def test_a_tag_that_nobody_has_is_named_at_once(client: Client) -> None:
    with (
        eco_dask.job(require={"no-such-tag"}),
        pytest.raises(NoEligibleProviderError, match="no-such-tag"),
    ):
        client.submit(doubled, 6, pure=False).result()


# ------------------------------------------------------------------ jobs


def test_report_counts_tasks_attempts_and_points(client: Client) -> None:
    with eco_dask.job("counted") as job:
        client.gather(client.map(doubled, range(10), pure=False))
    report = job.report()
    assert (report.tasks, report.done, report.erred, report.accepted) == (10, 10, 0, 10)
    assert (report.attempts, report.attempts_per_task) == (20, 2.0)
    assert report.reasons == {"agreed": 20}
    assert report.spent_mpt >= 20


def test_quorum_of_a_job(client: Client) -> None:
    with eco_dask.job(quorum=3) as job:
        client.gather(client.map(doubled, range(5), pure=False))
    assert job.report().reasons == {"agreed": 15}


def test_a_trusted_job_runs_on_the_operators_worker_only(client: Client) -> None:
    with eco_dask.job(trusted=True) as job:
        assert client.submit(doubled, 21, pure=False).result() == 42
    assert job.report().reasons == {"trusted": 1}


def test_beyond_the_budget_tasks_fail_and_results_are_kept(client: Client) -> None:
    with eco_dask.job(budget=0.004) as job:
        first = client.submit(doubled, 1, pure=False)
        assert first.result() == 2
        rest = client.map(doubled, range(20), pure=False)
        wait(rest)
    failed = [f for f in rest if f.status == "error"]
    assert failed
    assert isinstance(failed[0].exception(), BudgetExceededError)
    assert first.result() == 2
    assert job.report().spent_mpt <= 4


def test_the_books_balance(client: Client, honest_network: EcoCluster) -> None:
    client.gather(client.map(doubled, range(10), pure=False))
    database = open_database(f"sqlite:///{honest_network.data_directory / 'coordinator.sqlite'}")
    ledger = Ledger(database)
    # A late answer may still hold points; posted ones are even at any moment.
    assert ledger.total_mpt() == 0
    for provider in honest_network.providers:
        if provider["role"] == "provider":
            account = f"owner:{provider['owner']}"
            assert ledger.balance(account).posted_mpt == provider["posted_mpt"] > 0
    database.dispose()


# ------------------------------------------------------------------ storage


def test_storage_is_touched_by_trusted_workers_only(client: Client, tmp_path) -> None:
    xr = pytest.importorskip("xarray")
    pytest.importorskip("netCDF4")
    path = tmp_path / "field.nc"
    field = xr.DataArray(np.arange(24.0).reshape(4, 6), dims=("y", "x"), name="field")
    field.to_netcdf(path, engine="netcdf4")
    with xr.open_dataset(path, engine="netcdf4", chunks={"y": 2}) as lazy, eco_dask.job() as job:
        np.testing.assert_array_equal((lazy.field * 2).compute(), field * 2)
    reasons = job.report().reasons
    assert reasons["trusted"] >= 2


# ------------------------------------------------------------------ letting go


@pytest.mark.parametrize("endless", [lambda c: c.submit(sleep, 300), lambda c: c.submit(spin, 0)])
def test_cancelled_tasks_free_their_slots(client: Client, endless) -> None:
    futures = [endless(client) for _ in range(1)]
    until(lambda: any(client.processing().values()), "the task is under way")
    client.cancel(futures)
    with eco_dask.job() as job:
        results = client.gather(client.map(doubled, range(12), pure=False))
    assert results == [2 * i for i in range(12)]
    assert set(job.report().reasons) <= {"agreed", "agreed-late"}


def test_network_and_owner_arguments() -> None:
    with (
        network(
            n_providers=3,
            owners=["ann", "bob"],
            quorum=1,
            trusted_workers=0,
            config={"eco-dask.lease.patience": "1 s"},
        ) as cluster,
        Client(cluster) as client,
    ):
        assert sorted(p["owner"] for p in cluster.providers) == ["ann", "ann", "bob"]
        assert by_owner(cluster, "bob")["role"] == "provider"
        with eco_dask.job() as job:
            client.gather(client.map(doubled, range(5)))
        assert job.report().attempts == 5
        with eco_dask.job(quorum=3), pytest.raises(NoEligibleProviderError, match="2 able owners"):
            client.submit(doubled, 1, pure=False).result()
