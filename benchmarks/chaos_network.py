"""A network of real processes that may be killed, stopped and cut off, one by one.

Coordinator (fixed ports) ◄── veth or loopback ── Worker, each in a network of its own
every process ever seen ──► orphans(): those that should be gone and are not
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from common import say
from distributed import Client

from eco_dask.ledger.database import open_database
from eco_dask.providers.link import JoinLink
from eco_dask.providers.registry import Registry

#: Seconds in which a coordinator must be up, on a busy machine.
START_S = 120.0
STOP_S = 30.0
#: Longest that all providers may take to come, or to come back.
JOIN_S = 240.0
SETTINGS = {
    # The tasks' functions are found where this file is.
    "PYTHONPATH": os.pathsep.join(
        filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
    ),
    "DASK_ECO_DASK__GATEWAY__BENCHMARK_STEPS": "0",
    "DASK_ECO_DASK__GATEWAY__GRACE": "5 s",
    "DASK_ECO_DASK__WORKER__RECONNECT_MAX": "2 s",
    "DASK_ECO_DASK__LEASE__DEADLINE_FIRST": "10 s",
    "DASK_ECO_DASK__LEASE__DEADLINE_MIN": "5 s",
    "DASK_ECO_DASK__LEASE__LATE_GRACE": "5 s",
    # Thirty machines of one address, some of which come again all the time.
    "DASK_ECO_DASK__GATEWAY__GUARD__KNOCKS_BURST": "100000",
    # These machines are one, and run our own tasks.
    "DASK_ECO_DASK__WORKER__SANDBOX__PROFILE": "none",
    "DASK_ECO_DASK__WORKER__SANDBOX__TRUST_RECRUITERS": "true",
}


class Started:
    """A process that ends with its standard input, and the log that it writes."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self._command, self._log, self._environment = command, log, environment
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | SETTINGS | self._environment,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def close(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGCONT)
        if self.process.stdin is not None:
            self.process.stdin.close()

    def wait(self) -> bool:
        """Wait for its end; say whether it came by itself."""
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True


@dataclass
class Worker:
    """One provider."""

    started: Started
    #: Name of its network and of the near end of its line; empty where there is none to cut.
    line: str = ""


