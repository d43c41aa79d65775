"""Figures made for tests, and strategies of them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.reading import Tier


def figures(
    reserved_j: float = 2.0,
    marginal_j: float | None = None,
    tier: Tier = Tier.METERED,
    metered: float | None = None,
) -> EnergyFigures:
    """Figures at the wall, of plain numbers."""
    reserved_uj = round(reserved_j * 1e6)
    marginal_uj = reserved_uj if marginal_j is None else round(marginal_j * 1e6)
    share = (1.0 if tier is Tier.METERED else 0.0) if metered is None else metered
    return EnergyFigures(
        component_uj=int(marginal_uj / Fraction(5, 4)),
        marginal_uj=marginal_uj,
        reserved_uj=reserved_uj,
        metered_uj=round(reserved_uj * share),
        carbon=CarbonRange(1, 2, 4),
        tier=tier,
        sources=frozenset({"rapl"}),
        grids=frozenset({"FRA 2023"}),
    )


@st.composite
def any_figures(draw: st.DrawFn) -> EnergyFigures:
    """Figures of any size and class."""
    reserved = draw(st.integers(0, 10**15))
    marginal = draw(st.integers(0, reserved))
    carbon = sorted(draw(st.lists(st.integers(0, 10**12), min_size=3, max_size=3)))
    tier = draw(st.sampled_from(Tier))
    return EnergyFigures(
        draw(st.integers(0, marginal)),
        marginal,
        reserved,
        draw(st.integers(0, reserved)),
        CarbonRange(*carbon),
        tier,
        draw(st.frozensets(st.sampled_from(["rapl", "nvml", "load-model"]))),
        draw(st.frozensets(st.sampled_from(["FRA 2023", "WLD 2023"]))),
        draw(st.frozensets(st.sampled_from(["one warning", "another"]))),
        draw(st.integers(0, 10**9)),
    )
