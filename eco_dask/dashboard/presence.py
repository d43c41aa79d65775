"""Which gateways there are, who is connected to them, and who came and went of late.

gateways' log events ──note, forget──► connected now; joined and left within the hour
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields
from typing import Any, Final

_HOUR_S: Final = 3600.0


@dataclass(slots=True)
class GatewayView:
    """What a gateway said of itself last."""

    worker: str
    name: str
    address: str
    fingerprint: str
    slots: int
    providers: list[str] = field(default_factory=list)
    #: What it answered last when a screen asked; see :mod:`eco_dask.gateway.facts`.
    facts: dict[str, Any] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return what the gateway says of itself unasked."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if each.name != "facts"
        }


class Presence:
    """The gateways by the address of their Dask worker, and their providers."""

    def __init__(self) -> None:
        self.gateways: dict[str, GatewayView] = {}
        self._connected: set[str] = set()
        self._moves: deque[tuple[float, int, int]] = deque()

    def note(self, view: GatewayView, at_s: float) -> None:
        """Take in what a gateway says."""
        if (known := self.gateways.get(view.worker)) is not None:
            view.facts = known.facts
        self.gateways[view.worker] = view
        self._update(at_s)

    def forget(self, worker: str, at_s: float) -> None:
        """A gateway is gone."""
        if self.gateways.pop(worker, None) is not None:
            self._update(at_s)

    def moves_1h(self, at_s: float) -> tuple[int, int]:
        """Return how many providers came and how many went within the last hour."""
        while self._moves and self._moves[0][0] < at_s - _HOUR_S:
            self._moves.popleft()
        return sum(joined for _, joined, _ in self._moves), sum(left for *_, left in self._moves)

    def _update(self, at_s: float) -> None:
        now = {provider for view in self.gateways.values() for provider in view.providers}
        joined, left = len(now - self._connected), len(self._connected - now)
        if joined or left:
            self._moves.append((at_s, joined, left))
        self._connected = now
