"""The view in a scheduler's process: what jobs do, one build for all, what it costs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from distributed import Scheduler
from distributed.utils_test import async_poll_for, gen_cluster, inc

import eco_dask
from eco_dask.dashboard.model import Job, Snapshot
from eco_dask.plugins import EcoSchedulerPlugin
from eco_dask.plugins.gateway import TOPIC


async def installed(scheduler: Scheduler, folder: Path) -> EcoSchedulerPlugin:
    plugin = EcoSchedulerPlugin(data_directory=str(folder))
    await plugin.start(scheduler)
    scheduler.add_plugin(plugin)
    return plugin


async def only_job(plugin: EcoSchedulerPlugin) -> Job:
    (job,) = (await plugin.view.snapshot(0)).jobs
    return job


def with_plugin(check):
    def test(tmp_path: Path) -> None:
        @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
        async def run(client, scheduler, worker) -> None:
            await check(client, scheduler, await installed(scheduler, tmp_path))

        run()

    return test


@with_plugin
async def test_an_empty_network_has_a_snapshot(client, scheduler, plugin) -> None:
    found = await plugin.view.snapshot()
    assert (found.jobs, found.providers, found.owners) == ((), (), ())
    assert found.network.providers_connected == 0
    assert found.verification.audits is None
    assert found.verification.attempts_per_task is None
    assert found.points.pay_per_unit_mpt is None
    assert found.energy.reserved_uj is None
    assert found.energy.unknown
    assert Snapshot.from_plain(await client.scheduler.eco_snapshot()) == found
    assert (await client.scheduler.eco_snapshot(lists=False)).keys() == found.to_plain().keys()


@with_plugin
async def test_a_job_runs_and_is_done(client, scheduler, plugin) -> None:
    with eco_dask.job("slow", quorum=3, budget=2.0):
        futures = client.map(slow, range(4))
    await async_poll_for(lambda: plugin.jobs, 10)
    job = await only_job(plugin)
    assert (job.state, job.tasks, job.quorum, job.budget_mpt) == ("running", 4, 3, 2000)
    assert job.ended_at_s is None
    await client.gather(futures)
    job = await only_job(plugin)
    assert (job.state, job.done, job.left_s) == ("done", 4, None)
    assert job.started_at_s < job.ended_at_s


def slow(n: int) -> int:
    import time

    time.sleep(0.1)
    return n


@with_plugin
async def test_a_job_fails_and_is_tried_again(client, scheduler, plugin) -> None:
    with eco_dask.job("bad"):
        bad = client.submit(lambda: 1 / 0, key="bad")
        after = client.submit(inc, bad, key="after")
    with pytest.raises(ZeroDivisionError):
        await after
    job = await only_job(plugin)
    assert (job.state, job.erred, job.done) == ("failed", 1, 0)
    await client.retry([bad])
    with pytest.raises(ZeroDivisionError):
        await bad
    job = await only_job(plugin)
    assert (job.state, job.erred) == ("failed", 1)


@with_plugin
async def test_what_the_client_lets_go_of_is_cancelled(client, scheduler, plugin) -> None:
    with eco_dask.job("dropped"):
        futures = client.map(slow, range(20))
    await async_poll_for(lambda: plugin.jobs, 10)
    await client.cancel(futures)
    await async_poll_for(lambda: not plugin.progress.running(), 10)
    assert (await only_job(plugin)).state == "cancelled"


@with_plugin
async def test_a_graph_that_comes_again_is_no_further_work(client, scheduler, plugin) -> None:
    with eco_dask.job("twice"):
        first = client.submit(inc, 1, key="one")
        await first
        again = client.get({"one": (inc, 1), "two": (inc, "one")}, ["two"], sync=False)
        await asyncio.gather(*again) if isinstance(again, list) else await again
    job = await only_job(plugin)
    assert (job.state, job.tasks, job.done) == ("done", 2, 2)


@with_plugin
async def test_many_viewers_share_one_build(client, scheduler, plugin) -> None:
    found = await asyncio.gather(*(plugin.view.snapshot(0) for _ in range(20)))
    assert len({id(each) for each in found}) == 1
    assert await plugin.view.snapshot(60) is found[0]
    assert await plugin.view.snapshot(0) is not found[0]


@with_plugin
async def test_a_gateway_that_does_not_answer_stays_with_what_it_said(
    client, scheduler, plugin
) -> None:
    (worker,) = scheduler.workers
    told = {"worker": worker, "name": "g", "address": "ws://x", "fingerprint": "", "slots": 3}
    scheduler.log_event(TOPIC, told | {"providers": ["p", "q"]})
    # This worker is no gateway: it has no such handler.
    found = await plugin.view.snapshot(0)
    (gateway,) = found.network.gateways
    assert (gateway.providers, found.network.joined_1h) == (2, 2)
    scheduler.log_event(TOPIC, told | {"providers": ["q"]})
    network = (await plugin.view.snapshot(0)).network
    assert (network.joined_1h, network.left_1h) == (2, 1)


@with_plugin
async def test_jobs_outlive_the_scheduler(client, scheduler, plugin) -> None:
    with eco_dask.job("kept", error=1e-3):
        assert await client.submit(inc, 1) == 2
    with eco_dask.job("left"):
        pending = client.map(slow, range(100))
    await async_poll_for(lambda: len(plugin.jobs) == 2, 10)
    await plugin.view.snapshot(0)
    again = EcoSchedulerPlugin(data_directory=plugin._data_directory)
    await again.start(scheduler)
    left, kept = (await again.view.snapshot(0)).jobs
    assert (kept.name, kept.state, kept.done, kept.error) == ("kept", "done", 1, 1e-3)
    # Nobody knows what became of what ran when the scheduler ended.
    assert (left.name, left.state) == ("left", "failed")
    assert await again.view.job(kept.id) == kept
    assert await again.view.job("nobody") is None
    await again.close()
    await client.cancel(pending)
