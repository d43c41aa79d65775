"""How fast somebody may go: a token bucket, and how long to hold up who is faster.

Bucket.wait_s(cost, at_s) ──► seconds to wait, 0 within the rate
"""

from __future__ import annotations


class Bucket:
    """Fills at a rate up to a burst; what is taken beyond it has to be waited for.

    Parameters
    ----------
    per_s : float
        Rate, in units per second.
    burst : float
        Units that may be taken at once after a rest.
    at_s : float
        Now, in seconds.
    """

    __slots__ = ("_at_s", "_burst", "_level", "_per_s")

    def __init__(self, per_s: float, burst: float, at_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._level = burst
        self._at_s = at_s

    def take(self, cost: float, at_s: float) -> bool:
        """Take ``cost`` units if they are there; say whether they were."""
        self._fill(at_s)
        if self._level < cost:
            return False
        self._level -= cost
        return True

    def wait_s(self, cost: float, at_s: float) -> float:
        """Take ``cost`` units and return how long to wait for them, in seconds."""
        self._fill(at_s)
        # A debt beyond the burst would only make the wait longer than anybody waits.
        self._level = max(self._level - cost, -self._burst)
        return max(0.0, -self._level / self._per_s)

    def give_back(self, units: float) -> None:
        """Put back what was taken for something that turned out welcome."""
        self._level = min(self._burst, self._level + units)

    def _fill(self, at_s: float) -> None:
        passed_s = max(0.0, at_s - self._at_s)
        self._level = min(self._burst, self._level + passed_s * self._per_s)
        self._at_s = max(at_s, self._at_s)
