"""What the server extension keeps for as long as the server runs.

Parts: coordinators, the machine that is lent, clusters
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass

from eco_dask.config import data_directory
from eco_dask.jupyter.clusters import Clusters
from eco_dask.jupyter.coordinators import Coordinator, Coordinators
from eco_dask.jupyter.local import LocalLinks
from eco_dask.jupyter.machine import Machine
from eco_dask.jupyter.rule import JupyterRule, jupyter_rule


@dataclass(frozen=True, slots=True)
class Parts:
    """All of it."""

    rule: JupyterRule
    coordinators: Coordinators
    machine: Machine
    clusters: Clusters

    @classmethod
    def build(cls) -> Parts:
        """Build from this user's settings.

        Raises
        ------
        ConfigurationError
            A setting cannot be read.
        """
        rule, folder, clusters = jupyter_rule(), data_directory(), Clusters()

        links = LocalLinks()

        def running() -> Iterable[Coordinator]:
            yield from clusters.coordinators()
            found = links.find(folder, time.time())
            if found is not None:
                yield Coordinator(found[0], platform.node(), "machine", found[1])

        return cls(rule, Coordinators(folder, rule, running), Machine(folder), clusters)

    async def close(self) -> None:
        """Stop what was started here."""
        await asyncio.gather(self.machine.stop(), self.clusters.close())
