"""How a recruiter's preference weighs on the draw of providers.

    offers + "energy" | "carbon" | "speed" | "price" ─► weights ─► the engine draws

A weight, not a rank: placement stays a draw, as attempts of one task must not meet predictably,
and figures that providers state about themselves must not decide who gets work. Hence the floor;
and a figure counts at the high end of its class, so that nobody gains by measuring worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from eco_dask.energy.carbon import UJ_PER_KWH
from eco_dask.energy.reading import Tier
from eco_dask.types import ProviderId

Prefer = Literal["energy", "carbon", "speed", "price"]

#: The least that anybody eligible is drawn with, against 1 for the best.
WEIGHT_MIN = 0.05
#: How sharply weight falls: twice the cost, a quarter of the weight.
SHARPNESS = 2.0
_J_PER_KWH = UJ_PER_KWH / 1_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of one eligible provider; None where it is unknown."""

    provider: ProviderId
    #: Speed of a slot over that of the reference core, by benchmark.
    score: float
    #: Asked per reference-core-second, millipoints.
    price_mpt: float
    #: Energy per reference-core-second, joules, from its receipts.
    joules: float | None = None
    #: Of ``joules``.
    tier: Tier = Tier.DEFAULT
    #: Of its declared zone.
    g_per_kwh: float | None = None

    def __post_init__(self) -> None:
        given = [it for it in (self.joules, self.g_per_kwh) if it is not None]
        numbers = (self.score, self.price_mpt, *given)
        if not all(math.isfinite(it) and it >= 0 for it in numbers) or self.score == 0:
            raise ValueError(f"an offer's numbers are finite, >= 0, its score > 0; got {self}")


def weights(offers: Sequence[Offer], prefer: Prefer) -> Mapping[ProviderId, float]:
    """Weights to draw providers with, from ``WEIGHT_MIN`` to 1.

    Who costs least has weight 1. Unknown cost has the least weight: there is nothing to gain by
    hiding it. If nobody's is known, all are equal.

    Raises
    ------
    ValueError
        There is no such preference.
    """
    if prefer not in get_args(Prefer):
        raise ValueError(f"prefer is one of {', '.join(get_args(Prefer))}; got {prefer!r}")
    costs = {offer.provider: _cost(offer, prefer) for offer in offers}
    known = [cost for cost in costs.values() if cost is not None]
    if not known:
        return dict.fromkeys(costs, 1.0)
    least = min(known)
    return {provider: _weight(cost, least) for provider, cost in costs.items()}


def _weight(cost: float | None, least: float) -> float:
    if cost is None:
        return WEIGHT_MIN
    if cost == least:
        return 1.0
    return max(WEIGHT_MIN, math.pow(least / cost, SHARPNESS))


def _cost(offer: Offer, prefer: Prefer) -> float | None:
    high_j = None if offer.joules is None else offer.joules * offer.tier.wall_spread
    match prefer:
        case "energy":
            return high_j
        case "carbon":
            if high_j is None or offer.g_per_kwh is None:
                return None
            return high_j * offer.g_per_kwh / _J_PER_KWH
        case "speed":
            return 1 / offer.score
        case "price":
            return offer.price_mpt
