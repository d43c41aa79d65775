"""Work that goes on while everything is killed, stopped and cut off, and books that balance after.

    30 providers, 3 of them liars ──┐
    a coordinator                 ──┼─ chance: kill -9, SIGSTOP, a cut line, a restart
    a recruiter ── verified tasks ──┘          ──► afterwards: books, results, processes

Lines are cut in network namespaces of their own, where this process may make them (root on
Linux); elsewhere nothing is cut, and the output says so. What a recruiter loses with a scheduler
that was killed it asks for again, as Dask's users do.

Figures
-------
books_off_mpt
    Millipoints by which the books do not balance: balances against entries, entries against
    receipts, the sum of all accounts, and what is still on hold after a gateway's next start.
wrong_results, paid_twice, orphans
    Results that are wrong, answers that were paid more than once, processes that outlived their
    network.
paid_mpt
    Millipoints that providers earned meanwhile.
tasks_done, tasks_lost
    Results that reached the recruiter, and those that went down with a killed scheduler.
kills, stops, cuts, restarts
    What was done to it. Restarts are of gateways and coordinators, and count as kills, too.
"""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from chaos_books import check_books, settle
from chaos_network import Network, Worker, wait_for_providers
from common import finish, parse_options, say
from distributed import Client

import eco_dask

GOALS = {
    "books_off_mpt": "<= 0",
    "wrong_results": "<= 0",
    "paid_twice": "<= 0",
    "orphans": "<= 0",
    "tasks_done": ">= 1",
    "kills": ">= 1",
    "paid_mpt": ">= 1",
}

SEED = 1
NO_CUTS = "no line is cut: that takes root on Linux, and the command ip"
BATCH = 40
#: Longest that a batch may take: afterwards it is asked for again.
BATCH_S = 120.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    providers: int
    liars: int
    #: Seconds of chaos.
    chaos_s: float
    #: Mean pause between two blows.
    pause_s: float
    gateway_every_s: float
    coordinator_every_s: float


FULL = Sizes(30, 3, 600.0, 2.0, 45.0, 150.0)
QUICK = Sizes(6, 1, 40.0, 1.0, 12.0, 25.0)


def work(i: int) -> int:
    """Take a little time, and have one right answer."""
    time.sleep(0.02)
    return i * i + 7


# ---------------------------------------------------------------------- chaos


@dataclass
class Chaos:
    """Strikes a network at random until it is told to stop, and leaves it whole."""

    network: Network
    sizes: Sizes
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)
    #: (when, what) that is to be undone.
    _undo: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _struck: set[int] = field(default_factory=set)

    def run(self) -> None:
        """Strike until :attr:`over` is set."""
        started_s = time.monotonic()
        gateway_s = started_s + self.sizes.gateway_every_s
        coordinator_s = started_s + self.sizes.coordinator_every_s
        while not self.over.wait(self.dice.expovariate(1 / self.sizes.pause_s)):
            self.network.look()
            now_s = time.monotonic()
            self._mend(now_s)
            if now_s > coordinator_s:
                coordinator_s = now_s + self.sizes.coordinator_every_s
                self._kill_coordinator()
            elif now_s > gateway_s:
                gateway_s = now_s + self.sizes.gateway_every_s
                self._kill_one("eco_dask.cli.gateway", "restarts")
            else:
                self._strike(now_s)
        self._mend(float("inf"))

    def _mend(self, now_s: float) -> None:
        due = [each for each in self._undo if each[0] <= now_s]
        self._undo = [each for each in self._undo if each[0] > now_s]
        for _, undo in due:
            undo()

    def _strike(self, now_s: float) -> None:
        well = [n for n in range(len(self.network.workers)) if n not in self._struck]
        # Some must be left to do the work.
        if len(well) <= len(self.network.workers) // 3:
            return
        number = self.dice.choice(well)
        worker = self.network.workers[number]
        blows = {"kill": 4, "stop": 3, "runner": 2} | ({"cut": 3} if worker.line else {})
        blow = self.dice.choices(list(blows), list(blows.values()))[0]
        if blow == "runner":
            self._kill_one("eco_dask.agent.runner", "kills")
            return
        self._struck.add(number)
        undo = self._hit(worker, blow)

        def well_again() -> None:
            undo()
            self._struck.discard(number)

        self._undo.append((now_s + self.dice.uniform(1.0, 12.0), well_again))

    def _hit(self, worker: Worker, blow: str) -> Callable[[], None]:
        started = worker.started
        if blow == "kill":
            self.done["kills"] += 1
            started.signal(signal.SIGKILL)
            started.process.wait()
            return started.start
        if blow == "stop":
            self.done["stops"] += 1
            started.signal(signal.SIGSTOP)
            return lambda: started.signal(signal.SIGCONT)
        self.done["cuts"] += 1
        self.network.cut(worker)
        return lambda: self.network.mend(worker)

    def _kill_one(self, module: str, what: str) -> None:
        found = self.network.find(module)
        if found:
            self.done.update({what, "kills"})
            with contextlib.suppress(psutil.NoSuchProcess):
                self.dice.choice(found).kill()

    def _kill_coordinator(self) -> None:
        self.done.update({"restarts", "kills"})
        coordinator = self.network.coordinator
        coordinator.signal(signal.SIGKILL)
        coordinator.process.wait()
        coordinator.start()
        self.network.wait_for_coordinator()


