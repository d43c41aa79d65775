"""What every end-to-end test needs: a network, its providers, its processes, and patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from eco_dask import EcoCluster

#: A benchmark of milliseconds: what is measured here is not speed.
QUICK = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}


def until(fact: Callable[[], Any], what: str, timeout_s: float = 25.0) -> Any:
    """Wait until ``fact()`` is true, and return it."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)
    return found


def network(*, config: dict[str, Any] | None = None, **options: Any) -> EcoCluster:
    """Start a network for tests."""
    return EcoCluster(dashboard_address=None, config=QUICK | (config or {}), **options)


def by_owner(cluster: EcoCluster, owner: str) -> dict[str, Any]:
    """What an owner's only provider is and did."""
    (found,) = [p for p in cluster.providers if p["owner"] == owner]
    return found


def processes(cluster: EcoCluster) -> list[psutil.Process]:
    """Processes of a network that still run: coordinator, gateway, workers and their runners."""
    below = [p for p in psutil.Process().children(recursive=True) if p.status() != "zombie"]
    folder = str(cluster.data_directory)
    named = {p for p in below if any(folder in word for word in p.cmdline())}
    return [p for p in below if p in named or p.parent() in named]
