"""What a device draws when its host does nothing: the 5th percentile over idle intervals.

IdleInterval ─► Baseline.with_interval ─► Baseline.power_uw(supply, now)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

#: A host is idle below this share of its CPU time.
IDLE_SHARE_MAX = 0.05
PERCENTILE = 0.05
WINDOW_DAYS = 7
#: Fewer idle seconds say little.
SECONDS_MIN = 60.0
#: Power is counted in classes of this width.
CLASS_UW = 50_000
_DAY_S = 86_400.0


class Supply(Enum):
    """Where the machine's power comes from; on battery it throttles."""

    AC = "ac"
    BATTERY = "battery"


@dataclass(frozen=True, slots=True)
class IdleInterval:
    """An interval without tasks."""

    at_s: float
    duration_s: float
    energy_uj: int
    #: Busy share of all CPUs, 0 to 1.
    busy_share: float
    supply: Supply = Supply.AC

    @property
    def is_idle(self) -> bool:
        """Whether it says what an idle host draws."""
        return self.duration_s > 0 and self.busy_share < IDLE_SHARE_MAX

    @property
    def power_uw(self) -> int:
        """Mean power, microwatts."""
        return round(self.energy_uj / self.duration_s)


_Classes = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Idle seconds of one device by day, supply and power class: a few kilobytes a week."""

    seconds: Mapping[tuple[int, Supply], _Classes] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def with_interval(self, interval: IdleInterval) -> Baseline:
        """Count an interval if its host was idle, and forget what is older than the window."""
        if not interval.is_idle:
            return self
        day = int(interval.at_s // _DAY_S)
        kept = {key: it for key, it in self.seconds.items() if key[0] > day - WINDOW_DAYS}
        key = (day, interval.supply)
        classes = dict(kept.get(key, {}))
        power_class = interval.power_uw // CLASS_UW
        classes[power_class] = classes.get(power_class, 0.0) + interval.duration_s
        return Baseline(MappingProxyType(kept | {key: MappingProxyType(classes)}))

    def power_uw(self, supply: Supply, at_s: float) -> int | None:
        """Idle power in microwatts, to the middle of a class; None if too little was seen.

        Then the caller uses the idle power of the load model, or bills no baseline at all and says
        so: an unknown baseline makes all energy marginal.
        """
        day = int(at_s // _DAY_S)
        seen: dict[int, float] = {}
        for (then, of), classes in self.seconds.items():
            if of is supply and day - WINDOW_DAYS < then <= day:
                for power_class, seconds in classes.items():
                    seen[power_class] = seen.get(power_class, 0.0) + seconds
        all_s = sum(seen.values())
        if all_s < SECONDS_MIN:
            return None
        reached_s = 0.0
        for power_class in sorted(seen):
            reached_s += seen[power_class]
            if reached_s >= PERCENTILE * all_s:
                return power_class * CLASS_UW + CLASS_UW // 2
        raise AssertionError("the last class reaches every percentile")
