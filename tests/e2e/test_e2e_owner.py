"""An owner and a provider that works for a client: pauses, live settings, orders, the doctor."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click import ClickException
from distributed import Client
from e2e_network import network, until

from eco_dask import EcoCluster
from eco_dask.cli.owner import ask

pytestmark = pytest.mark.e2e


class Lent:
    """A machine that was lent, and its owner's commands."""

    def __init__(self, cluster: EcoCluster, home: Path) -> None:
        self.home = home
        self.link = str(cluster.invite("olga"))
        self.process = subprocess.Popen(
            [*self._command(), "--nthreads", "1"],
            env=os.environ | {"ECO_DASK_JOIN_LINK": self.link},
        )

    def _command(self, *words: str) -> list[str]:
        head = [sys.executable, "-m", "eco_dask.cli.worker", *words]
        return [*head, "--local-directory", str(self.home)]

    def say(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self._command(*words), capture_output=True, text=True, timeout=60, check=False
        )

    @property
    def state(self) -> dict:
        # As `status --json` does, without the seconds that a command takes to start.
        return ask(self.home, "state")

    def runs(self) -> bool:
        # Before the agent's page is there, it does not answer.
        with contextlib.suppress(ClickException):
            return any(task["running"] for task in self.state["tasks"])
        return False


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    config = {"eco-dask.quorum.size": 1, "eco-dask.lease.patience": "2 minutes"}
    with network(n_providers=0, trusted_workers=0, config=config) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def lent(cluster: EcoCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lent]:
    lent = Lent(cluster, tmp_path_factory.mktemp("lent") / "provider")
    yield lent
    lent.process.terminate()
    lent.process.wait(20)


@pytest.fixture(scope="module")
def client(cluster: EcoCluster) -> Iterator[Client]:
    with Client(cluster.scheduler_address) as client:
        yield client


def busy(client: Client, wall_s: float):
    def work(wall_s: float) -> str:
        import time

        end_s = time.perf_counter() + wall_s
        while time.perf_counter() < end_s:
            pass
        return "done"

    return client.submit(work, wall_s, pure=False)


def stopped(pid: int) -> bool:
    below = psutil.Process(pid).children(recursive=True)
    return bool(below) and all(p.status() == psutil.STATUS_STOPPED for p in below)


def test_a_pause_stops_the_task_and_a_resume_finishes_it(lent: Lent, client: Client) -> None:
    future = busy(client, 3.0)
    until(lent.runs, "the task runs", 60)
    assert "Paused" in lent.say("pause").stdout
    until(lambda: stopped(lent.process.pid), "everything below the agent stands still", 5)
    seen = lent.state
    assert (seen["state"], seen["why"]) == ("paused", "you paused it")
    assert not future.done()
    assert "Resumed" in lent.say("resume").stdout
    assert future.result(60) == "done"


def test_a_listed_program_pauses_it_without_a_restart(lent: Lent, client: Client) -> None:
    program = psutil.Process().name()
    assert lent.say("config", "set", "presence.programs", program).returncode == 0
    until(lambda: lent.state["state"] == "paused", "it pauses", 20)
    assert f"{program} is running" in lent.say("status").stdout
    assert lent.say("config", "unset", "presence.programs").returncode == 0
    until(lambda: lent.state["state"] == "waiting", "it goes on", 20)


def test_a_day_s_transfer_that_is_used_up_pauses_it(lent: Lent, client: Client) -> None:
    assert lent.state["performance"]["up_bytes_today"] > 100
    assert lent.say("config", "set", "transfer.per-day", "100 B").returncode == 0
    until(lambda: lent.state["state"] == "paused", "it pauses", 20)
    assert [reason["code"] for reason in lent.state["reasons"]] == ["transfer"]
    assert lent.say("config", "unset", "transfer.per-day").returncode == 0
    until(lambda: lent.state["state"] == "waiting", "it goes on", 20)


def test_a_long_pause_gives_the_task_back(lent: Lent, client: Client) -> None:
    assert lent.say("config", "set", "presence.give-back-after", "0 s").returncode == 0
    future = busy(client, 2.0)
    until(lent.runs, "the task runs", 60)
    lent.say("pause")
    until(lambda: lent.state["tasks_held"] == 0, "it gave the task back", 20)
    lent.say("resume")
    # The same provider gets it again, as nobody else is there and nobody was blamed.
    assert future.result(60) == "done"
    lent.say("config", "unset", "presence.give-back-after")


def test_a_limit_changes_while_it_runs(lent: Lent, client: Client) -> None:
    def processes() -> int:
        import resource

        return resource.getrlimit(resource.RLIMIT_NPROC)[0]

    assert lent.say("config", "set", "sandbox.processes", "77").returncode == 0
    until(lambda: "77" in str(lent.state["sandbox"]["limits"]), "the limit is taken over", 20)
    limit = client.submit(processes, pure=False).result(60)
    assert limit == 77


def test_status_says_why_there_is_no_work(lent: Lent) -> None:
    until(lambda: "no recruiter has work" in lent.state["why"], "the gateway told why", 20)
    assert "points" in lent.say("status").stdout.lower()
    assert json.loads(lent.say("status", "--json").stdout)["state"] == "waiting"


def test_the_doctor_finds_the_gateway_and_names_what_is_missing(lent: Lent) -> None:
    well = lent.say("doctor", lent.link)
    assert "answers" in well.stdout
    assert "clock" in well.stdout
    nowhere = lent.link.replace(lent.link.split("/")[2], "127.0.0.1:9")
    ill = lent.say("doctor", nowhere)
    assert ill.returncode == 1
    assert "FAULT network" in ill.stdout
    assert "What to do" in ill.stdout


def test_finish_ends_it_once_everything_is_settled(lent: Lent, client: Client) -> None:
    future = busy(client, 1.0)
    until(lent.runs, "the task runs", 60)
    lent.say("finish")
    assert future.result(60) == "done"
    assert lent.process.wait(30) == 0
    assert lent.say("status").returncode == 1
    assert json.loads((lent.home / "diary.json").read_text())["days"]
