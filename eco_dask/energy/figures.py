"""The energy figures that receipts, job reports and statements show, and their sums.

EnergyFigures + EnergyFigures ─► EnergyFigures;   as_record() ◄─► from_record()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from eco_dask.energy.carbon import UJ_PER_KWH, CarbonRange
from eco_dask.energy.reading import Tier, worst_tier

_UJ_PER_J = 1_000_000
_UJ_PER_WH = 3_600_000_000
_PREFIXES = (("M", 1e6), ("k", 1e3), ("", 1), ("m", 1e-3), ("µ", 1e-6))


@dataclass(frozen=True, slots=True)
class EnergyFigures:
    """Energy and CO2e of a task, or of many; integers, so that sums are exact in any order.

    Two energies are never mixed: *marginal* is what the owner's bill rises by, *reserved* adds the
    share of the machine's idle power that was kept for the work (and is SCI's E).
    """

    #: Marginal energy of the components, as metered, microjoules.
    component_uj: int
    #: Marginal energy at the wall, microjoules.
    marginal_uj: int
    #: Marginal energy and the reserved share of idle power, at the wall, microjoules.
    reserved_uj: int
    #: The part of ``reserved_uj`` that tier A meters counted, microjoules.
    metered_uj: int
    #: Operational (of ``reserved_uj``) and embodied.
    carbon: CarbonRange
    #: The worst of all that went in.
    tier: Tier
    #: Names of the meters, such as ``rapl``.
    sources: frozenset[str] = frozenset()
    #: Where and when the intensity is of, such as ``FRA 2023``.
    grids: frozenset[str] = frozenset()
    #: To be shown beside the figures.
    warnings: frozenset[str] = frozenset()
    #: Task time in which a device had no meter, so that its energy is missing here, milliseconds.
    gap_ms: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.marginal_uj <= self.reserved_uj or self.component_uj < 0:
            raise ValueError(f"need 0 <= marginal <= reserved and component >= 0; got {self}")
        if not 0 <= self.metered_uj <= self.reserved_uj or self.gap_ms < 0:
            raise ValueError(f"need 0 <= metered <= reserved and gap >= 0; got {self}")

    @property
    def marginal_j(self) -> float:
        """Joules."""
        return self.marginal_uj / _UJ_PER_J

    @property
    def reserved_j(self) -> float:
        """Joules."""
        return self.reserved_uj / _UJ_PER_J

    @property
    def wh(self) -> float:
        """Reserved energy in watt-hours."""
        return self.reserved_uj / _UJ_PER_WH

    @property
    def gco2e(self) -> tuple[float, float, float]:
        """Grams: low, central, high."""
        return self.carbon.low_g, self.carbon.central_g, self.carbon.high_g

    @property
    def metered_share(self) -> float:
        """Part of the reserved energy that tier A meters counted, 0 to 1."""
        return self.metered_uj / self.reserved_uj if self.reserved_uj else 0.0

    @property
    def label(self) -> str:
        """The words that stand beside the figures, always."""
        if self.tier is Tier.METERED:
            return self.tier.label
        if not self.metered_uj:
            return f"{self.tier.label} (class {self.tier.value})"
        # Rounded down: 99.9 % is not all.
        percent = 100 * self.metered_uj // self.reserved_uj
        return f"metered {percent} %, rest {self.tier.label} (class {self.tier.value})"

    @property
    def reserved_range_j(self) -> tuple[float, float]:
        """Reserved joules at the wall: likely lowest and highest."""
        spread = self.tier.wall_spread
        return self.reserved_j / spread, self.reserved_j * spread

    def __add__(self, other: EnergyFigures) -> EnergyFigures:
        return EnergyFigures(
            self.component_uj + other.component_uj,
            self.marginal_uj + other.marginal_uj,
            self.reserved_uj + other.reserved_uj,
            self.metered_uj + other.metered_uj,
            self.carbon + other.carbon,
            worst_tier((self.tier, other.tier)),
            self.sources | other.sources,
            self.grids | other.grids,
            self.warnings | other.warnings,
            self.gap_ms + other.gap_ms,
        )

    def __str__(self) -> str:
        low, central, high = self.gco2e
        return (
            f"{in_unit(self.marginal_j, 'J')} marginal, {in_unit(self.reserved_j, 'J')} reserved, "
            f"{in_unit(central, 'g')} CO2e ({in_unit(low, 'g')} to {in_unit(high, 'g')}), "
            f"{self.label}"
        )

    def as_record(self) -> dict[str, Any]:
        """Plain integers, strings and lists, for receipts and JSON."""
        record: dict[str, Any] = {it.name: getattr(self, it.name) for it in fields(self)}
        carbon = self.carbon
        record["carbon"] = [carbon.low_ug, carbon.central_ug, carbon.high_ug]
        record["tier"] = self.tier.value
        for name in ("sources", "grids", "warnings"):
            record[name] = sorted(record[name])
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> EnergyFigures:
        """Read what :meth:`as_record` wrote, or a provider did.

        Raises
        ------
        ValueError
            It is no such record: a field is missing, surplus, of another type or out of bounds.
        """
        try:
            sets = {it: _strings(record[it]) for it in ("sources", "grids", "warnings")}
            given = {**record, **sets, "tier": Tier(record["tier"])}
            given["carbon"] = CarbonRange(*map(_whole, record["carbon"]))
            for name in ("component_uj", "marginal_uj", "reserved_uj", "metered_uj", "gap_ms"):
                _whole(record[name])
            return cls(**given)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no record of energy figures ({error}): {record!r:.300}") from error


def total(figures: Iterable[EnergyFigures]) -> EnergyFigures | None:
    """Sum of figures; None of none, as nothing measured is not zero."""
    found: EnergyFigures | None = None
    for each in figures:
        found = each if found is None else found + each
    return found


def electricity_cost(figures: EnergyFigures, price_per_kwh: Decimal) -> Decimal:
    """What the owner's bill rose by, in the currency of the price."""
    return figures.marginal_uj * price_per_kwh / UJ_PER_KWH


def net_earnings(earnings: Decimal, figures: EnergyFigures, price_per_kwh: Decimal) -> Decimal:
    """Earnings less electricity; below zero where the work did not pay."""
    return earnings - electricity_cost(figures, price_per_kwh)


def in_unit(amount: float, unit: str) -> str:
    """Format an amount to three digits with the fitting prefix, such as ``1.24 kJ``."""
    # Rounded before the prefix is chosen: 999.7 is 1 k, not 1e+03.
    rounded = float(f"{amount:.3g}")
    for prefix, scale in _PREFIXES:
        if abs(rounded) >= scale:
            return f"{rounded / scale:.3g} {prefix}{unit}"
    return f"0 {unit}" if not amount else f"{amount:.1e} {unit}"


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    return value


def _strings(values: object) -> frozenset[str]:
    if not isinstance(values, list | tuple) or not all(isinstance(it, str) for it in values):
        raise TypeError(f"{values!r:.100} is no list of strings")
    return frozenset(values)
