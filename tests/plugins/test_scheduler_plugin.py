"""EcoSchedulerPlugin: what it refuses, counts and shows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dask
import pytest
from distributed import Scheduler, Worker
from distributed.utils_test import gen_cluster, inc

import eco_dask
from eco_dask.errors import TaskRefusedError
from eco_dask.plugins import EcoSchedulerPlugin
from eco_dask.plugins.gateway import TOPIC


async def installed(scheduler: Scheduler, folder: Path) -> EcoSchedulerPlugin:
    plugin = EcoSchedulerPlugin(data_directory=str(folder))
    await plugin.start(scheduler)
    scheduler.add_plugin(plugin)
    return plugin


async def coroutine() -> int:
    return 1


class Counter:
    n = 0


REFUSED = {
    "coroutine functions": lambda client: client.submit(coroutine),
    "actors": lambda client: client.submit(Counter, actor=True),
    "executor=": lambda client: annotated(client, executor="offload"),
    "resource GPU": lambda client: client.submit(inc, 1, resources={"GPU": 1}),
}


def annotated(client, **annotations):
    with dask.annotate(**annotations):
        return client.submit(inc, 1)


@pytest.mark.parametrize("what", REFUSED)
def test_what_providers_cannot_run_fails_and_says_so(what: str, tmp_path: Path) -> None:
    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker: Worker) -> None:
        await installed(scheduler, tmp_path)
        with pytest.raises(TaskRefusedError, match=what):
            await asyncio.wait_for(REFUSED[what](client), 10)
        assert await client.submit(inc, 1, key="afterwards") == 2

    check()


def test_peer_to_peer_shuffles_are_refused_with_the_way_out(tmp_path: Path) -> None:
    import dask.array as da

    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker: Worker) -> None:
        await installed(scheduler, tmp_path)
        with dask.config.set({"array.rechunk.method": "p2p"}):
            rechunked = da.ones((40, 40), chunks=(4, 40)).rechunk((40, 4))
            with pytest.raises(TaskRefusedError, match=r"array\.rechunk\.method"):
                await asyncio.wait_for(client.compute(rechunked), 20)

    check()


def test_tasks_are_counted_to_their_job(tmp_path: Path) -> None:
    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker: Worker) -> None:
        plugin = await installed(scheduler, tmp_path)
        with eco_dask.job("three", quorum=1) as job:
            futures = client.map(inc, range(3))
        await client.gather(futures)
        with pytest.raises(ZeroDivisionError), eco_dask.job("bad") as bad:
            await client.submit(lambda: 1 / 0)
        progress = plugin.jobs[job.id]
        assert (progress.tasks, progress.done, progress.erred) == (3, 3, 0)
        assert progress.spec == job.spec
        assert (plugin.jobs[bad.id].done, plugin.jobs[bad.id].erred) == (0, 1)
        report = await job.report(client)
        # An ordinary worker did them: nothing was bought from providers.
        assert (report.done, report.attempts, report.attempts_per_task) == (3, 0, None)

    check()


def test_tasks_without_a_job_belong_to_their_client(tmp_path: Path) -> None:
    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker: Worker) -> None:
        plugin = await installed(scheduler, tmp_path)
        assert await client.submit(inc, 1) == 2
        assert plugin.jobs[client.id].done == 1

    check()


def test_a_gateways_slots_become_the_schedulers(tmp_path: Path) -> None:
    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker: Worker) -> None:
        plugin = await installed(scheduler, tmp_path)
        said = {
            "worker": worker.address,
            "name": "g",
            "address": "ws://127.0.0.1:1",
            "fingerprint": "",
            "slots": 40,
            "providers": ["p-1"],
        }
        scheduler.log_event(TOPIC, dict(said))
        assert scheduler.workers[worker.address].nthreads == 40
        assert scheduler.total_nthreads == 40
        assert (await plugin.network())["gateways"] == [said]
        await worker.close()
        assert (await plugin.network())["gateways"] == []
        assert scheduler.total_nthreads == 0

    check()


def test_a_job_report_without_the_plugin_says_what_is_missing() -> None:
    @gen_cluster(client=True, nthreads=[])
    async def check(client, scheduler) -> None:
        job = eco_dask.job("x")
        with pytest.raises(eco_dask.errors.ConfigurationError, match="eco-dask-scheduler"):
            await job.report(client)

    check()


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"quorum": 2, "error": 0.1}, "either quorum= or error="),
        ({"quorum": 0}, "at least 1"),
        ({"error": 1.5}, "between 0 and 0.05"),
        ({"budget": -1}, "more than 0 points"),
        ({"require": "gpu"}, "set of tags"),
        ({"require": {"memory": "8 GiB"}}, "maps tags to True"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms, message: str) -> None:
    with pytest.raises(eco_dask.errors.ConfigurationError, match=message):
        eco_dask.job(**terms)


def test_a_job_leaves_no_annotation_behind() -> None:
    with eco_dask.job("x"):
        assert "eco" in dask.get_annotations()
    assert "eco" not in dask.get_annotations()