# ---------------------------------------------------------------------- work


@dataclass
class Recruiter:
    """Asks for batch after batch, whatever happens, and looks at every result."""

    address: str
    done: int = 0
    wrong: int = 0
    lost: int = 0

    def run(self, ends_s: float) -> None:
        """Work until the time is over, and one whole batch more."""
        first = 0
        while time.monotonic() < ends_s:
            first += BATCH
            self._try_batch(first)
            left_s = max(ends_s - time.monotonic(), 0)
            say(f"{self.done} tasks done, {self.lost} lost, {left_s:.0f} s left")

    def last_batch(self, attempts: int = 5) -> bool:
        """Say whether the network works, now that it is left in peace."""
        return any(self._try_batch(-BATCH * n) for n in range(1, attempts + 1))

    def _try_batch(self, first: int) -> bool:
        """Compute a batch; what is lost with a scheduler is lost."""
        try:
            with Client(self.address, timeout="20s", set_as_default=False) as client:
                return self._batch(client, first)
        except (OSError, TimeoutError, RuntimeError, eco_dask.errors.EcoDaskError) as error:
            say(f"a batch was lost: {type(error).__name__}: {str(error)[:100]}")
        except Exception as error:  # noqa: BLE001  Dask has many words for a lost scheduler
            say(f"a batch was lost: {error!r:.100}")
        self.lost += BATCH
        time.sleep(1)
        return False

    def _batch(self, client: Client, first: int) -> bool:
        numbers = range(first, first + BATCH)
        with eco_dask.job("chaos", quorum=2):
            futures = client.map(work, numbers, pure=False)
        ends_s = time.monotonic() + BATCH_S
        while not all(future.done() for future in futures):
            if client.status != "running" or time.monotonic() > ends_s:
                raise TimeoutError(f"client {client.status}, batch not done")
            time.sleep(0.05)
        for number, result in zip(numbers, client.gather(futures), strict=True):
            self.done += 1
            self.wrong += result != number * number + 7
        return True


def run(sizes: Sizes, folder: Path, *, lines: bool = True, seed: int = SEED) -> dict[str, float]:
    """Start a network, with lines to cut or without, strike it, stop it, look at what is left."""
    network = Network(folder, lines=lines)
    say("lines are cut in networks of their own" if network.cuttable else NO_CUTS)
    try:
        for number in range(sizes.providers):
            behaviour = "lie:0.3" if number < sizes.liars else ""
            network.add_worker(f"owner-{number}", behaviour)
        recruiter = Recruiter(network.address)
        wait_for_providers(network.address, sizes.providers)
        chaos = Chaos(network, sizes, random.Random(seed))
        striking = threading.Thread(target=chaos.run)
        striking.start()
        try:
            recruiter.run(time.monotonic() + sizes.chaos_s)
        finally:
            chaos.over.set()
            striking.join()
        say("left in peace now")
        wait_for_providers(network.address, sizes.providers)
        if not recruiter.last_batch():
            raise RuntimeError(f"the network does not recover; see {folder}")
    finally:
        network.look()
        network.close()
        left = network.orphans()
    for each in left:
        say(f"ORPHAN {each}")
    if network.unwilling:
        say(f"{network.unwilling} processes had to be killed at the end")
    settle(network.database)
    books = check_books(network.database)
    for each in books.complaints:
        say(f"BOOKS {each}")
    return {
        "books_off_mpt": books.off_mpt,
        "wrong_results": recruiter.wrong,
        "paid_twice": books.paid_twice,
        "orphans": len(left),
        "tasks_done": recruiter.done,
        "tasks_lost": recruiter.lost,
        **{what: chaos.done[what] for what in ("kills", "stops", "cuts", "restarts")},
        "paid_mpt": books.paid_mpt,
    }


def main() -> None:
    """Run it and print the figures."""
    sizes = QUICK if parse_options(__doc__).quick else FULL
    # What is killed complains; that is no news here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="eco-chaos-"))
    figures = run(sizes, folder)
    flawed = any(
        figures[name] for name in ("books_off_mpt", "wrong_results", "paid_twice", "orphans")
    )
    if flawed:
        say(f"its books and logs are kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finish("chaos", figures)


if __name__ == "__main__":
    main()
