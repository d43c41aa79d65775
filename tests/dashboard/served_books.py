"""A scheduler of a thread's own with filled books, its HTTP API on a real socket, and tokens."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Scheduler, Worker

import eco_dask
from eco_dask.dashboard.register import register
from eco_dask.ledger.book import Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tokens import Scope, TokenStore
from eco_dask.plugins import EcoSchedulerPlugin
from eco_dask.providers.capability import Capability
from eco_dask.providers.registry import Registry

#: Kinds of tasks are recruiters' to name.
HOSTILE_KIND = "<script>\x1b[31m\u202ekind"
MACHINE = Capability(
    cores=8, memory_bytes=16 << 30, gpus=(), os="linux", machine="x86_64", python="3.11.14",
    numpy="2.3.1", blas="openblas 0.3.31",
)  # fmt: skip
SCOPES = ("operator", "recruiter", "recruiter:eve", "recruiter:zoe", "owner:ada", "owner:bob")


@dataclass
class Reply:
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class ServedBooks:
    """``with ServedBooks(folder) as served: served.get("/summary")``."""

    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)
    providers: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> ServedBooks:
        self._fill()
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        register()
        async with Scheduler(
            port=0, host="127.0.0.1", dashboard=False, dashboard_address="127.0.0.1:0"
        ) as self.scheduler:
            self.plugin = EcoSchedulerPlugin(data_directory=str(self.folder))
            await self.plugin.start(self.scheduler)
            self.scheduler.add_plugin(self.plugin)
            async with (
                Worker(self.scheduler.address, nthreads=1),
                Client(self.scheduler.address, asynchronous=True) as self.client,
            ):
                self.address = self.scheduler.address
                self.url = f"http://127.0.0.1:{self.scheduler.http_server.port}/eco/api/v1"
                self._ready.set()
                await self._stop.wait()

    def do(self, coroutine: Any) -> Any:
        """Run a coroutine where the scheduler runs."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def get(
        self, path: str, scope: str | None = None, *, method: str = "GET", **headers: str
    ) -> Reply:
        """Ask; ``scope`` names the token."""
        if scope is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(scope, scope)}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, method=method, headers=named)
        try:
            with urllib.request.urlopen(request, timeout=20) as found:
                return Reply(found.status, found.headers, found.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.headers, error.read().decode())

    def submit_slow_job(self, recruiter: str, tasks: int = 30) -> tuple[Any, list[Any]]:
        """Start a job of slow tasks."""

        async def submit() -> tuple[Any, list[Any]]:
            with eco_dask.job(f"slow of {recruiter}", recruiter=recruiter) as job:
                key = f"slow-{job.id}"
                return job, self.client.map(slow, range(tasks), key=key)

        job, futures = self.do(submit())
        # A client does not wait for the scheduler to hear of what it submits.
        deadline_s = time.monotonic() + 25
        while self.get(f"/jobs/{job.id}", "operator").status != 200:
            assert time.monotonic() < deadline_s, "the scheduler does not know the job"
            time.sleep(0.02)
        return job, futures

    def _fill(self) -> None:
        engine = open_database(f"sqlite:///{self.folder / 'coordinator.sqlite'}")
        registry, ledger, tokens = Registry(engine), Ledger(engine), TokenStore(engine)
        for number, owner in enumerate(("ada", "bob", "ada")):
            key = bytes([number + 1]) * 32
            found = registry.admit(key, registry.invite(owner, at_s=1.0), 2.0 + number)
            registry.record_visit(found.id, MACHINE.to_map(), 3.5, 5.0)
            self.providers[f"{owner}-{number}"] = found.id
        registry.strike(self.providers["bob-1"], "dissented\x1b[2J<b>", 6.0)
        payer = "recruiter:eve"
        entries, receipts = [], []
        for number in range(25):
            wrong = number % 5 == 4
            owner = "bob" if wrong else "ada"
            provider = self.providers["bob-1" if wrong else "ada-0"]
            amount_mpt = 0 if wrong else 100 + number
            entries += [
                Reserve(f"e{number}", payer, f"owner:{owner}", 200),
                Resolve(f"e{number}:end", f"e{number}", "void" if wrong else "post", amount_mpt),
            ]
            receipts.append(Receipt(
                f"lease-{number:02d}", f"ballot-{number}", f"old-{number // 10}",
                HOSTILE_KIND if number % 2 else "sum", provider, owner,
                ReceiptReason.DISSENTED if wrong else ReceiptReason.AGREED, 1.0, 1.5,
                None if wrong else 0.125, amount_mpt, 100.0 + number, b"\x01" * 32,
            ))  # fmt: skip
        ledger.apply([*entries, Reserve("open", payer, "owner:ada", 77)], receipts)
        for scope in SCOPES:
            self.tokens[scope] = tokens.new(Scope.parse(scope), time.time(), time.time() + 600)
        self.tokens["expired"] = tokens.new(Scope("operator"), 1.0, 2.0)
        self.tokens["revoked"] = tokens.new(Scope("operator"), time.time(), note="revoked")
        (revoked,) = [each.id for each in tokens.list() if each.note == "revoked"]
        tokens.revoke(revoked, time.time())
        engine.dispose()


def slow(number: int) -> int:
    time.sleep(0.2)
    return number


dask.config.set({"distributed.admin.tick.limit": "30 s"})