@dataclass
class Network:
    """A coordinator and providers, in a folder of their own."""

    folder: Path
    #: Whether each provider gets a line that can be cut, where that is allowed.
    lines: bool = True
    workers: list[Worker] = field(default_factory=list)
    #: Every process below this one so far, by id and time of its start.
    seen: set[tuple[int, float]] = field(default_factory=set)
    unwilling: int = 0

    def __post_init__(self) -> None:
        self.port, self.provider_port = _free_port(), _free_port()
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.cuttable = self.lines and _may_cut()
        host = "0.0.0.0" if self.cuttable else "127.0.0.1"
        command = [
            *_module("eco_dask.cli.scheduler"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"),
            *("--provider-host", host, "--provider-port", str(self.provider_port)),
            *("--data-directory", str(self.home), "--quiet", "--die-with-parent"),
            *("--scheduler-file", str(self._facts_path)),
        ]
        self.coordinator = Started(command, self.folder / "coordinator.log", {})
        self.wait_for_coordinator()

    @property
    def _facts_path(self) -> Path:
        return self.home / "facts.json"

    @property
    def database(self) -> str:
        """URL of the books."""
        return f"sqlite:///{self.home / 'coordinator.sqlite'}"

    @property
    def address(self) -> str:
        """What recruiters dial."""
        return f"tcp://127.0.0.1:{self.port}"

    def facts(self) -> dict[str, Any] | None:
        """Return what the present coordinator says of itself, None before it does."""
        with contextlib.suppress(OSError, json.JSONDecodeError):
            found = json.loads(self._facts_path.read_text(encoding="utf-8"))
            if found["pid"] == self.coordinator.process.pid:
                return dict(found)
        return None

    def wait_for_coordinator(self) -> None:
        """Wait until it is up."""
        ends_s = time.monotonic() + START_S
        while self.facts() is None:
            if not self.coordinator.running or time.monotonic() > ends_s:
                log = (self.folder / "coordinator.log").read_text(errors="replace")
                raise RuntimeError(f"the coordinator did not start:\n{log[-2000:]}")
            time.sleep(0.1)

    def add_worker(self, owner: str, behaviour: str = "") -> Worker:
        """Start a provider, one that misbehaves if told so."""
        number = len(self.workers)
        line = f"eco{os.getpid() % 10_000}-{number}" if self.cuttable else ""
        host = _make_line(line, number) if line else "127.0.0.1"
        facts = self.facts() or {}
        database = open_database(self.database)
        invite = Registry(database).invite(owner, at_s=time.time())
        database.dispose()
        scheme = "wss" if facts["fingerprint"] else "ws"
        link = JoinLink(f"{scheme}://{host}:{self.provider_port}", invite, facts["fingerprint"])
        inside = ["ip", "netns", "exec", line] if line else []
        module = "eco_dask.testing.provider" if behaviour else "eco_dask.cli.worker"
        command = [
            *inside,
            *_module(module),
            *("--local-directory", str(self.folder / f"provider-{number}")),
            *("--nthreads", "1", "--die-with-parent"),
            *(("--behaviour", behaviour, "--seed", str(number)) if behaviour else ()),
        ]
        log = self.folder / f"provider-{number}.log"
        worker = Worker(Started(command, log, {"ECO_DASK_JOIN_LINK": str(link)}), line)
        self.workers.append(worker)
        return worker

    # ------------------------------------------------------------------ processes

    def look(self) -> None:
        """Remember the processes that there are now."""
        for process in self.below():
            with contextlib.suppress(psutil.NoSuchProcess):
                self.seen.add((process.pid, process.create_time()))

    def below(self) -> Iterator[psutil.Process]:
        """Yield this network's processes, and none of others that this process started."""
        for started in (self.coordinator, *(worker.started for worker in self.workers)):
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(started.process.pid)
                yield from (top, *top.children(recursive=True))

    def find(self, module: str) -> list[psutil.Process]:
        """Return the processes that run a module."""
        found = []
        for process in self.below():
            with contextlib.suppress(psutil.Error):
                if module in process.cmdline():
                    found.append(process)
        return found

    def close(self) -> None:
        """Let everything end by itself."""
        for worker in self.workers:
            self.mend(worker)
            worker.started.close()
        # Providers first, as an operator would wish for.
        self.unwilling += sum(not worker.started.wait() for worker in self.workers)
        self.coordinator.close()
        self.unwilling += not self.coordinator.wait()
        for worker in self.workers:
            if worker.line:
                _run("ip", "netns", "del", worker.line)

    def orphans(self) -> list[str]:
        """Return what is left of the processes ever seen, some seconds after the end; end them."""
        ends_s = time.monotonic() + 10
        while (left := [*self._left()]) and time.monotonic() < ends_s:
            time.sleep(0.2)
        told = []
        for process in left:
            with contextlib.suppress(psutil.Error):
                told.append(f"{process.pid}: {' '.join(process.cmdline())[:200]}")
                process.kill()
        return told

    def _left(self) -> Iterator[psutil.Process]:
        for pid, created_s in self.seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                same = process.create_time() == created_s
                if same and process.status() != psutil.STATUS_ZOMBIE:
                    yield process

    # ------------------------------------------------------------------ lines

    def cut(self, worker: Worker) -> None:
        """Cut a provider's line: packets vanish, and nobody is told."""
        _run("ip", "link", "set", worker.line, "down")

    def mend(self, worker: Worker) -> None:
        """Mend a provider's line."""
        if worker.line:
            _run("ip", "link", "set", worker.line, "up")


def wait_for_providers(address: str, count: int) -> None:
    """Wait until a coordinator has that many providers, trusted workers aside.

    Raises
    ------
    RuntimeError
        If they do not come.
    """
    ends_s, told = time.monotonic() + JOIN_S, -1
    with Client(address, timeout="60s", set_as_default=False) as client:
        while True:
            providers = client.sync(client.scheduler.eco_network)["providers"]
            found = sum(p["connected"] for p in providers if p["role"] == "provider")
            if found >= count:
                return
            if found != told:
                say(f"{found} of {count} providers are connected")
            if time.monotonic() > ends_s:
                raise RuntimeError(f"only {found} of {count} providers are connected")
            told = found
            time.sleep(0.5)


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _may_cut() -> bool:
    """Whether this process may make networks of its own."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return False
    name = f"eco{os.getpid() % 10_000}-may"
    allowed = _run("ip", "netns", "add", name) and _run(
        *("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    )
    _run("ip", "netns", "del", name)
    return allowed


def _make_line(name: str, number: int) -> str:
    """Make a network of one machine and a line to it; return the address of the near end."""
    place = f"10.{100 + os.getpid() % 100}.{number}"
    near, far = f"{place}.1", f"{place}.2"
    inside = ("ip", "netns", "exec", name)
    for command in (
        ("ip", "netns", "add", name),
        ("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name),
        ("ip", "addr", "add", f"{near}/30", "dev", name),
        ("ip", "link", "set", name, "up"),
        (*inside, "ip", "link", "set", "lo", "up"),
        (*inside, "ip", "addr", "add", f"{far}/30", "dev", "eth0"),
        (*inside, "ip", "link", "set", "eth0", "up"),
    ):
        subprocess.run(command, check=True, capture_output=True)
    return near
