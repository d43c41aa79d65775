"""Providers that misbehave, as tables: for tests and demonstrations of the verification.

misbehaving("mallory", "lie:0.5") ──► ProviderSpec ──EcoCluster──► eco_dask.testing.provider
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eco_dask.testing.fleets import FLEETS as FLEETS
    from eco_dask.testing.fleets import honest as honest
    from eco_dask.testing.fleets import misbehaving as misbehaving

__all__ = ["FLEETS", "honest", "misbehaving"]


def __getattr__(name: str) -> Any:
    # The process of a misbehaving provider must not pay for importing a cluster.
    if name in __all__:
        return getattr(import_module("eco_dask.testing.fleets"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
