"""The coordinator that the benchmark of the dashboard watches: all of it but its gateway.

A gateway is a process of its own, so its answers to the view are made up here: ``providers``
connected ones, a fifth of which take or end a lease between two answers. The books are real, and
another process writes to them.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from distributed import Scheduler

from eco_dask.dashboard.presence import GatewayView
from eco_dask.dashboard.showing import add_pages
from eco_dask.gateway.tally import Tallies
from eco_dask.plugins import EcoSchedulerPlugin

#: Of the providers, between two answers of the gateway.
MOVING_SHARE = 0.2


class MadeUpGateway:
    """Answers as a gateway with many providers does."""

    def __init__(self, providers: list[str]) -> None:
        self._dice = random.Random(0)
        self._holding = {provider: [4, 0, 0, 0] for provider in providers}
        self._tally = Tallies().total()

    def answer(self) -> dict[str, Any]:
        """Let some providers take or end leases, and tell."""
        moving = int(MOVING_SHARE * len(self._holding))
        for provider in self._dice.sample(list(self._holding), moving):
            leases = self._dice.randrange(5)
            self._holding[provider] = [4, leases, leases, 100 * leases]
        return {
            "name": "gateway",
            "providers": {name: list(held) for name, held in self._holding.items()},
            "waiting": self._dice.randrange(50),
            "open": 400,
            "tally": self._tally,
            "tallies": {},
            "belief": [[0.9, 0.99, 100], [0.99, 1.0, 150]],
        }


async def serve(folder: Path) -> None:
    """Print the dashboard's port, then serve until standard input ends."""
    add_pages()
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        plugin = EcoSchedulerPlugin(data_directory=str(folder))
        await plugin.start(scheduler)
        scheduler.add_plugin(plugin)
        providers = [record.id for record in plugin.registry.providers()]
        gateway = MadeUpGateway(providers)
        view = GatewayView("tcp://made-up", "gateway", "wss://made-up", "", 4000, providers)
        plugin.gateways[view.worker] = view

        async def ask_gateways(jobs: Collection[str]) -> list[dict[str, Any]]:
            del jobs
            view.facts = gateway.answer()
            return [view.facts]

        plugin.view.ask_gateways = ask_gateways
        print(scheduler.http_server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
