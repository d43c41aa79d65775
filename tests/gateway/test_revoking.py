"""Results that flowed and fell: Dask computes them again, and nothing wrong leaves the gateway.

A real scheduler, worker and gateway; what the engine says is written by the tests.
"""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from functools import wraps
from typing import Any

import dask
import numpy as np
import pytest
from distributed import wait
from distributed.utils_test import gen_cluster

import eco_dask
from eco_dask.engine import actions as do
from eco_dask.engine import events as ev
from eco_dask.errors import NoEligibleProviderError
from eco_dask.plugins import EcoGatewayPlugin, EcoSchedulerPlugin
from eco_dask.values import EncodedValue, encode
from eco_dask.verification.attempt import Attempt, ValueAnswer
from eco_dask.verification.checks import Failed, Passed

TAKES = (
    ev.CheckArrived,
    ev.GateReached,
    ev.GateLeft,
    ev.ResultsReleased,
    ev.SettlingAsked,
    ev.TaskCancelled,
)


class Script:
    """Stands for the engine: keeps what it hears, and says what a test tells it to."""

    def __init__(self, gateway) -> None:
        self.gateway = gateway
        self.tasks: list = []
        self.heard: list = []
        gateway.engine = self

    def handle(self, event) -> list:
        if isinstance(event, ev.TaskSubmitted):
            self.tasks.append(event.task)
        elif isinstance(event, TAKES):
            self.heard.append(event)
        return []

    def take_changed(self) -> set:
        return set()

    def say(self, *actions) -> None:
        self.gateway._orders.carry_out(actions)

    def all(self, kind) -> list:
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, fact) -> Any:
        async with asyncio.timeout(10):
            while not (found := fact()):  # noqa: ASYNC110  Dask has no event for it
                await asyncio.sleep(0.01)
        return found

    async def task(self, key: str, nth: int = 1):
        """The ``nth`` submission of a key."""

        def found():
            named = [t for t in self.tasks if t.kind == key]
            return named[nth - 1] if len(named) >= nth else None

        return await self.until(found)

    async def accept(self, key: str, value: object, nth: int = 1, doubt: float | None = 0.01):
        """Let a task's value flow."""
        ballot = (await self.task(key, nth)).ballot
        encoded = encode(value)
        answer = ValueAnswer(encoded.digest, encoded.size_bytes)
        attempt = Attempt("lease", "p", "o", False, answer, 0.0, 0.0, 0.0)
        self.gateway.intake.find(ballot).values["lease"] = encoded
        self.say(do.DeliverValue(ballot, "lease", (attempt,), doubt))
        return ballot

    async def gate(self, nth: int = 1):
        return (await self.until(lambda: self.all(ev.GateReached)[nth - 1 :]))[0]


async def gateway_at(worker, name: str, folder: str) -> Script:
    """Make a worker a gateway that does what a test says."""
    plugin = EcoGatewayPlugin(name, port=0, data_directory=folder)
    await worker.plugin_add(plugin, catch_errors=False)
    plugin._on_slots(8)
    return Script(plugin.gateway)


def scripted(check, gateways: int = 1):
    """Run a test with a client, scripted gateways and nobody behind them."""

    @wraps(check)
    def run(tmp_path) -> None:
        @gen_cluster(client=True, nthreads=[("127.0.0.1", 8)] * gateways)
        async def inside(client, scheduler, *workers) -> None:
            folder = str(tmp_path)
            plugin = EcoSchedulerPlugin(data_directory=folder)
            await plugin.start(scheduler)
            scheduler.add_plugin(plugin)
            scripts = [await gateway_at(w, f"g{i}", folder) for i, w in enumerate(workers)]
            with dask.config.set({"eco-dask.verification.error": 1e-3}):
                await check(client, *(workers if gateways == 1 else [workers]), *scripts)

        inside()

    del run.__wrapped__  # pytest reads the parameters
    return run


