"""The network as text, where there is no notebook: asked for anew each time it is shown.

repr(TextMonitor) ──eco_snapshot──► lines
"""

from __future__ import annotations

from typing import Any

from distributed import Client

from eco_dask.display.show import monitor_text
from eco_dask.errors import ConfigurationError
from eco_dask.notebook.feed import snapshot_of


class TextMonitor:
    """Shows the network of a client as text; ``print`` it again for newer numbers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __repr__(self) -> str:
        if self._client.asynchronous:
            return "<eco_dask monitor of an asynchronous client: await monitor.text()>"
        try:
            return str(self.text())
        except (ConfigurationError, OSError, TimeoutError) as error:
            # A repr that raises hides what it is about.
            return f"<eco_dask monitor: {error}>"

    def text(self) -> Any:
        """Return the lines, or a coroutine of them with an asynchronous client."""
        return self._client.sync(self._text)

    async def _text(self) -> str:
        return monitor_text(await snapshot_of(self._client))
