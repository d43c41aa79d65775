"""The agent's meter: uses from the runner become energy of leases, once each and exactly."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.agent.energy import EnergyMeter, EnergyPlan, parse_used
from eco_dask.agent.pipe import PipeError
from eco_dask.energy.declared import Declared
from eco_dask.energy.readers.choose import Meters
from eco_dask.energy.reading import Reading, Tier
from eco_dask.types import LeaseId
from eco_dask.wire import messages as m

A, B = LeaseId("a"), LeaseId("b")


class StepReader:
    """A counter that grows by ten joules at each reading."""

    name = "rapl"

    def __init__(self, device: str = "cpu:0") -> None:
        self._device = device
        self.energy_uj = 0

    def read(self) -> dict[str, Any]:
        self.energy_uj += 10_000_000
        at_s = self.energy_uj / 1e7
        return {self._device: Reading(self._device, self.energy_uj, at_s, self.name, Tier.METERED)}


class Line:
    """Takes messages while it is connected."""

    def __init__(self) -> None:
        self.said: list[m.Message] = []
        self.connected = True

    def say(self, message: m.Message) -> bool:
        if self.connected:
            self.said.append(message)
        return self.connected


def meter_of(line: Line, *readers: StepReader) -> EnergyMeter:
    plan = EnergyPlan(Meters(readers or (StepReader(),), (), ()), Declared(threads=2), 1)
    return EnergyMeter(plan, line.say, lambda: (), hidden=True)


def used(*uses: list[Any], gpu: bool = False, more: bool = False) -> list[Any]:
    return ["used", list(uses), gpu, more]


async def taken(meter: EnergyMeter, *headers: list[Any]) -> None:
    for header in headers:
        meter.take(header)
        await asyncio.sleep(0.51)


def test_a_run_is_told_once_when_it_ended() -> None:
    line = Line()
    meter = meter_of(line)
    meter.fed(A)
    running = ["a", 10**8, 5 * 10**8, False]
    ended = ["a", 10**8, 5 * 10**8, True]
    asyncio.run(taken(meter, used(running), used(ended), used(ended)))
    (told,) = line.said
    assert isinstance(told, m.Metered)
    assert (told.lease, told.tier, told.sources, told.overlap_ms) == ("a", "A", ("rapl",), 1000)
    assert told.marginal_uj == told.marginal_metered_uj
    assert meter.totals.residual_uj == 0


def test_tasks_that_the_runner_never_got_are_nobodys() -> None:
    line = Line()
    meter = meter_of(line)
    asyncio.run(taken(meter, used(["a", 10**8, 10**8, True])))
    assert line.said == []


def test_a_task_that_died_with_its_runner_is_told_as_far_as_it_was_seen() -> None:
    line = Line()
    meter = meter_of(line)
    meter.fed(A)
    meter.fed(B)

    async def die() -> None:
        await taken(meter, used(["a", 10**8, 5 * 10**8, False]))
        meter.over([A, B, LeaseId("stranger")])
        await taken(meter, used())

    asyncio.run(die())
    assert [(type(it), it.lease) for it in line.said] == [(m.Metered, A), (m.Unmetered, B)]  # type: ignore[union-attr]


def test_without_a_connection_it_is_told_later() -> None:
    line = Line()
    meter = meter_of(line)
    meter.fed(A)
    line.connected = False
    asyncio.run(taken(meter, used(["a", 10**8, 10**8, True])))
    assert line.said == []
    line.connected = True
    meter.send()
    meter.send()
    assert [it.lease for it in line.said] == [A]  # type: ignore[union-attr]


def test_a_moment_in_several_messages_is_one_interval() -> None:
    line = Line()
    meter = meter_of(line)
    for lease in (A, B):
        meter.fed(lease)
    use = [10**8, 5 * 10**8, True]

    async def both() -> None:
        meter.take(used(["a", *use], more=True))
        meter.take(used(["b", *use]))

    asyncio.run(both())
    first, second = line.said
    assert isinstance(first, m.Metered)
    assert isinstance(second, m.Metered)
    assert abs(first.marginal_uj - second.marginal_uj) <= 1


def test_without_meters_energy_is_unknown_and_never_zero() -> None:
    line = Line()
    meter = EnergyMeter(EnergyPlan(), line.say, lambda: ())
    meter.fed(A)
    asyncio.run(taken(meter, used(["a", 10**8, 10**8, True])))
    (told,) = line.said
    assert isinstance(told, m.Unmetered)
    assert "no meter ran" in told.reason


def test_a_gpu_is_of_tasks_of_runners_that_use_it() -> None:
    line = Line()
    meter = meter_of(line, StepReader(), StepReader("gpu:GPU-1"))
    meter.fed(A)
    meter.fed(B)
    use = [10**8, 5 * 10**8, True]
    asyncio.run(taken(meter, used(["a", *use]), used(["b", *use], gpu=True)))
    without, with_gpu = line.said
    assert isinstance(without, m.Metered)
    assert isinstance(with_gpu, m.Metered)
    assert with_gpu.assumed_exclusive
    assert not without.assumed_exclusive
    assert with_gpu.marginal_uj > 10_000_000 - 1


_plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_any = st.recursive(_plain, lambda it: st.lists(it, max_size=4), max_leaves=12)


@given(st.lists(_any, max_size=5))
def test_whatever_a_runner_says_is_read_or_refused(header: list[Any]) -> None:
    with pytest.raises(PipeError):
        parse_used(["used", *header, None], frozenset())


@pytest.mark.parametrize(
    "uses",
    [
        [["a", -1, 0, False]],
        [["a", 0, -1, False]],
        [["a", 10**16, 0, False]],
        [["a", 0.5, 0, False]],
        [["a", 0, 0, 1]],
        [["a", 0, 0]],
        [[b"a", 0, 0, False]],
        ["a"],
    ],
)
def test_malformed_uses_are_refused(uses: list[Any]) -> None:
    with pytest.raises(PipeError, match="of an unknown form"):
        parse_used(["used", uses, False, False], frozenset())


def test_two_runs_of_one_lease_are_one_use() -> None:
    told = parse_used(used(["a", 1, 2, True], ["a", 10, 20, False]), frozenset())
    ((use),) = told.uses
    assert (use.cpu_ns, use.overlap_ns) == (11, 22)