def plain(value: object) -> object:
    """A client in the gateway's own process gets values as they are."""
    return value.decode() if isinstance(value, EncodedValue) else value


def leased(*inputs):
    return inputs


def submit(client, key: str, *inputs):
    return client.submit(leased, *inputs, key=f"{key}-00000000", pure=False)


def chain(client):
    x = submit(client, "xx")
    y = submit(client, "yy", x)
    return x, y, submit(client, "zz", y)


@scripted
async def test_wrong_results_and_all_that_was_made_of_them_are_computed_again(
    client, worker, script
):
    futures = chain(client)
    ballots = [await script.accept(key, f"wrong {key}") for key in ("xx", "yy", "zz")]
    await script.until(lambda: futures[2].status == "finished")
    script.say(do.Revoke(tuple(ballots), ()))
    for key in ("xx", "yy", "zz"):
        await script.accept(key, f"right {key}", nth=2)
    assert [plain(f) for f in await gathered(client, futures, script)] == [
        "right xx",
        "right yy",
        "right zz",
    ]
    counted = Counter(task.kind for task in script.tasks)
    assert counted == {"xx": 2, "yy": 2, "zz": 2}


async def gathered(client, futures, script) -> list:
    """Gather, opening each gate on the way."""
    gathering = asyncio.create_task(asyncio.wait_for(client.gather(list(futures)), 10))
    opened = 0
    while not gathering.done():
        await asyncio.sleep(0.01)
        for event in script.all(ev.GateReached)[opened:]:
            opened += 1
            script.say(
                *(do.ForgetTask(ballot) for ballot in event.ballots), do.OpenGate(event.gate)
            )
    return await gathering


@scripted
async def test_a_task_under_way_starts_anew_with_the_right_input(client, worker, script):
    x = submit(client, "xx")
    y = submit(client, "yy", x)
    wrong = await script.accept("xx", 1)
    under_way = await script.task("yy")
    assert under_way.inputs == (wrong,)
    script.say(do.Revoke((wrong, under_way.ballot), ()))
    right = await script.accept("xx", 2, nth=2)
    assert (await script.task("yy", nth=2)).inputs == (right,)
    await script.accept("yy", "made of 2", nth=2)
    assert plain((await gathered(client, [y], script))[0]) == "made of 2"


@scripted
async def test_a_wrong_result_is_dropped_also_where_the_engine_does_not_know_its_user(
    client, worker, script
):
    x = submit(client, "xx")
    y = submit(client, "yy", x)
    wrong = await script.accept("xx", 1)
    under_way = await script.task("yy")
    script.say(do.Revoke((wrong,), ()))
    await script.until(lambda: script.all(ev.TaskCancelled))
    assert script.all(ev.TaskCancelled)[0].ballot == under_way.ballot
    await script.accept("xx", 2, nth=2)
    await script.accept("yy", "made of 2", nth=2)
    assert plain((await gathered(client, [y], script))[0]) == "made of 2"


@scripted
async def test_only_what_the_client_asked_for_is_wanted(client, worker, script):
    x = dask.delayed(leased)(dask_key_name="xx-00000000")
    y = client.compute(dask.delayed(leased)(x, dask_key_name="yy-00000000"))
    assert not (await script.task("xx")).wanted
    await script.accept("xx", 1)
    assert (await script.task("yy")).wanted
    del y


@scripted
async def test_a_structural_result_waits_at_a_gate_until_it_stands(client, worker, script):
    x = dask.delayed(leased)(dask_key_name="xx-00000000")
    first = client.compute(dask.delayed(operator.getitem)(x, 0, dask_key_name="first"))
    ballot = await script.accept("xx", [7, 8])
    gate = await script.gate()
    assert gate.ballots == (ballot,)
    await asyncio.sleep(0)
    assert first.status == "pending"
    script.say(do.ForgetTask(ballot, 1e-6), do.OpenGate(gate.gate))
    assert plain(await asyncio.wait_for(first, 10)) == 7


