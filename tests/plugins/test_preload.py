"""``--preload eco_dask.preload`` on Dask's own commands, and the plugins sent by a client."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from eco_dask.ledger.database import open_database
from eco_dask.plugins import EcoGatewayPlugin, EcoSchedulerPlugin
from eco_dask.providers.link import JoinLink
from eco_dask.providers.registry import Registry

pytestmark = pytest.mark.e2e
DEADLINE_S = 60.0


@contextmanager
def running(*command: str, log: Path, **environment: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=os.environ | environment,
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def until(found, what: str):
    end_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < end_s:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {DEADLINE_S:g} s")


def first_gateway(client: Client) -> dict | None:
    gateways = client.sync(client.scheduler.eco_network)["gateways"]
    return dict(gateways[0]) if gateways else None


def join_link(folder: Path, gateway: dict) -> str:
    registry = Registry(open_database(f"sqlite:///{folder / 'coordinator.sqlite'}"))
    invite = registry.invite("ann", uses_max=1, expires_at_s=None, at_s=time.time())
    return str(JoinLink(gateway["address"], invite, gateway["fingerprint"]))


def settings(folder: Path) -> dict[str, str]:
    return {
        "DASK_ECO_DASK__DATA_DIRECTORY": str(folder),
        "DASK_ECO_DASK__GATEWAY__PORT": "0",
        "DASK_ECO_DASK__GATEWAY__BENCHMARK_STEPS": "0",
        "DASK_ECO_DASK__QUORUM__SIZE": "1",
    }


def test_dasks_own_commands_make_a_network_with_the_preload(tmp_path: Path) -> None:
    given = settings(tmp_path) | {
        "DASK_DISTRIBUTED__SCHEDULER__PRELOAD": "['eco_dask.preload']",
        "DASK_DISTRIBUTED__WORKER__PRELOAD": "['eco_dask.preload']",
    }
    facts = tmp_path / "scheduler.json"
    own = ("--scheduler-file", str(facts), "--no-dashboard")
    scheduler = ("dask", "scheduler", "--port", "0", *own)
    worker = ("dask", "worker", *own, "--no-nanny", "--name", "gateway-1")
    with (
        running(*scheduler, log=tmp_path / "scheduler.log", **given),
        running(*worker, log=tmp_path / "worker.log", **given),
    ):
        until(lambda: facts.exists() or None, "the scheduler's file")
        with Client(scheduler_file=str(facts)) as client:
            gateway = until(lambda: first_gateway(client), "the gateway's word")
            link = given | {"ECO_DASK_JOIN_LINK": join_link(tmp_path, gateway)}
            home = ("--local-directory", str(tmp_path / "provider"), "--nthreads", "1")
            with running("eco_dask.cli.worker", *home, log=tmp_path / "provider.log", **link):
                assert client.submit(pow, 3, 4).result(timeout=DEADLINE_S) == 81
            (job,) = client.sync(client.scheduler.eco_jobs)
            assert job["totals"]["ballots_accepted"] == 1


def test_a_preload_that_fails_ends_the_process_instead_of_leaving_it_open(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    ended = subprocess.run(
        [sys.executable, "-m", "dask", "scheduler", "--port", "0", "--no-dashboard"],
        env=os.environ
        | settings(blocked)
        | {"DASK_DISTRIBUTED__SCHEDULER__PRELOAD": "['eco_dask.preload']"},
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ended.returncode != 0
    assert b"eco_dask could not be installed" in ended.stderr


def test_a_client_can_send_the_plugins(tmp_path: Path) -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        folder = str(tmp_path)
        client.register_plugin(EcoSchedulerPlugin(data_directory=folder))
        client.register_plugin(EcoGatewayPlugin("sent", port=0, data_directory=folder))
        gateway = until(lambda: first_gateway(client), "the gateway's word")
        assert gateway["name"] == "sent"
