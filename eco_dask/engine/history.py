"""What each kind of task has cost so far: deadlines, prefetch and pay derive from it.

accepted attempts ──observe──► KindHistory ──► slowest_s, typical_s, typical_units
"""

from __future__ import annotations

from collections import deque
from statistics import median

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt

#: Accepted attempts remembered per kind: enough for a median, few enough to follow a change.
ATTEMPTS_KEPT = 64
#: Attempts and distinct owners before a kind's median is trusted to bound what one owner claims.
ATTEMPTS_TRUSTED, OWNERS_TRUSTED = 8, 2


class KindHistory:
    """Cost of one kind of task, from accepted attempts only."""

    __slots__ = ("_owners", "_stale", "_typical", "_units", "_walls_s")

    def __init__(self) -> None:
        self._walls_s: deque[float] = deque(maxlen=ATTEMPTS_KEPT)
        self._units: deque[float] = deque(maxlen=ATTEMPTS_KEPT)
        self._owners: deque[OwnerId] = deque(maxlen=ATTEMPTS_KEPT)
        self._typical = (0.0, 0.0)
        self._stale = 0

    def observe(self, attempt: Attempt, speed: float = 1.0) -> None:
        """Remember what an accepted attempt cost a provider of that speed.

        Seconds are kept as the reference core's: a deadline that divides a slow provider's own
        seconds by its speed once more would hardly ever pass.
        """
        self._walls_s.append(attempt.wall_s * speed)
        self._units.append(attempt.work_units)
        self._owners.append(attempt.owner)
        # Two medians of 64 numbers cost 10 us: more than the rest of a small task's bookkeeping.
        if self._stale == 0 or len(self._walls_s) < ATTEMPTS_TRUSTED:
            self._typical = (median(self._walls_s), median(self._units))
        self._stale = (self._stale + 1) % ATTEMPTS_TRUSTED

    @property
    def slowest_s(self) -> float:
        """Seconds of the slowest remembered attempt, on a reference core."""
        return max(self._walls_s)

    @property
    def typical_s(self) -> float:
        """Median seconds of an attempt, on a reference core."""
        return self._typical[0]

    @property
    def typical_units(self) -> float:
        """Median reference-core-seconds of an attempt."""
        return self._typical[1]

    @property
    def is_established(self) -> bool:
        """Whether enough distinct owners stand behind the medians to bound a single claim."""
        return len(self._owners) >= ATTEMPTS_TRUSTED and len(set(self._owners)) >= OWNERS_TRUSTED


class Histories:
    """The history of every kind seen, forgetting the longest unused beyond a bound."""

    def __init__(self, kinds_max: int = 10_000) -> None:
        self._kinds: dict[TaskKind, KindHistory] = {}
        self._kinds_max = kinds_max

    def get(self, kind: TaskKind) -> KindHistory | None:
        """Return the history of ``kind``, or None before its first accepted attempt."""
        return self._kinds.get(kind)

    def observe(self, kind: TaskKind, attempt: Attempt, speed: float = 1.0) -> None:
        """Remember what an accepted attempt of ``kind`` cost a provider of that speed."""
        history = self._kinds.pop(kind, None) or KindHistory()
        self._kinds[kind] = history
        history.observe(attempt, speed)
        if len(self._kinds) > self._kinds_max:
            del self._kinds[next(iter(self._kinds))]