@scripted
async def test_a_structural_result_whose_gate_breaks_is_made_again(client, worker, script):
    x = dask.delayed(leased)(dask_key_name="xx-00000000")
    first = client.compute(dask.delayed(operator.getitem)(x, 0, dask_key_name="first"))
    wrong = await script.accept("xx", [7, 8])
    gate = await script.gate()
    script.say(do.Revoke((wrong,), (gate.gate,)))
    await script.accept("xx", [9, 8], nth=2)
    again = await script.gate(2)
    script.say(do.ForgetTask(again.ballots[0]), do.OpenGate(again.gate))
    assert plain(await asyncio.wait_for(first, 10)) == 9


@scripted
async def test_who_no_longer_waits_leaves_the_gate(client, worker, script):
    x = dask.delayed(leased)(dask_key_name="xx-00000000")
    first = client.compute(dask.delayed(operator.getitem)(x, 0, dask_key_name="first"))
    ballot = await script.accept("xx", [7, 8])
    gate = await script.gate()
    del first, x
    left = await script.until(lambda: script.all(ev.GateLeft))
    assert left[0].gate == gate.gate
    freed = await script.until(lambda: script.all(ev.ResultsReleased))
    assert freed[0].ballots == (ballot,)


@scripted
async def test_a_value_that_flowed_leaves_the_gateway_once_it_stands(client, worker, script):
    x = submit(client, "xx")
    ballot = await script.accept("xx", "soon certain")
    await script.until(lambda: x.status == "finished")
    gathering = asyncio.create_task(client.gather(x))
    gate = await script.gate()
    assert gate.ballots == (ballot,)
    assert not gathering.done()
    script.say(do.ForgetTask(ballot), do.OpenGate(gate.gate))
    assert plain(await asyncio.wait_for(gathering, 10)) == "soon certain"


@scripted
async def test_a_gate_that_opens_is_enough_though_an_answer_is_still_awaited(
    client, worker, script
):
    x = submit(client, "xx")
    await script.accept("xx", "certain")
    await wait([x])
    gathering = asyncio.create_task(client.gather(x))
    gate = await script.gate()
    script.say(do.OpenGate(gate.gate))
    assert plain(await asyncio.wait_for(gathering, 10)) == "certain"


@scripted
async def test_a_value_that_falls_while_it_is_asked_for_is_never_sent(client, worker, script):
    x = submit(client, "xx")
    wrong = await script.accept("xx", "wrong")
    await script.until(lambda: x.status == "finished")
    gathering = asyncio.create_task(client.gather(x))
    await script.gate()
    script.say(do.Revoke((wrong,), ()))
    right = await script.accept("xx", "right", nth=2)
    script.say(do.ForgetTask(right))
    assert plain(await asyncio.wait_for(gathering, 20)) == "right"


@scripted
async def test_a_result_that_cannot_be_made_certain_fails_what_waits_for_it(client, worker, script):
    x = submit(client, "xx")
    first = client.submit(operator.getitem, x, 0, key="first")
    ballot = await script.accept("xx", [7, 8])
    await script.gate()
    script.say(do.FailTask(ballot, do.LostTooOften(9)), do.ForgetTask(ballot))
    for future in (x, first):
        with pytest.raises(NoEligibleProviderError, match="lost by providers 9 times"):
            await asyncio.wait_for(future, 10)
    # It may be tried again.
    again = submit(client, "xx")
    assert again.status == "error"
    await again.retry()
    assert (await script.task("xx", nth=2)).ballot != ballot


def test_a_product_is_checked_where_its_bytes_are(tmp_path):
    a = np.arange(90_000.0).reshape(300, 300)

    @scripted
    async def check(client, worker, script):
        x = client.submit(np.matmul, a, a, key="xx-00000000", pure=False)
        task = await script.task("xx")
        assert task.checkable
        right, wrong = a @ a, a @ a + 1
        values = script.gateway.intake.find(task.ballot).values
        values |= {"right": encode(right), "wrong": encode(wrong)}
        script.say(*(do.CheckValue(task.ballot, lease) for lease in values))
        await script.until(lambda: len(script.all(ev.CheckArrived)) == 2)
        verdicts = {event.lease: event.verdict for event in script.all(ev.CheckArrived)}
        assert isinstance(verdicts["right"], Passed)
        assert isinstance(verdicts["wrong"], Failed)
        del x

    check(tmp_path)


