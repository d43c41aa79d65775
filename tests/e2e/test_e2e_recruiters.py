"""Recruiters over TLS: enrolled once by a link, told apart from the operator, and revocable."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from click.testing import CliRunner
from distributed import Client, Worker
from distributed.comm import CommClosedError
from distributed.core import rpc
from distributed.security import Security
from e2e_network import until

import eco_dask
from eco_dask.cli.main import eco
from eco_dask.connecting import security_of
from eco_dask.errors import RegistrationError
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tokens import TokenStore
from eco_dask.recruiters.enrolment import credentials
from eco_dask.recruiters.link import RecruiterLink

CONFIG = {"DASK_ECO_DASK__GATEWAY__BENCHMARK_STEPS": "0"}


def eco_dask_command(*arguments: object) -> Any:
    result = CliRunner().invoke(eco, [str(word) for word in arguments])
    assert result.exit_code == 0, result.output
    return result


class Coordinator:
    """A coordinator as an operator starts it, with TLS for recruiters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"

    def start(self) -> None:
        command = [
            sys.executable, "-m", "eco_dask.cli.scheduler", "--port", "0", "--provider-port", "0",
            "--no-dashboard", "--recruiters", "tls", "--data-directory", str(self.folder),
            "--trusted-workers", "1",
        ]  # fmt: skip
        self.folder.mkdir(exist_ok=True)
        output = self.log.open("a")
        self.process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | CONFIG
        )
        until(lambda: (self.folder / "coordinator.json").exists(), "it runs", 60)

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "coordinator.json").read_text())
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def link(self, name: str, *options: str) -> RecruiterLink:
        said = eco_dask_command(
            "invite", "--recruiter", name, "--data-directory", self.folder, *options
        )
        return RecruiterLink.parse(said.stdout)


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    found = Coordinator(tmp_path_factory.mktemp("circle") / "data")
    found.start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recruiter's own data directory."""
    monkeypatch.setitem(dask.config.config["eco-dask"], "data-directory", str(tmp_path / "mine"))
    return tmp_path / "mine"


def test_a_link_becomes_a_client_and_works_again_where_it_was_used(
    coordinator: Coordinator, home: Path
) -> None:
    link = str(coordinator.link("rita"))
    assert re.fullmatch(r"eco-dask-recruiter://[\w.:-]+/[a-z2-7]+\.[a-z2-7]+(\.[a-z2-7]+)?", link)
    for _ in range(2):
        with eco_dask.connect(link) as client, eco_dask.job(trusted=True):
            assert client.scheduler.address.startswith("tls://")
            assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6
    kept = list((home / "recruiter").iterdir())
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]


def test_a_stolen_link_is_worth_nothing_once_it_was_used(
    coordinator: Coordinator, home: Path, tmp_path: Path
) -> None:
    link = coordinator.link("rosa")
    credentials(link)
    with pytest.raises(RegistrationError, match="used already"):
        credentials(link, tmp_path / "thief")


