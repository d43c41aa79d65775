"""What a meter says: cumulative energy of one device, with its source and accuracy tier.

Reader.read() ─► {device: Reading | Unavailable}, or Unavailable for the whole source
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

#: What a device's name starts with, as in ``cpu:0``, ``gpu:GPU-3f2a`` and ``battery:BAT0``.
DEVICE_KINDS = ("cpu", "dram", "gpu", "battery")


class Tier(Enum):
    """How far a figure may be off; from best to worst.

    A spread is a factor: the true value is expected between figure / spread and figure * spread.
    The spreads are engineering judgement, and model bias does not average out over many hosts:
    never divide them by the square root of a count.
    """

    METERED = "A"
    VENDOR_MODEL = "A-"
    SAMPLED = "B"
    MODELLED = "C"
    DEFAULT = "D"

    @property
    def label(self) -> str:
        """The word shown beside a figure; only tier A is "metered"."""
        return _FACTS[self].label

    @property
    def component_spread(self) -> float:
        """Spread of the component's own energy (a package, a GPU), dimensionless and >= 1."""
        return _FACTS[self].component_spread

    @property
    def wall_spread(self) -> float:
        """Spread of the energy drawn at the wall, dimensionless and >= 1."""
        return _FACTS[self].wall_spread

    @property
    def relative_spread(self) -> float:
        """Spread of the ratio of two tasks of different instruction mix, dimensionless, >= 1."""
        return _FACTS[self].relative_spread

    @property
    def rank(self) -> int:
        """Place in the order from best (0) to worst (4)."""
        return list(Tier).index(self)


@dataclass(frozen=True, slots=True)
class _TierFacts:
    label: str
    component_spread: float
    wall_spread: float
    relative_spread: float


_FACTS = {
    Tier.METERED: _TierFacts("metered", 1.15, 1.4, 2.0),
    Tier.VENDOR_MODEL: _TierFacts("vendor model", 1.3, 1.5, 2.0),
    Tier.SAMPLED: _TierFacts("sampled", 1.3, 1.5, 2.0),
    Tier.MODELLED: _TierFacts("modelled", 2.0, 2.0, 2.0),
    Tier.DEFAULT: _TierFacts("default", 3.0, 3.0, 3.0),
}


def worst_tier(tiers: Iterable[Tier]) -> Tier:
    """The tier that a sum over such figures has.

    Raises
    ------
    ValueError
        There are no tiers, so that nothing may be said.
    """
    return max(tiers, key=lambda tier: tier.rank)


@dataclass(frozen=True, slots=True)
class Reading:
    """The energy one device has used since its reader first saw it.

    Two readings of one device may be subtracted if their ``epoch`` is the same; otherwise what was
    used between them is unknown (suspend, reset, hot-plug, a sampler that stood still), not zero.
    """

    #: ``<kind>:<id>``, the kind one of :data:`DEVICE_KINDS`.
    device: str
    #: Cumulative and monotone over all epochs, in microjoules.
    energy_uj: int
    #: On a clock that never steps back and counts suspended time, in seconds.
    at_s: float
    #: The reader, such as ``rapl`` or ``load-model``.
    source: str
    tier: Tier
    #: Rises by one at each gap.
    epoch: int = 0

    def __post_init__(self) -> None:
        if self.kind not in DEVICE_KINDS or self.kind == self.device:
            kinds = ", ".join(DEVICE_KINDS)
            raise ValueError(f"device {self.device!r} is not <kind>:<id> with a kind of {kinds}")
        if type(self.energy_uj) is not int or self.energy_uj < 0:
            raise ValueError(f"energy_uj is an int >= 0, not {self.energy_uj!r}")
        if not math.isfinite(self.at_s):
            raise ValueError(f"at_s is a finite number of seconds, not {self.at_s!r}")

    @property
    def kind(self) -> str:
        """What the device is: one of :data:`DEVICE_KINDS`."""
        return self.device.partition(":")[0]

    def since(self, earlier: Reading) -> int | None:
        """Microjoules used between an earlier reading of the same device and this one.

        Returns
        -------
        int or None
            None if a gap lies between the two: unknown.

        Raises
        ------
        ValueError
            The readings are of two devices or sources, or in the wrong order.
        """
        if (self.device, self.source) != (earlier.device, earlier.source):
            raise ValueError(
                f"{self.device} by {self.source} and {earlier.device} by {earlier.source} "
                "are two meters; subtract readings of one"
            )
        if self.epoch != earlier.epoch:
            return None
        if self.energy_uj < earlier.energy_uj or self.at_s < earlier.at_s:
            raise ValueError(f"the reading of {self.device} at {earlier.at_s} s is the later one")
        return self.energy_uj - earlier.energy_uj


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing is known, and why; never to be shown or summed as zero."""

    source: str
    #: One sentence for the owner.
    reason: str
    #: What the owner can do about it, with what it exposes; empty if nothing.
    remedy: str = ""


#: One reading of everything a reader meters, or the reason why the source as a whole is silent.
Sample = dict[str, Reading | Unavailable] | Unavailable


class Reader(Protocol):
    """A meter: it opens no network connection, writes nothing and needs no privileges."""

    @property
    def name(self) -> str:
        """The ``source`` of its readings."""
        ...

    def read(self) -> Sample:
        """Read every device now. A device that was there before and is silent is Unavailable."""
        ...


def readings(sample: Sample) -> dict[str, Reading]:
    """Only the devices that could be read."""
    if isinstance(sample, Unavailable):
        return {}
    return {device: it for device, it in sample.items() if isinstance(it, Reading)}
