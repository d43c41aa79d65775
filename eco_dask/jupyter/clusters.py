"""Networks on this machine that the panel starts: an EcoCluster each, on the server's own loop.

start(n_providers) ──► EcoCluster ──► a coordinator that the panel shows at once
"""

from __future__ import annotations

import asyncio
import time

from eco_dask.cluster import EcoCluster
from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.coordinators import Coordinator
from eco_dask.jupyter.local import LocalLinks

#: More would only hinder each other on one machine.
CLUSTERS_MAX, PROVIDERS_MAX = 4, 64


class Clusters:
    """The networks that were started here, by name."""

    def __init__(self) -> None:
        self._running: dict[str, EcoCluster] = {}
        self._links = LocalLinks()
        self._number = 0

    async def start(self, n_providers: int) -> Coordinator:
        """Start a network, and return its coordinator.

        Raises
        ------
        ConfigurationError
            It is larger, or there are more, than one machine can take.
        EcoDaskError
            A process does not start.
        """
        if not 1 <= n_providers <= PROVIDERS_MAX or len(self._running) >= CLUSTERS_MAX:
            raise ConfigurationError(
                f"a machine takes {CLUSTERS_MAX} clusters of 1 to {PROVIDERS_MAX} providers; "
                f"asked for one more of {n_providers} beside {len(self._running)}"
            )
        self._number += 1
        name = f"EcoCluster {self._number}"
        cluster = await EcoCluster(n_providers, asynchronous=True, name=name)
        self._running[name] = cluster
        found = self._coordinator(name)
        if found is None:
            await self._running.pop(name).close()
            raise ConfigurationError(f"{name} ended as it began: its coordinator has no dashboard")
        return found

    async def stop(self, key: str) -> bool:
        """Stop the network of that coordinator id; tell whether there was one."""
        for name in list(self._running):
            found = self._coordinator(name)
            if found is not None and found.link.id == key:
                await self._running.pop(name).close()
                return True
        return False

    async def close(self) -> None:
        """Stop all."""
        running, self._running = self._running, {}
        await asyncio.gather(*(cluster.close() for cluster in running.values()))

    def coordinators(self) -> list[Coordinator]:
        """Return the coordinator of each that runs."""
        found = map(self._coordinator, self._running)
        return [each for each in found if each is not None]

    def _coordinator(self, name: str) -> Coordinator | None:
        found = self._links.find(self._running[name].data_directory, time.time())
        return Coordinator(found[0], name, "panel", found[1]) if found is not None else None
