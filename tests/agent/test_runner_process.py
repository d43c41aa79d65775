"""A real runner process: what it answers, how it dies, what it knows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from dask._task_spec import Task, TaskRef

from eco_dask.agent.pipe import PipeError
from eco_dask.agent.runner_process import (
    Done,
    Lacks,
    Raised,
    RunnerProcess,
    RunnerRule,
    Work,
    inherited_environment,
    numerics_environment,
    parse_answer,
)
from eco_dask.gateway.packing import pack
from eco_dask.values import EncodedValue, encode

DIGEST = bytes(32)


def work(lease: str, function: Callable, *args, **inputs) -> Work:
    """What the agent feeds of a lease, by way of the gateway's own packing."""
    references = [TaskRef(key) for key in inputs]
    package = pack(
        Task(lease, function, *args, *references), {k: encode(v) for k, v in inputs.items()}
    )
    joined = {digest: b"".join(parts) for digest, parts in package.blobs.items()}
    return Work(
        lease,
        package.task,
        tuple(joined[d] for d in package.inputs),
        tuple(joined[d] for d in package.constants),
    )


class Life:
    """A runner and what was heard of it."""

    def __init__(self, slots: int = 1) -> None:
        self.answers: dict[str, Done | Raised] = {}
        self.deaths: list[tuple[list[str], str]] = []
        self.runner = RunnerProcess(
            RunnerRule(slots),
            lambda answer: self.answers.update({answer.lease: answer}),
            lambda leases, reason: self.deaths.append((leases, reason)),
        )

    async def until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            # What is waited for has no event: it is what a caller sees.
            while not fact():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def value(self, lease: str) -> object:
        return EncodedValue.from_bytes(b"".join(self.answers[lease].parts)).decode()


def live(story: Callable, slots: int = 1) -> Life:
    async def run() -> Life:
        life = Life(slots)
        running = asyncio.create_task(life.runner.run())
        try:
            await story(life)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return life

    return asyncio.run(run())


def test_values_errors_prints_and_large_constants() -> None:
    big = np.arange(50_000.0)

    async def story(life: Life) -> None:
        life.runner.feed(work("sum", np.add, a=np.arange(3), b=1.5))
        life.runner.feed(work("big", np.sum, big))
        life.runner.feed(work("zero", lambda: 1 / 0))
        life.runner.feed(work("print", print, "not part of the protocol"))
        life.runner.feed(work("exit", lambda: sys.exit(3)))
        life.runner.feed(work("opaque", object))
        life.runner.feed(work("input", input))
        life.runner.feed(work("hash", lambda: hash("x")))
        await life.until(lambda: len(life.answers) == 8)

    life = live(story)
    np.testing.assert_array_equal(life.value("sum"), [1.5, 2.5, 3.5])
    assert life.value("big") == big.sum()
    assert life.value("print") is None
    zero = life.answers["zero"]
    assert (zero.error_type, zero.message) == ("ZeroDivisionError", "division by zero")
    # A task may not end the runner by asking politely, nor read the agent's messages.
    assert life.answers["exit"].error_type == "SystemExit"
    assert life.answers["input"].error_type == "EOFError"
    assert life.answers["opaque"].error_type == "eco_dask.errors.ValueCodecError"
    assert not life.deaths
    assert all(answer.wall_s >= 0 for answer in life.answers.values())


def test_a_module_that_is_not_here_is_named_and_is_no_answer() -> None:
    def absent() -> None:
        import nowhere_to_be_found.inside  # noqa: F401

    def absent_part() -> None:
        import email.nowhere_to_be_found  # noqa: F401

    def own() -> None:
        raise ModuleNotFoundError("of my own")

    async def story(life: Life) -> None:
        life.runner.feed(work("absent", absent))
        life.runner.feed(work("part", absent_part))
        life.runner.feed(work("own", own))
        await life.until(lambda: len(life.answers) == 3)

    life = live(story)
    assert life.answers["absent"] == Lacks("absent", "nowhere_to_be_found")
    # Every provider with that Python or package would say the same: that is an answer.
    for lease in ("part", "own"):
        assert life.answers[lease].error_type == "ModuleNotFoundError"


def test_the_answers_of_two_runners_are_the_same_bits() -> None:
    async def story(life: Life) -> None:
        life.runner.feed(work("set", lambda: {str(i) for i in range(50)}))
        life.runner.feed(work("order", lambda: list({str(i) for i in range(50)})))
        life.runner.feed(work("matmul", lambda: np.ones((50, 70)).T @ np.ones((50, 70))))
        await life.until(lambda: len(life.answers) == 3)

    first, second = live(story), live(story)
    for lease, answer in first.answers.items():
        assert answer.digest == second.answers[lease].digest


