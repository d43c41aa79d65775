"""A small HTTP server that answers as a coordinator's API does, for tests of who may ask it what.

with MadeCoordinator(token) as made: made.url, made.seen
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from eco_dask.providers.certificates import ServerCertificate, server_context

ENERGY = {
    "marginal_uj": 8_400_000_000,
    "reserved_uj": 9_000_000_000,
    "metered_uj": 8_000_000_000,
    "gco2e_low": 0.6,
    "gco2e_central": 0.9,
    "gco2e_high": 1.4,
    "tier": "RAPL",
    "sources": ["rapl"],
    "warnings": [],
    "unknown_runs": 0,
    "baseline": {"uj": 2e10, "gco2e_low": 1.1, "gco2e_central": 2.0, "gco2e_high": 3.9},
}


def job(name: str, state: str, **other: Any) -> dict[str, Any]:
    return {
        "id": f"job-{name.replace(' ', '-')}", "name": name, "state": state,
        "started_at_s": time.time() - 60, "ended_at_s": None, "tasks": 1200, "done": 744,
        "erred": 0, "accepted": 700, "attempts": 861, "attempts_per_task": 1.23,
        "spent_mpt": 48_250, "budget_mpt": 500_000, "left_s": 44, "error": 1e-4, "quorum": None,
        "error_worst": 8.3e-5, "error_mean": 1e-5, "by_reason": {}, "caught": [], "energy": ENERGY,
    } | other  # fmt: skip


JOBS = [
    job(
        "climate trend",
        "running",
        caught=[{"owner": "mallory", "provider": "p4", "reason": "wrong-result", "times": 3}],
    ),
    job("anomalies of 240 years", "done", done=1200, budget_mpt=None, energy=None),
    job("a cancelled one", "cancelled", done=20, error_worst=None, quorum=2),
    job("half of it failed", "failed", done=100, erred=90, left_s=None),
]


def provider(owner: str, **other: Any) -> dict[str, Any]:
    return {
        "id": f"{owner}-{'0123456789abcdef' * 2}", "owner": owner, "role": "provider",
        "connected": True, "revoked": False, "score": 1.2, "strikes": 0, "strike_reasons": {},
        "capability": {}, "slots": 2, "leases_live": 1, "tasks": 312, "agreed": 300,
        "dissented": 0, "posted_mpt": 15_233, "pending_mpt": 1_200, "energy": None,
    } | other  # fmt: skip


PROVIDERS = [
    provider("ann"), provider("bob", tasks=260), provider("cem", connected=False, tasks=1),
    provider("operator", role="trusted", tasks=44),
    provider("mallory", revoked=True, strikes=3, dissented=41, strike_reasons={"wrong-result": 3}),
]  # fmt: skip

SUMMARY = {
    "network": {
        "providers_known": 6, "providers_connected": 4, "providers_paused": 1,
        "providers_revoked": 1, "slots": 8, "slots_busy": 5, "leases_live": 9,
        "tasks_waiting": 120, "gateways": [], "joined_1h": 1, "left_1h": 0,
    },
    "verification": {
        "accepted": 9000, "attempts": 10_800, "attempts_per_task": 1.2, "agreed": 8000,
        "dissented": 41, "disputed": 2, "audits": 88,
    },
    "points": {
        "posted_mpt": 1_234_567, "pending_mpt": 2_400, "reserved_mpt": 100, "spent_mpt": 1_234_567,
    },
    "energy": ENERGY,
}  # fmt: skip


def samples(name: str) -> list[list[float]]:
    now_s = time.time()
    at = [now_s - 60 * (240 - i) for i in range(240)]
    if name == "watts":
        return [[t, 35 + 20 * math.sin(i / 9) + i / 20] for i, t in enumerate(at)]
    return [[t, 1_000_000 + 800 * i + 300 * math.sin(i / 7) * i] for i, t in enumerate(at)]


@dataclass
class MadeCoordinator:
    """Answers to ``token`` only; remembers what it was asked."""

    token: str = "made-token-0123456789"
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    #: Answers by path, instead of the usual ones: status, headers, body.
    instead: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    #: With TLS and this certificate, if one is given.
    certificate: ServerCertificate | None = None

    def __enter__(self) -> MadeCoordinator:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        (socket,) = bind_sockets(0, "127.0.0.1")
        self.port = socket.getsockname()[1]
        context = server_context(self.certificate) if self.certificate else None
        application = Application([(r"/(.*)", Answers, {"made": self})])
        server = HTTPServer(application, ssl_options=context)
        server.add_socket(socket)
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        server.stop()
        self._loop.close()


class Answers(RequestHandler):
    def initialize(self, made: MadeCoordinator) -> None:
        self.made = made

    def get(self, path: str) -> None:
        self.reply(path)

    def post(self, path: str) -> None:
        self.reply(path)

    def reply(self, path: str) -> None:
        made, request = self.made, self.request
        made.seen.append((request.method, request.uri, request.headers.get("Authorization")))
        path = path.removeprefix("eco/api/v1/")
        if path in made.instead:
            status, headers, body = made.instead[path]
            self.set_status(status)
            for name, value in headers.items():
                self.set_header(name, value)
            self.finish(body or None)
            return
        allowed = request.headers.get("Authorization") == f"Bearer {made.token}"
        if not allowed and path != "summary":
            self.set_status(401)
            self.finish({"error": "a token is needed"})
            return
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(self.body(path)))

    def body(self, path: str) -> Any:
        match path.split("/"):
            case ["summary"]:
                return {"at_s": time.time(), **SUMMARY}
            case ["jobs"]:
                return {"jobs": JOBS}
            case ["providers"]:
                return {"providers": PROVIDERS}
            case ["series", name]:
                return {"name": name, "unit": "", "step_s": 15, "samples": samples(name)}
        return {"cancelled": True}
