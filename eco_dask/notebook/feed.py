"""Asks a client's scheduler for snapshots, in the client's own event loop, until it closes.

scheduler ──eco_snapshot──► Feed ──► News(snapshot | trouble) ──► tell()

The loop of a usual client has its own thread, so news come while a cell computes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from distributed import Client

from eco_dask.errors import ConfigurationError

#: An unreachable scheduler is asked this often in the end.
PAUSE_MAX_S = 10.0
_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class News:
    """What was heard last: a snapshot, or why there is none."""

    snapshot: Mapping[str, Any] | None = None
    trouble: str = ""
    #: Nothing more will come.
    last: bool = False


class Feed:
    """Tells of the network, again and again.

    Parameters
    ----------
    client : distributed.Client
        Whose scheduler is asked.
    interval_s : float
        Seconds between two questions.
    tell : callable
        Takes :class:`News`; called in the client's loop. Returns False to end the feed.
    """

    def __init__(self, client: Client, interval_s: float, tell: Callable[[News], bool]) -> None:
        self._client = client
        self._interval_s = interval_s
        self._tell = tell

    def start(self) -> None:
        """Begin, from any thread."""
        self._client.loop.add_callback(self._run)

    async def _run(self) -> None:
        pause_s = self._interval_s
        while True:
            news = await self._ask()
            if not self._tell(news) or news.last:
                return
            # A scheduler that is gone is asked less and less often.
            pause_s = min(2 * pause_s, PAUSE_MAX_S) if news.trouble else self._interval_s
            await asyncio.sleep(max(pause_s, self._interval_s))

    async def _ask(self) -> News:
        if self._client.status in ("closing", "closed"):
            return News(trouble="The client is closed.", last=True)
        try:
            return News(await asyncio.wait_for(snapshot_of(self._client), _ANSWER_S))
        except ConfigurationError as error:
            return News(trouble=str(error), last=True)
        except (OSError, TimeoutError) as error:
            return News(trouble=f"The scheduler does not answer ({error or 'in time'}).")


async def snapshot_of(client: Client) -> Mapping[str, Any]:
    """Ask a client's scheduler for a snapshot.

    Raises
    ------
    ConfigurationError
        If the client is closed, or the scheduler is none of eco_dask.
    OSError
        If the scheduler does not answer.
    """
    if client.scheduler is None:
        raise ConfigurationError("the client is closed; make another one")
    found = await client.scheduler.eco_snapshot(lists=False)
    if not isinstance(found, Mapping):
        raise ConfigurationError(
            f"the scheduler at {client.scheduler.address} has no eco_dask plugin; start it by "
            "eco-dask-scheduler, or with --preload eco_dask.preload"
        )
    return found
