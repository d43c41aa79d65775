"""The commands against a network that runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from distributed import Client

import eco_dask
from eco_dask.cli.facts import FACTS_FILE

pytestmark = pytest.mark.e2e


def test_commands_see_a_running_network_and_no_secret_shows_in_process_lists(
    run, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with (
        eco_dask.EcoCluster(2, dashboard_address=None, data_directory=home) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6

        listed = run("providers", "--json", "--data-directory", home)
        assert listed.exit_code == 0
        assert [p["connected"] for p in json.loads(listed.stdout)] == [True] * 3
        remote = run("providers", "--scheduler", cluster.scheduler_address, "--owner", "owner-0")
        assert "connected" in remote.stdout
        assert "owner-1" not in remote.stdout
        (job,) = json.loads(run("jobs", "--json", "--data-directory", home).stdout)
        assert (job["progress"]["done"], job["progress"]["tasks"]) == (1, 1)

        link = run("invite", "--owner", "ada", "--data-directory", home).stdout
        assert link.startswith(f"eco-dask://{cluster.provider_address.removeprefix('ws://')}/")
        commands = [p.cmdline() for p in psutil.Process().children(recursive=True)]
        # Networks of other tests may run as well.
        workers = [c for c in commands if "eco_dask.cli.worker" in c]
        assert sum(any(str(home) in word for word in command) for command in workers) == 3
        assert not [c for c in commands if any("eco-dask://" in word for word in c)]
        assert (home / FACTS_FILE).exists()
    assert not (home / FACTS_FILE).exists()


def test_the_group_is_a_command_of_dask() -> None:
    command = [str(Path(sys.executable).with_name("dask")), "eco", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for name in ("scheduler", "gateway", "worker", "invite", "providers", "jobs", "balance"):
        assert f"\n  {name} " in shown
