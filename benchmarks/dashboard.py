"""What the dashboard costs the coordinator while nobody, one, or ten people look at it.

    books with 1,000 providers of 250 owners ◄── 100 tasks/s of two receipts each
    coordinator (a process: scheduler, plugin, view, Bokeh) ──WebSockets──► 0, 1, 10 viewers

Viewers are WebSocket clients in the benchmark's own process, which pull the page and take every
patch as a browser does. They look at the page Network with its table of 1,000 providers, the
heaviest one, as the operator, updated once a second. The coordinator's gateway is a process of its
own in life, and made up here; a fifth of the providers change their leases between two updates.

Figures
-------
idle_cpu_share
    CPU time of the coordinator while nobody looks, share of a core.
cpu_share_per_viewer
    What ten viewers cost more than none, over ten: the snapshot that they share included.
first_viewer_cpu_share
    What one viewer costs more than none: the snapshot alone is most of it.
update_ms_1000_providers
    Wall time of an update for one viewer, from a new snapshot of 1,000 providers, of which a fifth
    changed, to the bytes of the patch; the slowest page, median of many updates, milliseconds.
update_bytes_1000_providers
    What that page sends at an update, bytes.
patches_per_viewer_s
    Patches that a viewer of ten got, per second: several at an update, one for each part.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from bokeh.document import Document
from bokeh.protocol import Protocol
from common import finish, parse_options, say
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from eco_dask.dashboard.model import Provider, Snapshot
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.site import PAGES, PROVIDER
from eco_dask.dashboard.pages.viewers import PageView
from eco_dask.ledger.book import Entry, Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.testing import snapshots
from eco_dask.types import Account

GOALS = {
    "cpu_share_per_viewer": "<= 0.05",
    "update_ms_1000_providers": "<= 50",
    "idle_cpu_share": "<= 0.05",
}
PROVIDERS = 1000
OWNERS = 250
TASKS_PER_S = 100
VIEWERS = (0, 1, 10)
#: Writes of the gateway's group commit.
BATCHES_PER_S = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    watch_s: float
    updates: int


FULL = Sizes(watch_s=30.0, updates=100)
QUICK = Sizes(watch_s=8.0, updates=30)


# ---------------------------------------------------------------------- books


def fill(folder: Path) -> list[tuple[str, str]]:
    """Make books with providers; return each with its owner."""
    registry = Registry(open_database(f"sqlite:///{folder / 'coordinator.sqlite'}"))
    found = []
    for number in range(OWNERS):
        owner = f"owner-{number}"
        each = PROVIDERS // OWNERS
        invite = registry.invite(owner, uses_max=each, expires_at_s=None, at_s=time.time())
        for _ in range(each):
            record = registry.admit(os.urandom(32), invite, time.time())
            found.append((record.id, owner))
    return found


class Writer(threading.Thread):
    """Pays for tasks as a gateway does, in batches, until told to stop."""

    def __init__(self, folder: Path, providers: Sequence[tuple[str, str]]) -> None:
        super().__init__(daemon=True)
        self._ledger = Ledger(open_database(f"sqlite:///{folder / 'coordinator.sqlite'}"))
        self._providers = providers
        self.stopped = threading.Event()
        self.tasks = 0

    def run(self) -> None:
        """Write a batch every so often, and catch up where the machine was busy."""
        started_s = time.monotonic()
        while not self.stopped.wait(1 / BATCHES_PER_S):
            due = int((time.monotonic() - started_s) * TASKS_PER_S) - self.tasks
            entries: list[Entry] = []
            receipts: list[Receipt] = []
            for number in range(self.tasks, self.tasks + due):
                for copy in range(2):
                    self._pay(number, copy, entries, receipts)
            self._ledger.apply(entries, receipts)
            self.tasks += due

    def _pay(self, number: int, copy: int, entries: list[Entry], receipts: list[Receipt]) -> None:
        provider, owner = self._providers[(7 * number + 501 * copy) % len(self._providers)]
        name = f"b-{number}-{copy}"
        payer, payee = Account("recruiter:pool"), Account(f"owner:{owner}")
        entries += [
            Reserve(f"{name}-r", payer, payee, 1000),
            Resolve(f"{name}-p", f"{name}-r", "post", 1000),
        ]
        receipts.append(
            Receipt(
                f"{name}-l", f"b-{number}", f"job-{number // 3000}", f"kind-{number % 20}",
                provider, owner, ReceiptReason.AGREED, 1.0, 1.1, 1.0, 1000, time.time(), b"d" * 32,
            )
        )  # fmt: skip


# ---------------------------------------------------------------------- viewers


class Viewer:
    """One browser tab, as far as the server can tell."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.messages = 0
        self.size_bytes = 0

    async def look(self, path: str) -> None:
        """Pull the page and take patches until cancelled."""
        html = await asyncio.to_thread(_get, f"{self._base}/{path}")
        token = re.search(r'"token":"([^"]+)"', html)
        if token is None:
            raise RuntimeError(f"/{path} holds no Bokeh session: {html[:200]!r}")
        request = HTTPRequest(f"{self._base.replace('http', 'ws', 1)}/{path}/ws")
        line: WebSocketClientConnection = await websocket_connect(
            request, subprotocols=["bokeh", token[1]], max_message_size=1 << 28
        )
        while (message := await line.read_message()) is not None:
            self.size_bytes += len(message)
            if isinstance(message, str) and '"ACK"' in message:
                for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
                    await line.write_message(json.dumps(part))
            self.messages += isinstance(message, str) and '"PATCH-DOC"' in message
        raise RuntimeError("the dashboard closed a viewer's connection")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


