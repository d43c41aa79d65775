"""The sandbox around recruiters' code: profiles, limits, and the choice among them.

Machine, Plan ──profile.command──► Launch ──Sandbox.start──► Confined process ──► why it ended

What is allowed is decided by pure functions that build argument vectors and filters; ``machine``,
``cgroups``, ``watchdog``, ``choose`` and ``start`` are the thin adapters that ask and act.
"""

from __future__ import annotations

from eco_dask.sandbox.limits import Limits as Limits

__all__ = ["Limits"]
