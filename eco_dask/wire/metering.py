"""The messages in which a provider tells what its runs took, an interval after it answered.

What they say pays nothing. The gateway bounds it and says how far it is to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from eco_dask.wire.fields import many, text, truth, whole
from eco_dask.wire.kinds import SLOTS_MAX, Direction, LeaseName

#: Microjoules, and milliseconds, that one run may state: eleven days at a kilowatt.
ENERGY_UJ_MAX = 10**15
METERED_MS_MAX = 10**9
#: Meters that one figure may come from.
SOURCES_MAX = 8

_Energy = Annotated[int, whole(0, ENERGY_UJ_MAX)]
_Time = Annotated[int, whole(0, METERED_MS_MAX)]


@dataclass(frozen=True, slots=True)
class Metered:
    """What a run took at the components: its marginal energy, and its share of idle power.

    The metered parts are those that tier A meters counted. ``overlap_ms`` is the time in which all
    devices of the run had meters, ``gap_ms`` the time in which one had none.
    """

    TYPE_CODE: ClassVar[int] = 14
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    marginal_uj: _Energy
    marginal_metered_uj: _Energy
    share_uj: _Energy
    share_metered_uj: _Energy
    tier: Annotated[str, text(2, chars_min=1)]
    sources: Annotated[tuple[str, ...], many(text(32, chars_min=1), SOURCES_MAX)]
    overlap_ms: _Time
    gap_ms: _Time
    slots: Annotated[int, whole(1, SLOTS_MAX)]
    assumed_exclusive: Annotated[bool, truth()]
    baseline_known: Annotated[bool, truth()]


@dataclass(frozen=True, slots=True)
class Unmetered:
    """What a run took is not known, and why."""

    TYPE_CODE: ClassVar[int] = 15
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    reason: Annotated[str, text(256)]
