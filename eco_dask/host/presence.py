"""May this machine work for others now? A pure answer from what was seen and what the owner wants.

Sight, PresenceRule, reasons so far ──judge──► reasons to pause; none: it may work
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from eco_dask.energy.hours import Closed, Open, OwnerHours, may_work

#: A pause for load ends at this share of the limit, one for heat this many degrees below it: what
#: starts and stops every second helps nobody.
LOAD_RELIEF, HEAT_RELIEF_C = 0.75, 5.0
_MB = 1_000_000
_MINUTE_S = 60.0

#: What the owner reads, by code.
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "in-use": "the keyboard or mouse was used less than {minutes:g} minutes ago",
        "in-use-unknown": "whether somebody uses the machine cannot be seen",
        "battery": "the machine runs on battery",
        "load": "other programs use {used:.0%} of the processor",
        "heat": "the machine is at {heat:.0f} °C",
        "metered": "the network is metered",
        "program": "{program} is running",
        "hours": "{hours}",
        "gpu": "another program uses the GPU",
        "transfer": "today's transfer of {transferred:.0f} MB is used up",
    }
)


@dataclass(frozen=True, slots=True)
class PresenceRule:
    """What the owner wants; None and empty are no condition.

    Raises
    ------
    ValueError
        If a limit is none.
    """

    #: Work only after so long without keyboard and mouse.
    idle_s_min: float | None = None
    on_battery: bool = False
    #: Most of the processor that other programs may use, share of the whole machine.
    load_max: float | None = None
    temperature_max_c: float | None = None
    on_metered: bool = False
    #: Names of programs that have the machine for themselves.
    programs: tuple[str, ...] = ()
    hours: OwnerHours = field(default_factory=OwnerHours)
    #: Of the declared country's grid, for a limit in ``hours``.
    g_per_kwh: float | None = None
    #: Whether to work beside others on the GPU.
    gpu_shared: bool = False
    #: Most bytes up and down in a day of the owner's.
    transfer_bytes_max: int | None = None

    def __post_init__(self) -> None:
        if self.load_max is not None and not 0 < self.load_max <= 1:
            raise ValueError(f"a load is a share above 0, at most 1; got {self.load_max}")
        if self.idle_s_min is not None and self.idle_s_min < 0:
            raise ValueError(f"an idle time is 0 or more; got {self.idle_s_min}")


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of the machine; None is unknown."""

    #: Seconds since the epoch.
    at_s: float
    #: Since keyboard or mouse were used; infinite where there are none.
    idle_s: float | None = None
    on_battery: bool | None = None
    #: Share of the whole processor that programs other than ours use.
    other_load: float | None = None
    temperature_c: float | None = None
    metered: bool | None = None
    #: Names of running programs, if anybody asked.
    programs: frozenset[str] = frozenset()
    gpu_used: bool | None = None
    transferred_bytes: int = 0
    #: Of the owner's clock from UTC.
    utc_offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason to pause."""

    code: str
    words: str


def judge(rule: PresenceRule, sight: Sight, before: Collection[str] = ()) -> tuple[Reason, ...]:
    """Return every reason why the machine may not work for others now.

    What is unknown is no reason, except whether somebody sits there: an owner who asked for that
    would rather earn nothing.

    Parameters
    ----------
    before : collection of str
        Codes for which it pauses already; load and heat must fall further to end a pause.
    """
    less_load = (rule.load_max or 0) * (1 - LOAD_RELIEF) if "load" in before else 0.0
    cooler_c = HEAT_RELIEF_C if "heat" in before else 0.0
    facts = {
        "battery": sight.on_battery is True and not rule.on_battery,
        "load": _above(sight.other_load, rule.load_max, less_load),
        "heat": _above(sight.temperature_c, rule.temperature_max_c, cooler_c),
        "metered": sight.metered is True and not rule.on_metered,
        "program": bool(_exclusive(rule, sight)),
        "hours": isinstance(_hours(rule, sight), Closed),
        "gpu": sight.gpu_used is True and not rule.gpu_shared,
        "transfer": _used_up(rule, sight),
    }
    codes = (_in_use(rule, sight), *(code for code, holds in facts.items() if holds))
    return tuple(Reason(code, _words(code, rule, sight)) for code in codes if code)


def next_opening_s(rule: PresenceRule, sight: Sight) -> float | None:
    """Return when the owner's hours begin again, None if they did or nothing tells."""
    found = _hours(rule, sight)
    return found.until_s if isinstance(found, Closed) else None


def _in_use(rule: PresenceRule, sight: Sight) -> str:
    if rule.idle_s_min is None:
        return ""
    if sight.idle_s is None:
        return "in-use-unknown"
    return "in-use" if sight.idle_s < rule.idle_s_min else ""


def _above(seen: float | None, limit: float | None, relief: float) -> bool:
    return seen is not None and limit is not None and seen > limit - relief


def _exclusive(rule: PresenceRule, sight: Sight) -> str:
    running = {_plain(name) for name in sight.programs}
    return next((name for name in rule.programs if _plain(name) in running), "")


def _plain(name: str) -> str:
    return name.casefold().removesuffix(".exe")


def _hours(rule: PresenceRule, sight: Sight) -> Open | Closed:
    hours = replace(rule.hours, utc_offset_s=sight.utc_offset_s)
    return may_work(hours, sight.at_s, rule.g_per_kwh)


def _used_up(rule: PresenceRule, sight: Sight) -> bool:
    most = rule.transfer_bytes_max
    return most is not None and sight.transferred_bytes >= most


def _words(code: str, rule: PresenceRule, sight: Sight) -> str:
    closed = _hours(rule, sight)
    return REASONS[code].format(
        minutes=(rule.idle_s_min or 0) / _MINUTE_S,
        used=sight.other_load or 0,
        heat=sight.temperature_c or 0,
        program=_exclusive(rule, sight),
        hours=closed.reason if isinstance(closed, Closed) else "",
        transferred=sight.transferred_bytes / _MB,
    )