def test_a_link_in_a_file_or_in_the_environment_works_as_well(
    coordinator: Coordinator, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "link"
    path.write_text(f"{coordinator.link('rolf')}\n")
    with eco_dask.connect(path) as client:
        assert client.status == "running"
    monkeypatch.setenv("ECO_DASK_RECRUITER_LINK", path.read_text())
    with eco_dask.connect() as client:
        assert client.status == "running"


def test_without_a_certificate_nobody_gets_a_word_in(coordinator: Coordinator) -> None:
    address = coordinator.facts["address"]
    temporary = Security.temporary()
    for stranger in (temporary, None):
        given = address if stranger else address.replace("tls://", "tcp://")
        with pytest.raises(OSError):
            Client(given, security=stranger, timeout=3)


@pytest.fixture
def recruiter(coordinator: Coordinator, home: Path) -> Any:
    return credentials(coordinator.link("ruth"))


OPERATORS = {
    "run a function in the scheduler": lambda client: client.run_on_scheduler(os.getpid),
    "run a function in the gateway": lambda client: client.run(os.getpid),
    "restart workers": lambda client: client.retire_workers(
        list(client.scheduler_info()["workers"])
    ),
}


@pytest.mark.parametrize("act", OPERATORS.values(), ids=OPERATORS)
def test_a_recruiters_certificate_is_no_operators(recruiter: Any, act: Any) -> None:
    with (
        Client(recruiter.scheduler, security=security_of(recruiter)) as client,
        pytest.raises(PermissionError, match="operator"),
    ):
        act(client)


def test_a_recruiters_certificate_makes_nobody_a_worker(recruiter: Any, tmp_path: Path) -> None:
    security = Security(
        require_encryption=True,
        tls_ca_file=recruiter.ca,
        **{
            f"tls_{role}_{part}": getattr(recruiter, name)
            for role in ("worker", "client")
            for part, name in (("cert", "certificate"), ("key", "key"))
        },
    )

    async def try_to_join() -> None:
        worker = Worker(recruiter.scheduler, security=security, local_directory=str(tmp_path))
        try:
            with pytest.raises((PermissionError, OSError, RuntimeError, TimeoutError)):
                await asyncio.wait_for(worker, 10)
        finally:
            await worker.close()

    asyncio.run(try_to_join())
    with Client(recruiter.scheduler, security=security_of(recruiter)) as client:
        assert len(client.scheduler_info()["workers"]) == 1


def test_a_recruiters_certificate_opens_no_gateway(recruiter: Any) -> None:
    with Client(recruiter.scheduler, security=security_of(recruiter)) as client:
        (gateway,) = client.scheduler_info()["workers"]

    async def ask() -> None:
        arguments = security_of(recruiter).get_connection_args("client")  # type: ignore[union-attr]
        remote = rpc(gateway, timeout=3, connection_args=arguments)
        try:
            with pytest.raises((OSError, CommClosedError)):
                await asyncio.wait_for(remote.identity(), 10)
        finally:
            await remote.close_rpc()

    asyncio.run(ask())


def test_a_revoked_recruiter_is_out_while_connected_and_afterwards(
    coordinator: Coordinator, home: Path
) -> None:
    found = credentials(coordinator.link("ralf"))
    database = open_database(coordinator.facts["database"])
    tokens = TokenStore(database)
    assert str(tokens.scope_of(found.token, time.time())) == "recruiter:ralf"
    with Client(found.scheduler, security=security_of(found), timeout=5) as client:
        said = eco_dask_command(
            "recruiters", "revoke", "ralf", "--reason", "left", "--data-directory",
            coordinator.folder,
        )  # fmt: skip
        assert "1 certificates and links, 1 tokens" in said.output
        until(lambda: client.status != "running", "the client is cut off", 30)
    assert tokens.scope_of(found.token, time.time()) is None
    database.dispose()
    with pytest.raises(OSError):
        Client(found.scheduler, security=security_of(found), timeout=4)
    shown = eco_dask_command("recruiters", "--data-directory", coordinator.folder).output
    assert "revoked" in shown


def test_the_operators_own_commands_speak_tls_too(coordinator: Coordinator) -> None:
    said = eco_dask_command("providers", "--json", "--data-directory", coordinator.folder)
    assert [row["connected"] for row in json.loads(said.stdout)] == [True]


def test_no_listener_beyond_loopback_speaks_plain_text(coordinator: Coordinator) -> None:
    family = [coordinator.process.pid]
    family += [p.pid for p in psutil.Process(coordinator.process.pid).children(recursive=True)]
    listening = {
        (c.laddr.ip, c.laddr.port)
        for pid in family
        for c in psutil.Process(pid).net_connections()
        if c.status == psutil.CONN_LISTEN
    }
    assert listening
    assert {ip for ip, _ in listening} == {"127.0.0.1"}


def test_nothing_secret_is_in_the_logs_or_in_process_lists(
    coordinator: Coordinator, home: Path
) -> None:
    link = coordinator.link("rhea")
    found = credentials(link)
    secret = link.target.invite.partition(".")[2]
    lists = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lists.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    books = b"".join(path.read_bytes() for path in coordinator.folder.glob("*.sqlite*"))
    for word in (secret, found.token.partition(".")[2], found.key.splitlines()[1]):
        assert word not in coordinator.log.read_text()
        assert word not in "\n".join(lists)
        assert word.encode() not in books


def test_plain_text_beyond_loopback_is_refused_unless_it_was_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eco_dask.cli.gateway", "tcp://192.0.2.9:8786"]
    command += ["--data-directory", str(tmp_path)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode != 0
    assert "plain text beyond this machine" in said.stderr
