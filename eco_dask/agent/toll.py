"""How fast bytes may pass, up and down, and how many did.

frame ──Toll.up | Toll.down──► seconds to wait before it, or before the next
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

#: A pause between two reads is no longer than this, as whoever is not heard from is taken for gone.
DOWN_WAIT_S_MAX = 4.0
#: So many seconds' worth may pass at once.
_BURST_S = 1.0


@dataclass(slots=True)
class Pace:
    """A rate that is kept on average; the clock is passed in."""

    #: None is no limit.
    bytes_per_s: float | None = None
    _debt_bytes: float = 0.0
    _at_s: float = 0.0

    def take(self, size_bytes: int, at_s: float) -> float:
        """Count bytes; return how long to wait until the next may pass, seconds."""
        rate = self.bytes_per_s
        if rate is None:
            return 0.0
        self._debt_bytes = max(0.0, self._debt_bytes - (at_s - self._at_s) * rate) + size_bytes
        self._at_s = at_s
        return max(0.0, self._debt_bytes / rate - _BURST_S)


@dataclass(slots=True)
class Toll:
    """Both directions of one provider's connection."""

    up: Pace = field(default_factory=Pace)
    down: Pace = field(default_factory=Pace)
    #: Told of every frame: bytes up, bytes down.
    on_bytes: Callable[[int, int], None] = lambda _up, _down: None

    def going_up(self, size_bytes: int, at_s: float) -> float:
        """Count a frame about to be sent; return the wait before it."""
        self.on_bytes(size_bytes, 0)
        return self.up.take(size_bytes, at_s)

    def came_down(self, size_bytes: int, at_s: float) -> float:
        """Count a frame that came; return the wait before the next is read."""
        self.on_bytes(0, size_bytes)
        return min(DOWN_WAIT_S_MAX, self.down.take(size_bytes, at_s))