def test_a_runner_that_dies_is_named_and_replaced() -> None:
    async def story(life: Life) -> None:
        life.runner.feed(work("fatal", os._exit, 7))
        life.runner.feed(work("behind it", abs, -1))
        await life.until(lambda: life.deaths)
        assert life.runner.busy == 0
        life.runner.feed(work("next", abs, -2))
        await life.until(lambda: life.answers)

    life = live(story)
    assert life.deaths == [(["fatal", "behind it"], "exit status 7")]
    assert life.value("next") == 2


def test_a_runner_is_ended_in_the_middle_of_a_task() -> None:
    def forever() -> None:
        while True:
            pass

    async def story(life: Life) -> None:
        life.runner.feed(work("hangs", forever))
        life.runner.feed(work("waits", abs, -1))
        await life.runner.ready.wait()
        assert life.runner.is_running("hangs")
        assert not life.runner.is_running("waits")
        life.runner.kill()
        await life.until(lambda: life.deaths)

    ((leases, _),) = live(story).deaths
    assert leases == ["hangs", "waits"]


@pytest.mark.parametrize("slots", [1, 2])
def test_no_two_recruiters_meet_in_one_runner(slots: int) -> None:
    order = ["ann", "ann", "bob", "bob", "ann", "cem"]

    async def story(life: Life) -> None:
        for i, recruiter in enumerate(order):
            life.runner.feed(replace(work(str(i), os.getpid), recruiter=recruiter))
        await life.until(lambda: len(life.answers) == len(order))

    life = live(story, slots)
    pids = [life.value(str(i)) for i in range(len(order))]
    served = {}
    for pid, recruiter in zip(pids, order, strict=True):
        served.setdefault(pid, set()).add(recruiter)
    assert all(len(recruiters) == 1 for recruiters in served.values())
    # Warm within one's own tasks, and no task is lost or reported as such.
    assert pids[0] == pids[1]
    assert pids[2] == pids[3]
    assert not life.deaths


def test_a_runner_that_dies_before_a_change_takes_the_next_recruiters_task_along() -> None:
    async def story(life: Life) -> None:
        life.runner.feed(replace(work("fatal", os._exit, 7), recruiter="ann"))
        life.runner.feed(replace(work("behind", abs, -1), recruiter="bob"))
        await life.until(lambda: life.deaths)
        life.runner.feed(replace(work("again", abs, -1), recruiter="bob"))
        await life.until(lambda: life.answers)

    life = live(story)
    assert life.deaths == [(["fatal", "behind"], "exit status 7")]
    assert life.value("again") == 1


def test_slots_run_side_by_side() -> None:
    def meet() -> int:
        import threading

        import dask

        barrier = dask.__dict__.setdefault("_meeting", threading.Barrier(2))
        return barrier.wait(20)

    async def story(life: Life) -> None:
        # Neither passes the barrier alone.
        life.runner.feed(work("a", meet))
        life.runner.feed(work("b", meet))
        await life.until(lambda: len(life.answers) == 2)

    life = live(story, slots=2)
    assert sorted([life.value("a"), life.value("b")]) == [0, 1]


def test_no_secret_reaches_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO_DASK_JOIN_LINK", "eco-dask://secret")
    monkeypatch.setenv("DASK_ECO_DASK__DATABASE", "postgresql://user:secret@host/db")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    environment = inherited_environment() | numerics_environment(3)
    assert not [name for name in environment if "DASK" in name]
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "3"
    assert environment["PYTHONHASHSEED"] == "0"
    assert numerics_environment(1)["OPENBLAS_CORETYPE"] == "Haswell"


FORGED = {
    "unknown kind": ["ready?", "x"],
    "no cost": ["done", "x", DIGEST, 3],
    "digest too short": ["done", "x", b"1", 3, 0.1, 0.1],
    "digest of another type": ["done", "x", "1" * 32, 3, 0.1, 0.1],
    "lease of another type": ["done", 1, DIGEST, 3, 0.1, 0.1],
    "cost of another type": ["done", "x", DIGEST, 3, "0.1", 0.1],
    "error without text": ["raised", "x", "ValueError", None, "", 0.1, 0.1],
    "too long": ["done", "x", DIGEST, 3, 0.1, 0.1, 0],
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_is_refused(name: str) -> None:
    with pytest.raises(PipeError, match="unknown form"):
        parse_answer(FORGED[name], [])


def test_a_negative_cost_counts_as_none() -> None:
    assert parse_answer(["done", "x", DIGEST, 3, -5.0, -1.0], [b"abc"]) == Done(
        "x", DIGEST, (b"abc",), 0, 0
    )
