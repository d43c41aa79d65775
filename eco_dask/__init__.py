"""eco_dask: unchanged Dask code on a network of untrusted machines, verified and paid in points."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eco_dask.settings import load_defaults as _load_defaults

if TYPE_CHECKING:
    from eco_dask.client import Job as Job
    from eco_dask.client import job as job
    from eco_dask.cluster import EcoCluster as EcoCluster
    from eco_dask.cluster import ProviderSpec as ProviderSpec
    from eco_dask.connecting import connect as connect
    from eco_dask.notebook.entry import monitor as monitor
    from eco_dask.report import JobReport as JobReport

_load_defaults()

#: Where each public name lives: a provider's runner must not pay for importing distributed.
_HOMES = {
    "EcoCluster": "eco_dask.cluster",
    "connect": "eco_dask.connecting",
    "Job": "eco_dask.client",
    "JobReport": "eco_dask.report",
    "ProviderSpec": "eco_dask.cluster",
    "job": "eco_dask.client",
    "monitor": "eco_dask.notebook.entry",
}

__all__ = ["EcoCluster", "Job", "JobReport", "ProviderSpec", "connect", "job", "monitor"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
