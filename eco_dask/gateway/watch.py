"""What a gateway looks after now and then: the revoked leave, what strangers did is written down.

every few seconds ──► registry.revoked ──► sessions end      Offences.flush ──► incidents
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from eco_dask.types import ProviderId

if TYPE_CHECKING:
    from eco_dask.gateway.gateway import Gateway

logger = logging.getLogger(__name__)


class Watch:
    """Runs beside the gateway's clock."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        #: What else is done at every look.
        self.looks: list[Callable[[], None]] = []
        self._next_at_s = 0.0
        self._looking: asyncio.Task[None] | None = None

    def tick(self) -> None:
        """Look, if it is time and the last look is over."""
        at_s = self._gateway.now_s()
        if at_s < self._next_at_s or (self._looking is not None and not self._looking.done()):
            return
        self._next_at_s = at_s + self._gateway.rule.guard.revoked_s
        self.write()
        for look in self.looks:
            look()
        self._looking = asyncio.get_running_loop().create_task(self._drop_revoked())

    def write(self) -> None:
        """Write down what strangers did."""
        gateway = self._gateway
        found = gateway.offences.flush()
        if found:
            at_s = gateway.now_s()
            gateway.writer.write(lambda: gateway.registry.incidents.add(found, at_s))

    async def _drop_revoked(self) -> None:
        gateway = self._gateway
        try:
            revoked = await asyncio.to_thread(
                gateway.registry.revoked_among, tuple(gateway.sessions)
            )
        except SQLAlchemyError as error:
            logger.warning("The registry could not be asked who is revoked: %s", error)
            return
        self.drop(revoked)

    def drop(self, providers: Iterable[ProviderId], code: str = "revoked") -> None:
        """End the sessions of providers that may not stay."""
        for provider in providers:
            session = self._gateway.sessions.get(provider)
            if session is not None:
                logger.warning("Provider %s has to leave: %s", provider, code)
                hang_up = session.hang_up
                self._gateway.leave(provider)
                hang_up(code)
