"""Tasks that take all there is: memory, processes, disk, the pipe, time; and what survives them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from sandbox_attacks import fill, fork_bomb, memory_bomb, unnamed_memory_bomb
from sandbox_cage import LIMITS, Life, live, sandbox, ungrouped

from eco_dask.agent.runner_process import Raised
from eco_dask.sandbox.cgroups import find_bounds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's sandboxes")


@pytest.fixture
def cage(tmp_path: Path):
    """Namespaces, with control groups if this machine has them."""
    return sandbox("bwrap", tmp_path)


@pytest.mark.parametrize("bomb", [memory_bomb, unnamed_memory_bomb])
def test_a_memory_bomb_ends_the_runner_and_is_named(bomb, cage) -> None:
    if not cage.bounded:
        pytest.skip("no control group can be made here")

    async def story(life: Life) -> None:
        life.feed("bomb", bomb)
        await life.until(lambda: life.deaths)
        await life.still_serves()

    ((leases, reason),) = live(cage, story).deaths
    assert leases == ["bomb"]
    assert reason == "it ran out of memory; the owner of this machine allows 400 MiB"


@pytest.mark.parametrize("bomb", [memory_bomb, unnamed_memory_bomb])
def test_without_control_groups_memory_is_an_error_or_the_end(bomb) -> None:
    async def story(life: Life) -> None:
        life.feed("bomb", bomb)
        await life.until(lambda: life.deaths or life.answers)
        await life.still_serves()

    life = live(ungrouped(), story)
    if life.deaths:
        ((_, reason),) = life.deaths
        assert "MiB of memory; the owner of this machine allows 400 MiB" in reason
    else:
        assert isinstance(life.answers["bomb"], Raised)
        assert life.answers["bomb"].error_type in {"MemoryError", "OSError", "AttributeError"}


def test_a_fork_bomb_stops_at_the_limit_and_leaves_nothing(cage) -> None:
    before = len(psutil.pids())

    async def story(life: Life) -> None:
        life.feed("bomb", fork_bomb)
        await life.until(lambda: life.answers)
        assert len(psutil.pids()) > before + 10
        life.runner.kill()
        await life.until(lambda: life.deaths)

    life = live(cage, story)
    assert 10 < life.value("bomb") <= LIMITS.processes
    assert len(psutil.pids()) < before + 10


@pytest.mark.parametrize("folder", ["/tmp", "/scratch", "/dev/shm"])
def test_the_disk_is_full_at_its_limit(folder: str, cage) -> None:
    async def story(life: Life) -> None:
        life.feed("fill", fill, folder)
        await life.until(lambda: life.answers or life.deaths)
        await life.still_serves()

    written = live(cage, story).value("fill")
    assert 0 < written <= LIMITS.disk_bytes


def test_a_task_that_runs_for_ever_is_ended(tmp_path: Path) -> None:
    def forever() -> None:
        import re

        # Holds the interpreter's lock all the while: no other thread of the runner could answer.
        re.match("(a*)*$", "a" * 60 + "b")

    async def story(life: Life) -> None:
        life.feed("forever", forever)
        await life.until(lambda: life.deaths)
        await life.still_serves()

    cage = sandbox("bwrap", tmp_path, replace(LIMITS, task_wall_s=1.0))
    ((leases, reason),) = live(cage, story).deaths
    assert leases == ["forever"]
    assert reason.startswith("a task ran for")
    assert reason.endswith("allows 1 s")


def test_what_a_task_leaves_running_ends_with_its_runner(cage) -> None:
    marker = "86399.25"

    def leave(marker: str) -> None:
        import os
        import subprocess

        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execvp("sleep", ["sleep", marker])
                os._exit(0)
        subprocess.run(["sleep", "0.2"], check=True)

    def left() -> list[psutil.Process]:
        found = [p for p in psutil.process_iter(["cmdline"]) if marker in (p.info["cmdline"] or ())]
        return [p for p in found if p.info["cmdline"][0] == "sleep"]

    async def story(life: Life) -> None:
        life.feed("leave", leave, marker)
        await life.until(lambda: life.answers)
        assert len(left()) == 3
        life.runner.kill()
        await life.until(lambda: life.deaths)
        await life.until(lambda: not left())
        await life.still_serves()

    live(cage, story)


#: What a task writes into the agent's pipe itself.
FORGERIES = {
    "no message": b"\xff" * 64,
    "a header that never ends": b"\x00\x0f\xff\xff" + b"x" * (1 << 20),
    "an endless buffer": b"\x00\x00\x00\x0c" + b"\x92\xa5ready\x91\xce\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_a_task_writes_into_the_pipe_ends_its_runner(name: str, cage) -> None:
    def forge(words: bytes) -> None:
        import os

        for descriptor in range(3, 64):
            try:
                for _ in range(64):
                    os.write(descriptor, words)
            except OSError:
                continue

    async def story(life: Life) -> None:
        life.feed("forge", forge, FORGERIES[name])
        await life.until(lambda: life.deaths)
        await life.still_serves()

    ((leases, reason),) = live(cage, story).deaths
    assert leases == ["forge"]
    assert "broke the protocol" in reason


def test_a_task_that_prints_without_end_fills_nothing(cage, capfd) -> None:
    def shout() -> int:
        import os

        written = 0
        for _ in range(2_000):
            written += os.write(2, b"\x1b[2J" + b"x" * 4_000 + b"\n")
        return written

    async def story(life: Life) -> None:
        life.feed("shout", shout)
        await life.until(lambda: life.answers)
        await life.still_serves()

    life = live(cage, story)
    assert life.value("shout") > 8_000_000
    printed = capfd.readouterr().err
    assert len(printed) < 2 << 20
    # Nothing of it drives the owner's terminal.
    assert "\x1b" not in printed


def test_a_new_runner_knows_nothing_of_the_last_one(cage) -> None:
    def tamper() -> None:
        import builtins
        import os

        builtins.sum = lambda _: "tampered"
        for folder in ("/tmp", "/scratch", "/dev/shm"):
            with open(f"{folder}/left", "w") as file:
                file.write("left")
        os._exit(3)

    def look() -> tuple:
        import os

        return sum([1, 2]), [os.listdir(f) for f in ("/tmp", "/scratch", "/dev/shm")]

    async def story(life: Life) -> None:
        life.feed("tamper", tamper)
        await life.until(lambda: life.deaths)
        life.feed("look", look)
        await life.until(lambda: life.answers)

    life = live(cage, story)
    total, found = life.value("look")
    assert total == 3
    # A checkout below /tmp is bound there, as the sandbox reads this package.
    assert not any("left" in names for names in found)
    assert life.deaths == [(["tamper"], "exit status 3")]


def test_limits_leave_no_trace_after_the_runner(cage) -> None:
    async def story(life: Life) -> None:
        await life.still_serves()

    live(cage, story)
    bounds = find_bounds(LIMITS)
    assert not list(bounds.root.glob(f"*/eco-dask/eco-runner-{psutil.Process().pid}-*"))