async def watch(
    base: str, viewers: int, seconds: float, process: psutil.Process
) -> dict[str, float]:
    """Return CPU share of the coordinator and patches per viewer and second."""
    made = [Viewer(base) for _ in range(viewers)]
    looking = [asyncio.create_task(viewer.look("eco")) for viewer in made]
    try:
        deadline_s = time.monotonic() + 60
        while not all(viewer.messages for viewer in made):
            for task in looking:
                if task.done():
                    task.result()
            if time.monotonic() > deadline_s:
                raise RuntimeError("a viewer got no update within 60 s")
            await asyncio.sleep(0.1)
        # Opening pages is not what is measured.
        await asyncio.sleep(3)
        before, patches = _cpu_s(process), sum(viewer.messages for viewer in made)
        started_s = time.monotonic()
        await asyncio.sleep(seconds)
        took_s = time.monotonic() - started_s
        patches = sum(viewer.messages for viewer in made) - patches
        return {
            "cpu_share": (_cpu_s(process) - before) / took_s,
            "patches_per_s": patches / took_s / max(1, viewers),
        }
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def coordinator(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the coordinator; give its address and process."""
    script = Path(__file__).with_name("dashboard_coordinator.py")
    environment = os.environ | {"DASK_ECO_DASK__DASHBOARD__OPEN_TO": "operator"}
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        try:
            assert child.stdout is not None
            port = child.stdout.readline().strip()
            if not port:
                raise RuntimeError("the coordinator did not start; see above")
            yield f"http://127.0.0.1:{port}", psutil.Process(child.pid)
        finally:
            child.terminate()


def measure_viewers(sizes: Sizes) -> dict[str, float]:
    """Compare none, one and ten viewers."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        say("making books with 1,000 providers")
        writer = Writer(folder, fill(folder))
        with coordinator(folder) as (base, process):
            writer.start()
            found = {}
            for viewers in VIEWERS:
                found[viewers] = asyncio.run(watch(base, viewers, sizes.watch_s, process))
                share = found[viewers]["cpu_share"]
                say(f"{viewers} viewers: {share:.3f} of a core, {writer.tasks} tasks so far")
            writer.stopped.set()
            writer.join()
    none, one, ten = (found[viewers]["cpu_share"] for viewers in VIEWERS)
    return {
        "idle_cpu_share": none,
        "cpu_share_per_viewer": max(0.0, ten - none) / VIEWERS[-1],
        "first_viewer_cpu_share": max(0.0, one - none),
        "patches_per_viewer_s": found[VIEWERS[-1]]["patches_per_s"],
    }


# ---------------------------------------------------------------------- one update


def later(snapshot: Snapshot, tick: int) -> Snapshot:
    """Let time pass: a fifth of the providers end tasks and take others."""

    def moved(number: int, one: Provider) -> Provider:
        if (number + tick) % 5:
            return one
        return replace(
            one,
            leases_live=(one.leases_live + tick) % 5,
            tasks=one.tasks + tick,
            agreed=one.agreed + tick,
            posted_mpt=one.posted_mpt + 1000 * tick,
        )

    providers = tuple(moved(n, one) for n, one in enumerate(snapshot.providers))
    return replace(snapshot, at_s=snapshot.at_s + 1, providers=providers)


def measure_page(page: Page, updates: int) -> tuple[float, float]:
    """Return median milliseconds and bytes of an update of a page."""

    async def never() -> Snapshot:
        raise AssertionError

    feed = Feed(never, 1.0)
    view = PageView(page, feed, "operator")
    document, events = Document(), []
    for part in view.parts:
        document.add_root(part.root)
    document.on_change(events.append)
    snapshot, protocol = snapshots.crowded(PROVIDERS), Protocol()
    times_ms, sizes_bytes = [], []
    for tick in range(updates + 2):
        snapshot = later(snapshot, tick)
        events.clear()
        started_s = time.perf_counter()
        feed.take(snapshot)
        data = feed.data(page)
        for part in view.parts:
            part.show(data[part.card.key])
        message = protocol.create("PATCH-DOC", list(events)) if events else None
        size_bytes = _size_bytes(message) if message is not None else 0
        times_ms.append((time.perf_counter() - started_s) * 1e3)
        sizes_bytes.append(size_bytes)
    # The first update sends everything.
    return statistics.median(times_ms[2:]), statistics.median(sizes_bytes[2:])


def _size_bytes(message: object) -> int:
    parts = [message.header_json, message.metadata_json, message.content_json]  # type: ignore[attr-defined]
    return sum(map(len, parts)) + sum(
        len(buffer.to_bytes())
        for buffer in message.buffers  # type: ignore[attr-defined]
    )


def measure_updates(sizes: Sizes) -> dict[str, float]:
    """Return the slowest page's update."""
    found = {}
    for page in PAGES:
        if page is not PROVIDER:
            found[page.name] = measure_page(page, sizes.updates)
            say(f"{page.name}: {found[page.name][0]:.1f} ms, {found[page.name][1]:,.0f} bytes")
    slowest_ms, size_bytes = max(found.values())
    return {"update_ms_1000_providers": slowest_ms, "update_bytes_1000_providers": size_bytes}


def main() -> None:
    """Print the figures."""
    sizes = QUICK if parse_options(__doc__).quick else FULL
    finish("dashboard", measure_updates(sizes) | measure_viewers(sizes))


if __name__ == "__main__":
    main()
