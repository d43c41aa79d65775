"""What Dask must know before a scheduler is made: our routes on its HTTP server.

register ──► distributed.scheduler.http.routes
"""

from __future__ import annotations

from typing import Final

import dask

_SETTING: Final = "distributed.scheduler.http.routes"
_ROUTES: Final = "eco_dask.dashboard.http.routes"


def register() -> None:
    """Have every scheduler that is made from now on serve the API; again changes nothing."""
    routes = list(dask.config.get(_SETTING))
    if _ROUTES not in routes:
        dask.config.set({_SETTING: [*routes, _ROUTES]})
