"""How a cluster shows itself: a line of text, and a card in the style of Dask's.

cluster ──eco_snapshot──► providers, slots ──► repr, HTML
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributed.core import Status
from distributed.deploy import Cluster

from eco_dask.display.show import card_html

_ANSWER_S = 3.0
_UNKNOWN = "unknown"


class ShownCluster(Cluster):
    """A cluster whose providers are shown instead of Dask's workers."""

    #: Not Dask's widget, whose workers and threads are those of the gateway.
    _ipython_display_ = None

    #: What the coordinator said of itself as it started.
    _facts: dict[str, Any]

    def __repr__(self) -> str:
        providers, slots = self._counts()
        return (
            f"{type(self).__name__}({self.name}, {self.scheduler_address!r}, "
            f"providers: {providers}, slots: {slots})"
        )

    def _repr_html_(self, cluster_status: str | None = None) -> str:  # noqa: ARG002  as Dask calls it
        providers, slots = self._counts()
        rows = {
            "Dashboard": self.dashboard_link or "none",
            "Status": self.status.name,
            "Providers": providers,
            "Slots": slots,
            "Scheduler": self.scheduler_address or _UNKNOWN,
            "Providers dial": self._facts.get("provider_address", _UNKNOWN),
        }
        live = "Live numbers: eco_dask.monitor(client)"
        return card_html(type(self).__name__, str(self.name), rows, (live,))

    def _counts(self) -> tuple[str, str]:
        """Say how many providers are connected and slots are busy, where that can be asked."""
        if self.status != Status.running or self.asynchronous or self.called_from_running_loop:
            return _UNKNOWN, _UNKNOWN
        try:
            network = self.sync(self._network, callback_timeout=_ANSWER_S)
        except (OSError, TimeoutError):
            # A repr that raises hides what it is about.
            network = None
        if network is None:
            return _UNKNOWN, _UNKNOWN
        return (
            f"{network['providers_connected']} of {network['providers_known']} connected",
            f"{network['slots_busy']} of {network['slots']} busy",
        )

    async def _network(self) -> Mapping[str, Any] | None:
        found = await self.scheduler_comm.eco_snapshot(lists=False)
        return found["network"] if isinstance(found, Mapping) else None
