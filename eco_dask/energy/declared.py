"""What an owner declares of a machine's energy: place, price, kind of machine.

Declared ──to_map──► wire ──from_map──► Declared ──terms_of──► Terms

A claim that nothing checks: it changes what is shown for that owner, and pays nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from eco_dask.energy.carbon import machine
from eco_dask.energy.data_files import rows
from eco_dask.energy.intensity import CarbonIntensityProvider
from eco_dask.energy.tally import Terms

_ZONE: Final = re.compile(r"[A-Z0-9-]{0,16}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
#: Threads, watts, and price per kWh in whatever currency: beyond it is a slip or a lie.
THREADS_MAX, RATED_W_MAX, PRICE_MAX = 8192, 20_000.0, 100_000.0
_BASIS_CHARS_MAX = 256


@dataclass(frozen=True, slots=True)
class Declared:
    """What is said of one machine; empty or None where the owner said nothing.

    Raises
    ------
    ValueError
        Something is of another form or out of range; the message says what.
    """

    #: ISO 3166-1 alpha-3 of the country, or a zone that the operator's table has.
    zone: str = ""
    #: What the owner pays for a kilowatt-hour.
    price_per_kwh: float | None = None
    #: ISO 4217.
    currency: str = "EUR"
    #: A class of the shipped table, such as ``laptop``.
    machine: str = ""
    #: Hardware threads.
    threads: int = 1
    #: The machine runs for the network only, so that it carries all idle power.
    dedicated: bool = False
    #: Rated power of the CPU, and of GPUs where known, watts.
    rated_w: float | None = None
    #: How its energy is known, in words for people.
    basis: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.zone, str) or not _ZONE.fullmatch(self.zone):
            raise ValueError(f"a zone is a code such as FRA or IND; got {self.zone!r:.40}")
        if not isinstance(self.currency, str) or not _CURRENCY.fullmatch(self.currency):
            raise ValueError(f"a currency is a code such as EUR; got {self.currency!r:.40}")
        if self.machine not in ("", *machine_classes()):
            known = ", ".join(machine_classes())
            raise ValueError(f"a machine is one of {known}; got {self.machine!r:.40}")
        if type(self.threads) is not int or not 1 <= self.threads <= THREADS_MAX:
            raise ValueError(f"threads are 1 to {THREADS_MAX}; got {self.threads!r:.40}")
        if type(self.dedicated) is not bool:
            raise ValueError(f"dedicated is true or false; got {self.dedicated!r:.40}")
        _check_number("price_per_kwh", self.price_per_kwh, PRICE_MAX)
        _check_number("rated_w", self.rated_w, RATED_W_MAX)
        if not isinstance(self.basis, str) or len(self.basis) > _BASIS_CHARS_MAX:
            raise ValueError(f"basis is a text of at most {_BASIS_CHARS_MAX} characters")

    @property
    def price(self) -> Decimal | None:
        """Price of a kilowatt-hour, exact as it was written."""
        return None if self.price_per_kwh is None else Decimal(repr(float(self.price_per_kwh)))

    def to_map(self) -> dict[str, Any]:
        """Return the form that goes over the wire and into the books."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_map(cls, mapping: Mapping[str, Any]) -> Declared:
        """Read what :meth:`to_map` gave, from a peer that may send anything.

        Raises
        ------
        ValueError
            A key is unknown, or a value is none.
        """
        known = {field.name for field in fields(cls)}
        odd = sorted(set(mapping) - known)
        if odd:
            raise ValueError(f"unknown facts about energy: {', '.join(odd)[:100]!r}")
        return cls(**mapping)


def machine_classes() -> tuple[str, ...]:
    """Kinds of machines whose making is in the shipped table."""
    return tuple(row["name"] for row in rows("embodied.json", "machines"))


def terms_of(declared: Declared, intensities: CarbonIntensityProvider) -> Terms:
    """What turns energy of that machine into CO2e."""
    made = machine(declared.machine, declared.threads) if declared.machine else None
    return Terms(intensities.intensity(declared.zone), made)


def _check_number(name: str, value: object, most: float) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= most:  # type: ignore[arg-type,operator]
        raise ValueError(f"{name} is a number from 0 to {most:g}; got {value!r:.40}")
