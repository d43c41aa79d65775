"""Power of a CPU from its utilisation: what is used where no meter can be read.

    TDP | owner's watts | wall-meter readings ─► LoadLaw.watts(utilisation)

Pure. Laws differ by 3.5 times at half load, which the spread of tiers C and D says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

#: Shares of the TDP when idle and busy.
LINEAR_POINTS = ((0.0, 0.12), (1.0, 1.00))
#: Shares of the TDP measured by Teads, as used by Impact Framework and Boavizta.
TEADS_POINTS = ((0.0, 0.12), (0.1, 0.32), (0.5, 0.75), (1.0, 1.02))
#: For a CPU that nobody knows.
DEFAULT_WATTS_PER_THREAD = 4.0
#: No cooler of a laptop's CPU carries more for long: the rating of its strongest common class.
LAPTOP_TDP_MAX_W = 45.0
#: Wall power over component power: power supply, board, memory, fans.
WALL_FACTOR = 1.25


class LawName(Enum):
    """Shapes that the owner may choose between."""

    LINEAR = "linear"
    TEADS = "teads"


class MachineClass(Enum):
    """What cools the CPU, which bounds the default for an unknown one."""

    LAPTOP = "laptop"
    DESKTOP = "desktop"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LoadLaw:
    """Power by utilisation, straight between the points."""

    #: (utilisation, watts), rising in both, from utilisation 0 to 1.
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        uses = [use for use, _ in self.points]
        watts = [power_w for _, power_w in self.points]
        if len(uses) < 2 or (uses[0], uses[-1]) != (0.0, 1.0):  # noqa: PLR2004  both ends
            raise ValueError(f"a load law goes from utilisation 0 to 1, not over {uses}")
        if uses != sorted(set(uses)):
            raise ValueError(f"utilisation rises from point to point, not {uses}")
        if watts != sorted(watts) or not all(math.isfinite(it) and it >= 0 for it in watts):
            raise ValueError(f"watts are finite, >= 0 and do not fall with load, not {watts}")
        if watts[-1] == 0:
            raise ValueError("a CPU at full load draws more than 0 W")

    @property
    def idle_w(self) -> float:
        """Watts at utilisation 0."""
        return self.points[0][1]

    def watts(self, utilisation: float) -> float:
        """Watts at a utilisation, which is clipped to 0..1."""
        use = min(1.0, max(0.0, utilisation))
        for (low, low_w), (high, high_w) in zip(self.points, self.points[1:], strict=False):
            if use <= high:
                return low_w + (high_w - low_w) * (use - low) / (high - low)
        return self.points[-1][1]


def tdp_law(tdp_w: float, name: LawName = LawName.LINEAR) -> LoadLaw:
    """The law of a CPU whose thermal design power is known, in watts."""
    shape = LINEAR_POINTS if name is LawName.LINEAR else TEADS_POINTS
    return LoadLaw(tuple((use, share * tdp_w) for use, share in shape))


def owner_law(idle_w: float, max_w: float) -> LoadLaw:
    """The law of the owner's own figures for the component, in watts."""
    return LoadLaw(((0.0, idle_w), (1.0, max_w)))


def calibrated_law(wall_watts: Mapping[float, float], wall_factor: float = WALL_FACTOR) -> LoadLaw:
    """The law behind readings of a plug meter, taken at several loads with the GPU idle.

    Parameters
    ----------
    wall_watts : mapping of float to float
        Watts at the wall by utilisation; 0 and 1 are needed.
    wall_factor : float
        What accounting multiplies component energy by; dividing by it here gives the meter's
        reading back at the end.

    Raises
    ------
    ValueError
        An end is missing, or power falls with load: the readings were mixed up or too short.
    """
    return LoadLaw(tuple((use, wall_watts[use] / wall_factor) for use in sorted(wall_watts)))


def default_tdp_w(threads: int, machine: MachineClass) -> float:
    """Watts assumed for an unknown CPU (tier D)."""
    tdp_w = DEFAULT_WATTS_PER_THREAD * threads
    return min(tdp_w, LAPTOP_TDP_MAX_W) if machine is MachineClass.LAPTOP else tdp_w