@scripted
async def test_what_a_quorum_decided_is_final_and_waits_nowhere(client, worker, script):
    with eco_dask.job(quorum=1):
        x = submit(client, "xx")
    await script.accept("xx", "agreed", doubt=None)
    assert plain(await asyncio.wait_for(client.gather(x), 10)) == "agreed"
    assert not script.all(ev.GateReached)


@scripted
async def test_what_a_quorum_decided_about_a_wrong_input_falls_with_it(client, worker, script):
    x = submit(client, "xx")
    with eco_dask.job(quorum=1):
        y = submit(client, "yy", x)
    ballots = [await script.accept("xx", 1), await script.accept("yy", "made of 1", doubt=None)]
    await wait([y])
    script.say(do.Revoke(tuple(ballots), ()))
    await script.accept("xx", 2, nth=2)
    await script.accept("yy", "made of 2", nth=2, doubt=None)
    assert plain((await gathered(client, [y], script))[0]) == "made of 2"


@scripted
async def test_results_that_nobody_needs_are_released_from_the_last_on(client, worker, script):
    x, y, z = chain(client)
    ballots = [await script.accept(key, key) for key in ("xx", "yy", "zz")]
    await wait([z])
    del x, y, z
    freed = await script.until(lambda: script.all(ev.ResultsReleased))
    assert freed[0].ballots == (ballots[2],)
    script.say(do.ForgetTask(ballots[2]))
    freed = await script.until(lambda: script.all(ev.ResultsReleased)[1:])
    assert freed[0].ballots == (ballots[1],)


@scripted
async def test_the_report_counts_what_was_estimated_and_what_was_done_again(client, worker, script):
    with eco_dask.job("flows", error=1e-3) as job:
        x = submit(client, "xx")
    wrong = await script.accept("xx", 1, doubt=0.009)
    await script.until(lambda: x.status == "finished")
    assert (await job.report(client)).error_worst == 0.009
    script.say(do.Revoke((wrong,), ()))
    right = await script.accept("xx", 2, nth=2, doubt=0.008)
    script.say(do.ForgetTask(right, 5e-4))
    report = await job.report(client)
    assert (report.error_worst, report.error_mean, report.recomputed) == (5e-4, 5e-4, 1)
    assert "1 results computed again" in str(report)


@scripted
async def test_beyond_its_memory_a_gateway_asks_for_the_oldest_to_be_settled(
    client, worker, script
):
    # Dask's test cluster does not keep configuration.
    script.gateway.standing.retention._bytes_max = 5000
    futures = [submit(client, key) for key in ("xx", "yy")]
    ballots = [await script.accept(key, key.encode() * 1500) for key in ("xx", "yy")]
    asked = await script.until(lambda: script.all(ev.SettlingAsked))
    assert asked[0].ballots == (ballots[0],)
    assert len(futures) == 2


async def check_two_gateways(client, workers, one, other):
    x = client.submit(leased, key="xx-00000000", pure=False, workers=workers[0].address)
    y = client.submit(leased, x, key="yy-00000000", pure=False, workers=workers[1].address)
    ballot = await one.accept("xx", "flows here only")
    gate = await one.gate()
    assert gate.ballots == (ballot,)
    assert not other.tasks
    one.say(do.ForgetTask(ballot), do.OpenGate(gate.gate))
    assert (await other.task("yy")).inputs == ()
    await other.accept("yy", "of a value that stands")
    assert plain((await gathered(client, [y], other))[0]) == "of a value that stands"


test_what_another_gateway_fetches_stands_before_it_leaves = scripted(check_two_gateways, 2)
