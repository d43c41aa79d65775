"""A disk that is full, or that may not be written: a clear error, and nothing broken."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from e2e_network import network, until

from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.testing import honest

MIB = 1 << 20
TASKS = 100


class Disk:
    """A file system of its own, which can be filled and be made read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.filler = path / "filler"

    def mount(self, *options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.path)],
            check=True,
            capture_output=True,
        )

    def fill(self) -> None:
        descriptor = os.open(self.filler, os.O_CREAT | os.O_WRONLY)
        try:
            while True:
                os.write(descriptor, bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017  it is what ends the loop
        finally:
            os.close(descriptor)

    def free(self) -> None:
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(tmp_path / "disk")
    found.path.mkdir()
    try:
        found.mount(f"size={64 * MIB}")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system of one's own needs Linux and the right to mount")
    yield found
    subprocess.run(["umount", "-l", str(found.path)], check=True)


def double(i):
    return 2 * i


def starts(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command that cannot start, and return what it said."""
    said = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.returncode != 0
    assert "Traceback" not in said.stdout + said.stderr
    return said


def books(cluster: EcoCluster) -> Path:
    return cluster.data_directory / "coordinator.sqlite"


def test_results_wait_while_the_books_cannot_be_written_and_nothing_is_lost(disk: Disk) -> None:
    with (
        network(providers=honest("ann", "bob"), data_directory=disk.path / "data") as cluster,
        Client(cluster) as client,
    ):
        assert client.gather(client.map(double, range(4), pure=False)) == [0, 2, 4, 6]
        log = cluster.data_directory / "logs" / "gateway.log"
        disk.fill()
        futures = client.map(double, range(TASKS), pure=False)
        # The log itself may not fit any more, so what is asked is whether the books stand still.
        before = books(cluster).stat().st_size
        until(lambda: cluster.providers, "the scheduler still answers")
        assert not [f for f in futures if f.status == "finished"]
        assert books(cluster).stat().st_size == before
        disk.free()
        assert client.gather(futures) == [2 * i for i in range(TASKS)]
        assert "Traceback" not in log.read_text()
        database = open_database(f"sqlite:///{books(cluster)}")
        receipts = Ledger(database).receipts(limit=10_000)
        database.dispose()
        assert len({r.lease for r in receipts}) == len(receipts)
        paid = [r for r in receipts if r.amount_mpt]
        assert len(paid) >= 2 * TASKS
        with sqlite3.connect(books(cluster)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


SCHEDULER = (
    "eco_dask.cli.scheduler", "--port", "0", "--provider-port", "0", "--no-dashboard",
    "--data-directory",
)  # fmt: skip


def test_on_a_full_disk_a_coordinator_says_so_and_does_not_start(disk: Disk) -> None:
    disk.fill()
    assert "disk is full" in starts(*SCHEDULER, disk.path / "data").stderr
    disk.free()


@pytest.mark.parametrize("options", [(), ("--recruiters", "tls")], ids=["plain", "tls"])
def test_a_read_only_folder_stops_a_coordinator_and_stays_as_it_was(
    disk: Disk, options: tuple[str, ...]
) -> None:
    folder = disk.path / "data"
    database = open_database(f"sqlite:///{folder / 'coordinator.sqlite'}")
    Registry(database).invite("ann", at_s=1.0)
    database.dispose()
    kept = (folder / "coordinator.sqlite").read_bytes()
    disk_is_read_only(disk)
    assert "Read-only file system" in starts(*SCHEDULER, folder, *options).stderr
    assert (folder / "coordinator.sqlite").read_bytes() == kept


def test_a_provider_without_a_place_for_its_key_says_so(disk: Disk) -> None:
    link = "eco-dask://127.0.0.1:9/abcdef.ssssssssssssssssssss"
    worker = ("eco_dask.cli.worker", link, "--local-directory", disk.path / "home")
    disk.fill()
    assert "No space left" in starts(*worker).stderr
    disk.free()
    (disk.path / "home").mkdir(exist_ok=True)
    disk_is_read_only(disk)
    assert "Read-only file system" in starts(*worker).stderr


def disk_is_read_only(disk: Disk) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk.path)], check=True)
