"""A pause: who is told, what goes back, and a real runner that stands still."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest
from test_agent import Heard, introduction, lease
from test_runner_process import Life, live, work

from eco_dask.agent.agent import Agent
from eco_dask.agent.pausing import MARGIN_S
from eco_dask.agent.runner_process import Raised, RunnerRule
from eco_dask.wire import messages as m


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    agent = Agent(introduction(tmp_path), RunnerRule(slots=2))
    agent._line.connection = Heard()
    return agent


def said(agent: Agent) -> list[m.Message]:
    return agent._line.connection.messages


def test_a_pause_gives_back_what_has_not_started_and_a_resume_goes_on(agent: Agent) -> None:
    async def story() -> None:
        agent._on_message(lease("runs", deadline_s=900.0))
        agent._on_message(lease("waits", deadline_s=900.0, inputs=(bytes(32),)))
        agent.pausing.welcomed(2)
        await agent.pausing.pause("the machine runs on battery")
        agent._on_message(lease("crossed", deadline_s=900.0))
        agent.pausing.give_back_late(60)
        assert [held.lease for held, _ in agent.held()] == ["runs"]
        await agent.pausing.resume()

    asyncio.run(story())
    given_back = [it.lease for it in said(agent) if isinstance(it, m.Declined)]
    assert given_back == ["waits", "crossed"]
    assert [(it.slots, it.reason) for it in said(agent) if isinstance(it, m.Slots)] == [
        (0, "the machine runs on battery"), (2, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("deadline_s", "after_s", "back"),
    [(900.0, 60.0, False), (MARGIN_S / 2, 60.0, True), (900.0, 0.0, True)],
    ids=["there is time", "the deadline is near", "the pause is long"],
)
def test_a_frozen_task_goes_back_when_it_must(agent, deadline_s, after_s, back) -> None:
    async def story() -> None:
        agent._on_message(lease("runs", deadline_s=deadline_s))
        await agent.pausing.pause("in use")
        agent.pausing.give_back_late(after_s)

    asyncio.run(story())
    assert (agent.held() == []) is back


def test_a_gateway_that_lets_us_in_anew_is_told_of_the_pause(agent: Agent) -> None:
    asyncio.run(agent.pausing.pause("in use"))
    said(agent).clear()
    agent.pausing.welcomed(2)
    assert said(agent) == [m.Slots(0, "in use")]


def test_finishing_takes_nothing_new_and_can_be_taken_back(agent: Agent) -> None:
    agent.pausing.welcomed(2)
    agent._on_message(lease("has"))
    agent.pausing.finish()
    agent._on_message(lease("new"))
    assert [held.lease for held, _ in agent.held()] == ["has"]
    assert not agent.idle
    agent._on_answer(Raised("has", "ValueError", "", "", 0.0, 0.0))
    agent._on_message(m.Release(("has",)))
    assert agent.idle
    agent.pausing.go_on()
    assert said(agent)[-1] == m.Slots(2, "")


# ------------------------------------------------------------------ a real runner


def test_a_frozen_runner_stands_still_and_goes_on_where_it_was(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def spin(path: str) -> None:
        import time

        for _ in range(1_000_000):
            with open(path, "w") as file:  # noqa: PTH123
                file.write(str(time.monotonic()))

    async def story(life: Life) -> None:
        life.runner.feed(work("spins", spin, str(mark)))
        await life.until(mark.exists)
        asked_s = time.monotonic()
        await life.runner.set_frozen(True)
        assert time.monotonic() - asked_s < 2
        frozen_at = mark.read_text()
        await asyncio.sleep(0.3)
        assert mark.read_text() == frozen_at
        assert {psutil.Process(pid).status() for pid in life.runner.pids} == {"stopped"}
        await life.runner.set_frozen(False)
        await life.until(lambda: mark.read_text() not in {frozen_at, ""})

    assert not live(story).deaths


def test_a_runner_that_starts_during_a_pause_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    async def story(life: Life) -> None:
        await life.runner.set_frozen(True)
        await life.runner.ready.wait()
        life.runner.feed(work("marks", mark_it, str(mark)))
        await asyncio.sleep(0.3)
        assert not mark.exists()
        await life.runner.set_frozen(False)
        await life.until(lambda: life.answers)
        assert mark.exists()

    def mark_it(path: str) -> None:
        with open(path, "w") as file:  # noqa: PTH123
            file.write("x")

    live(story)


def test_other_limits_hold_from_the_next_runner_which_waits_for_the_tasks_under_way() -> None:
    def threads() -> str | None:
        import os

        return os.environ.get("OMP_NUM_THREADS")

    async def story(life: Life) -> None:
        await life.runner.ready.wait()
        before = life.runner.pids
        life.runner.feed(work("first", abs, -1))
        life.runner.renew(RunnerRule(1, threads_per_slot=3))
        assert life.runner.is_ending
        await life.until(lambda: life.answers and life.runner.pids not in {before, ()})
        life.runner.feed(work("second", threads))
        await life.until(lambda: "second" in life.answers)

    life = live(story)
    assert life.value("first") == 1
    assert life.value("second") == "3"
    assert not [leases for leases, _ in life.deaths if leases]
