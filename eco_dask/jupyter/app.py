"""Hooks the panel's routes into a Jupyter server, and stops what it started when that ends.

jupyter_server ──EcoDaskApp──► routes below /eco-dask/
"""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp

from eco_dask.jupyter.handlers import ROOT, ROUTES
from eco_dask.jupyter.parts import Parts


class EcoDaskApp(ExtensionApp):
    """The server side of the JupyterLab panel."""

    name = "eco_dask"
    description = "Shows eco_dask networks in JupyterLab; tokens stay on the server"

    def initialize_settings(self) -> None:
        """Read the settings, and keep what the handlers share."""
        self.settings["eco_dask"] = Parts.build()

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend((rf"/{ROOT}/{path}", handler) for path, handler in ROUTES)

    async def stop_extension(self) -> None:
        """Stop the provider and the clusters that were started here."""
        await self.settings["eco_dask"].close()
