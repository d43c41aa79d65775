"""What hostile providers cost the honest ones, and the gateway's memory.

    200 providers, each with a result of 100 MB ──┐
    one that floods                             ──┼─► gateway: its memory
    2 honest providers ── tasks of 100 ms       ──┘   honest work: its time, with and without

All run on this machine, and share its cores with what they attack: tasks sleep instead of
computing, and the flood is compared within one run, in turns.

Figures
-------
honest_slowdown
    Time of honest tasks while one provider floods the gateway with messages that nobody waits
    for, over their time without, while 200 others are connected. Median over rounds.
slowdown_beside_transfers
    The same while the 200 send their results and one floods. The senders' own work shares the
    cores with the honest, so on few cores this is more than a gateway's doing.
gateway_rss_mb, gateway_grown_mb
    Most memory of the gateway's process while the results come in, in 10^6 bytes, and how much
    more that is than before.
results_mb
    What was sent meanwhile: memory that does not grow with it is bounded.
transfer_mb_per_s
    For orientation.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from chaos_network import Network, wait_for_providers
from common import finish, parse_options, say
from distributed import Client, Future, as_completed
from hostile_peers import SYSTEM
from hostile_value import make

import eco_dask
from eco_dask.ledger.database import open_database
from eco_dask.providers.detect import detect
from eco_dask.providers.link import JoinLink
from eco_dask.providers.registry import Registry

GOALS = {"honest_slowdown": "<= 1.10", "gateway_grown_mb": "<= 3000"}

HONEST = ("ann", "bob")
WAIT_S = 0.1
RESULT_BYTES = 100_000_000
PEERS = Path(__file__).with_name("hostile_peers.py")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    crowd: int
    honest_tasks: int
    rounds: int


FULL = Sizes(crowd=200, honest_tasks=40, rounds=7)
QUICK = Sizes(crowd=40, honest_tasks=16, rounds=3)


def wait(i: int) -> int:
    """Take 100 ms and no CPU."""
    time.sleep(WAIT_S)
    return i


# ---------------------------------------------------------------------- the hostile


class Peers:
    """A process full of hostile providers."""

    def __init__(self, kind: str, links: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PEERS), kind, str(RESULT_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stdin.write(" ".join(links) + "\n")
        self._stdin.flush()
        if self.process.stdout is None or self.process.stdout.readline().strip() != "joined":
            raise RuntimeError(f"the hostile {kind} was not let in")

    @property
    def _stdin(self) -> Any:
        return self.process.stdin

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def flooding(network: Network) -> Iterator[Peers]:
    """Flood as long as the block lasts."""
    peers = Peers("flood", links(network, "flooder", 1))
    try:
        yield peers
    finally:
        peers.close()


def links(network: Network, owner: str, count: int) -> list[str]:
    """Make join links, an owner for each but for one."""
    facts = network.facts() or {}
    database = open_database(network.database)
    registry = Registry(database)
    found = []
    for number in range(count):
        invite = registry.invite(f"{owner}-{number}", at_s=time.time())
        found.append(str(JoinLink(facts["provider_address"], invite, facts["fingerprint"])))
    database.dispose()
    return found


# ---------------------------------------------------------------------- measuring


@dataclass
class Memory:
    """The most memory that a process has had, looked at ten times a second."""

    process: psutil.Process
    most_bytes: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until told to stop."""
        while not self.over.wait(0.1):
            self.most_bytes = max(self.most_bytes, self.process.memory_info().rss)


def honest_s(client: Client, tasks: int) -> float:
    """Return the seconds that honest work takes."""
    started_s = time.perf_counter()
    with eco_dask.job("honest", quorum=2, require={detect().os}):
        results = client.gather(client.map(wait, range(tasks), pure=False))
    if results != list(range(tasks)):
        raise RuntimeError("honest work came out wrong; its time means nothing")
    return time.perf_counter() - started_s


def measure_flood(network: Network, client: Client, sizes: Sizes) -> float:
    """Compare honest work with and without a flood."""
    ratios = []
    for number in range(sizes.rounds + 1):
        calm_s = honest_s(client, sizes.honest_tasks)
        with flooding(network):
            flooded_s = honest_s(client, sizes.honest_tasks)
        say(f"honest work: {calm_s:.2f} s, beside a flood {flooded_s:.2f} s")
        if number:  # the first round warms up
            ratios.append(flooded_s / calm_s)
    return statistics.median(ratios)


def take(client: Client, futures: list[Future]) -> None:
    """Let go of results as they come."""
    count = len(futures)
    for came, future in enumerate(as_completed(futures, loop=client.loop), 1):
        if future.status != "finished":
            say(f"a result did not come: {future.exception()}")
        futures.remove(future)
        future.release()
        if came % 20 == 0:
            say(f"{came} of {count} results came")


def measure_transfers(network: Network, client: Client, sizes: Sizes) -> dict[str, float]:
    """Have all results sent, and look at memory and at honest work meanwhile."""
    (gateway,) = network.find("eco_dask.cli.gateway")
    before_bytes = gateway.memory_info().rss
    calm_s = honest_s(client, sizes.honest_tasks)
    memory = Memory(gateway)
    watching = threading.Thread(target=memory.watch)
    watching.start()
    try:
        with flooding(network):
            started_s = time.perf_counter()
            with eco_dask.job("large", quorum=1, require={SYSTEM}):
                futures = client.map(
                    make, [RESULT_BYTES] * sizes.crowd, range(sizes.crowd), pure=False
                )
            # A recruiter takes what comes: what it leaves lying fills the gateway, as in any Dask.
            taking = threading.Thread(target=take, args=(client, futures))
            taking.start()
            slowed_s = honest_s(client, sizes.honest_tasks)
            taking.join()
            elapsed_s = time.perf_counter() - started_s
    finally:
        memory.over.set()
        watching.join()
    sent_mb = sizes.crowd * RESULT_BYTES / 1e6
    return {
        "slowdown_beside_transfers": slowed_s / calm_s,
        "gateway_rss_mb": memory.most_bytes / 1e6,
        "gateway_grown_mb": (memory.most_bytes - before_bytes) / 1e6,
        "results_mb": sent_mb,
        "transfer_mb_per_s": sent_mb / elapsed_s,
    }


def main() -> None:
    """Measure and print the figures."""
    sizes = QUICK if parse_options(__doc__).quick else FULL
    with tempfile.TemporaryDirectory(prefix="eco-hostile-", ignore_cleanup_errors=True) as folder:
        network = Network(Path(folder), lines=False)
        crowd = None
        try:
            for owner in HONEST:
                network.add_worker(owner)
            wait_for_providers(network.address, len(HONEST))
            with Client(network.address, timeout="60s", set_as_default=False) as client:
                say(f"{sizes.crowd} providers come in")
                crowd = Peers("crowd", links(network, "crowd", sizes.crowd))
                figures = {"honest_slowdown": measure_flood(network, client, sizes)}
                figures |= measure_transfers(network, client, sizes)
        finally:
            if crowd is not None:
                crowd.close()
            network.close()
    finish("hostile", figures)


if __name__ == "__main__":
    main()
