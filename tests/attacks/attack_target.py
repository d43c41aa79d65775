"""What is attacked: a coordinator, two honest providers, and its operator's view of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from attack_tasks import doubled
from attacker import ONLY_ATTACKERS, PATIENCE_S, Attacker
from distributed import Client

import eco_dask
from eco_dask import EcoCluster
from eco_dask.ledger.store import Ledger
from eco_dask.providers.detect import detect
from eco_dask.providers.registry import Registry

#: The file that every smuggled program would create, in whichever process it ran.
CANARY = "ECO_DASK_CANARY"


@dataclass
class Target:
    """A coordinator, two honest providers, and its operator's view."""

    cluster: EcoCluster
    client: Client
    ledger: Ledger
    registry: Registry
    canary: Path
    #: Tasks that attackers were given.
    futures: list[Any] = field(default_factory=list)

    @property
    def address(self) -> str:
        """What providers dial."""
        return self.cluster.provider_address

    @property
    def log(self) -> str:
        """What the gateway wrote for its operator."""
        path = self.cluster.data_directory / "logs" / "gateway.log"
        return path.read_text(encoding="utf-8", errors="replace")

    def invite(self, owner: str = "mallory", uses_max: int = 1) -> str:
        """Return an invite alone, ID.SECRET."""
        return self.cluster.invite(owner, uses_max=uses_max).rpartition("/")[2]

    def attacker(self, owner: str = "mallory", **proof: Any) -> Attacker:
        """Return an attacker that has joined."""
        attacker = Attacker(self.address)
        attacker.join(self.invite(owner), **proof)
        return attacker

    def strikes(self, attacker: Attacker) -> list[str]:
        """Reasons of an attacker's strikes."""
        return [strike.reason for strike in self.registry.strikes(attacker.identity.provider_id)]

    def struck(self, attacker: Attacker, reason: str, times: int = 1) -> bool:
        """Wait until an attacker was struck for a reason: the books are written in a thread."""
        until(lambda: self.strikes(attacker).count(reason) >= times, f"struck for {reason}")
        return True

    def recorded(self, reason: str) -> int:
        """How often strangers did something, as the operator can look up."""
        found = self.registry.incidents.latest(1000)
        return sum(each.count for each in found if each.reason == reason)

    @contextmanager
    def record(self, reason: str) -> Iterator[None]:
        """Expect that what happens meanwhile is recorded as done by a stranger."""
        before = self.recorded(reason)
        yield
        until(lambda: self.recorded(reason) > before, f"an incident {reason}")

    def paid_mpt(self, owner: str) -> int:
        """Points posted to an owner."""
        return sum(r.amount_mpt for r in self.ledger.receipts(owner=owner, limit=10_000))

    def submit(self, function: Callable[..., Any], *args: Any, **terms: Any) -> Any:
        """Submit a task that only attackers are given."""
        with eco_dask.job(require={ONLY_ATTACKERS}, **terms):
            future = self.client.submit(function, *args, pure=False)
        self.futures.append(future)
        return future

    def gateway(self) -> psutil.Process:
        """The gateway's process."""
        home = str(self.cluster.data_directory)
        (found,) = [
            p
            for p in psutil.Process().children(recursive=True)
            if {"eco_dask.cli.gateway", home} <= {*p.cmdline()}
        ]
        return found


def until(fact: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait until ``fact()`` is true."""
    deadline_s = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)


def works(network: Target) -> bool:
    """Whether honest work gets done and comes out right."""
    with eco_dask.job(require={detect().os}):
        futures = network.client.map(doubled, range(4), pure=False)
    return network.client.gather(futures) == [0, 2, 4, 6]
