"""``dask scheduler --preload eco_dask.preload`` and ``dask worker --preload eco_dask.preload``.

The first gets jobs and points, the second becomes a gateway. A preload that fails would leave the
scheduler open without the plugin, so it ends the process instead.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from distributed import Scheduler, Worker

from eco_dask.dashboard.register import register
from eco_dask.dashboard.showing import add_pages

logger = logging.getLogger(__name__)

# Dask imports a preload before the scheduler's HTTP server and dashboard are made, and sets it up
# after.
register()
add_pages()


async def dask_setup(service: Any) -> None:
    """Install the plugin that fits ``service``; called by Dask when it starts."""
    from eco_dask.plugins import EcoGatewayPlugin, EcoSchedulerPlugin

    try:
        if isinstance(service, Scheduler):
            plugin = EcoSchedulerPlugin()
            await plugin.start(service)
            service.add_plugin(plugin)
        elif isinstance(service, Worker):
            await service.plugin_add(EcoGatewayPlugin(), catch_errors=False)
        else:
            raise TypeError(f"eco_dask.preload fits a scheduler or a worker; got {service!r}")
    except Exception:
        logger.exception("eco_dask could not be installed; ending this process")
        sys.exit(1)
