"""Tells idle providers why they get nothing: their owners ask that more than anything else.

tick ──► every few seconds, whoever has room and no lease: Outlook, if it changed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eco_dask.engine.outlook import Outlook
from eco_dask.types import ProviderId
from eco_dask.wire import messages as m

if TYPE_CHECKING:
    from eco_dask.gateway.gateway import Gateway

_EVERY_S = 3.0
#: It is told again after this, as a provider that started anew has forgotten it.
_AGAIN_S = 60.0


class Outlooks:
    """One gateway's."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._told_at_s = 0.0
        self._told: dict[ProviderId, tuple[bytes, Outlook, float]] = {}

    def tell(self, at_s: float) -> None:
        """Tell those who have nothing to do, now and then."""
        if at_s - self._told_at_s < _EVERY_S:
            return
        self._told_at_s = at_s
        sessions = self._gateway.sessions
        for provider in self._told.keys() - sessions.keys():
            del self._told[provider]
        for provider, session in sessions.items():
            if session.outbox is None or session.leases or not session.provider.slots:
                continue
            found = self._gateway.engine.outlook(provider)
            before = self._told.get(provider)
            known = before is not None and before[:2] == (session.token, found)
            if before is not None and known and at_s - before[2] < _AGAIN_S:
                continue
            self._told[provider] = (session.token, found, at_s)
            session.send(m.Outlook(found.code, found.detail, found.waiting))
