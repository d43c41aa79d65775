"""Where results wait that leave the gateway: until all that they rest on stands.

wait(ballots, then) ──GateReached──► engine ──OpenGate──► then(True)   ──Revoke──► then(False)
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eco_dask.engine import events as ev
from eco_dask.gateway.lineage import Ballots, Lineage
from eco_dask.types import GateId


@dataclass(frozen=True, slots=True)
class _Waiting:
    ballots: Ballots
    #: Gets whether everything stands.
    then: Callable[[bool], None]


class Gates:
    """Results that wait, by gate.

    Parameters
    ----------
    life : str
        What gate ids start with.
    lineage : Lineage
        Told that a gate rests on its ballots.
    now_s : callable
        The gateway's clock.
    feed : callable
        Takes an event to the engine.
    """

    def __init__(
        self,
        life: str,
        lineage: Lineage,
        now_s: Callable[[], float],
        feed: Callable[[ev.Event], None],
    ) -> None:
        self._life = life
        self._lineage = lineage
        self._now_s = now_s
        self._feed = feed
        self._count = 0
        self._waiting: dict[GateId, _Waiting] = {}

    def wait(self, ballots: Ballots, then: Callable[[bool], None]) -> GateId:
        """Call ``then`` once these ballots stand (True), or one of them fell (False)."""
        self._count += 1
        gate = GateId(f"{self._life}/gate-{self._count}")
        self._waiting[gate] = _Waiting(ballots, then)
        self._lineage.hold(ballots)
        self._feed(
            ev.GateReached(gate, tuple(sorted(ballots)), self._now_s(), secrets.randbits(64))
        )
        return gate

    def leave(self, gate: GateId) -> None:
        """Nobody waits there any more."""
        if self._take(gate) is not None:
            self._feed(ev.GateLeft(gate, self._now_s(), secrets.randbits(64)))

    def opened(self, gate: GateId) -> Callable[[], None]:
        """Return what to do once the books are written."""
        waiting = self._take(gate)
        return (lambda: None) if waiting is None else (lambda: waiting.then(True))

    def broken(self, gates: Iterable[GateId]) -> None:
        """What waits there rests on wrong results."""
        for gate in gates:
            if (waiting := self._take(gate)) is not None:
                waiting.then(False)

    def resting_on(self, ballots: Ballots) -> list[GateId]:
        """Return the gates behind which something rests on one of these."""
        return [gate for gate, waiting in self._waiting.items() if waiting.ballots & ballots]

    def close(self) -> None:
        """Let nobody wait on."""
        self.broken(tuple(self._waiting))

    def _take(self, gate: GateId) -> _Waiting | None:
        waiting = self._waiting.pop(gate, None)
        if waiting is not None:
            self._lineage.drop(waiting.ballots)
        return waiting
