"""CO2e of energy and of the machine's making, as a range (SCI, ISO/IEC 21031).

    operational = energy x intensity;   embodied = TE x time / life x slots / threads

Micrograms, so that sums are exact. The operational range combines the spreads of energy and
intensity as if both erred the same way: wide, but never too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

from eco_dask.energy.data_files import in_range, named
from eco_dask.energy.intensity import Intensity

UJ_PER_KWH = 3_600_000_000_000
_UG_PER_G = 1_000_000
_S_PER_H = 3600


@dataclass(frozen=True, slots=True)
class CarbonRange:
    """CO2e in micrograms: likely lowest, best and likely highest."""

    low_ug: int = 0
    central_ug: int = 0
    high_ug: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.low_ug <= self.central_ug <= self.high_ug:
            raise ValueError(f"need 0 <= low <= central <= high; got {self}")

    @property
    def low_g(self) -> float:
        """Grams."""
        return self.low_ug / _UG_PER_G

    @property
    def central_g(self) -> float:
        """Grams."""
        return self.central_ug / _UG_PER_G

    @property
    def high_g(self) -> float:
        """Grams."""
        return self.high_ug / _UG_PER_G

    def __add__(self, other: CarbonRange) -> CarbonRange:
        return CarbonRange(
            self.low_ug + other.low_ug,
            self.central_ug + other.central_ug,
            self.high_ug + other.high_ug,
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's making, as in SCI."""

    #: Total embodied emissions, g CO2e.
    embodied_g: float
    #: Hours of life that they are spread over.
    life_h: float
    #: Hardware threads that share the machine.
    threads: int
    #: Factor by which the making may be off.
    spread: float = 2.0

    def __post_init__(self) -> None:
        if min(self.embodied_g, self.life_h, self.threads) <= 0 or self.spread < 1:
            raise ValueError(f"emissions, life and threads are > 0, spread >= 1; got {self}")

    @property
    def g_per_h(self) -> float:
        """Embodied g CO2e per hour of the whole machine."""
        return self.embodied_g / self.life_h


def machine(name: str, threads: int) -> Machine:
    """A machine of a class in the shipped table: laptop, laptop-personal, desktop, server.

    Raises
    ------
    ValueError
        There is no such class; the message lists them.
    """
    row = named("embodied.json", "machines", name)
    kg = in_range(row["kg_co2e"], 5, 10_000, f"kg CO2e of a {name}")
    return Machine(kg * 1000, float(row["life_h"]), threads, float(row["spread"]))


def operational(energy_uj: int, energy_spread: float, intensity: Intensity) -> CarbonRange:
    """CO2e of energy used at the wall.

    Parameters
    ----------
    energy_uj : int
        Microjoules.
    energy_spread : float
        Factor by which the energy may be off either way, >= 1.
    intensity : Intensity
        Of the place and time of use.
    """
    if energy_uj < 0 or energy_spread < 1:
        raise ValueError(f"need energy >= 0, spread >= 1; got {energy_uj} uJ, {energy_spread}")
    ug_per_g_per_kwh = energy_uj / UJ_PER_KWH * _UG_PER_G
    return CarbonRange(
        round(ug_per_g_per_kwh * intensity.low / energy_spread),
        round(ug_per_g_per_kwh * intensity.central),
        round(ug_per_g_per_kwh * intensity.high * energy_spread),
    )


def embodied(of: Machine, duration_s: float, slots: int = 1) -> CarbonRange:
    """A task's part in the machine's making: its time times its share of the threads."""
    if duration_s < 0 or slots < 1:
        raise ValueError(f"need duration >= 0, slots >= 1; got {duration_s} s, {slots}")
    share = min(1.0, slots / of.threads)
    central_ug = of.g_per_h * duration_s / _S_PER_H * share * _UG_PER_G
    return CarbonRange(
        round(central_ug / of.spread), round(central_ug), round(central_ug * of.spread)
    )
