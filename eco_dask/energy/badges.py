"""Badges: facts from stored figures, each with its rule, or the reason why it is not given.

    PeriodFacts ─► metered | low_carbon_grid | efficient | below_cloud ─► Badge | Withheld
    Badge ─► svg() | shields()

The coordinator computes them from receipts and may take them back; a provider never awards one to
itself. No badge is given from tier D, or where the power claimed cannot be. Words that promise
more than a figure can hold are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from eco_dask.energy.cloud import CloudComparison
from eco_dask.energy.figures import EnergyFigures, in_unit
from eco_dask.energy.intensity import WORLD, Intensity
from eco_dask.energy.reading import Tier, Unavailable

METERED_SHARE_MIN = 0.90
METERED_DAYS_MIN = 7.0
LOW_CARBON_MAX_G_PER_KWH = 100.0
BELOW_CLOUD_MIN_J = 3_600_000.0
#: A provider cannot draw more than this many times its CPU's (and GPUs') rated power for long.
PLAUSIBLE_TDP_FACTOR = 1.5
#: A quartile of fewer is chance.
PEERS_MIN = 8
#: Generic claims that need a certificate (EU directive 2024/825), and boasts.
_CLAIMS = re.compile(
    r"\b(green(er|est)?|eco|ecological(ly)?|eco-?friendly|sustainab\w*|climate|clean(er|est)?|"
    r"(carbon|co2)[- ](neutral|free|negative|positive)|net[- ]zero|environment\w*)\b",
    re.IGNORECASE,
)
_COLOUR, _LABEL_COLOUR = "#2f6f9f", "#555"
_CHAR_PX, _PAD_PX, _HEIGHT_PX = 6.6, 10, 20


@dataclass(frozen=True, slots=True)
class Badge:
    """A fact, as label and message."""

    label: str
    message: str

    def __post_init__(self) -> None:
        claim = _CLAIMS.search(f"{self.label} {self.message}")
        if claim:
            raise ValueError(f"a badge states figures; {claim.group()!r} is a claim")
        if not any(it.isdigit() for it in self.message):
            raise ValueError(f"a badge states a figure; {self.message!r} has none")

    def shields(self) -> str:
        """JSON of an endpoint badge, schema version 1 of shields.io; needs no server of ours."""
        fact = {"schemaVersion": 1, "label": self.label, "message": self.message, "color": "blue"}
        return json.dumps(fact)

    def svg(self) -> str:
        """An SVG picture with an accessible title, without script or outside reference."""
        left, right = (round(len(it) * _CHAR_PX + _PAD_PX) for it in (self.label, self.message))
        width = left + right
        title = f"{self.label}: {self.message}"
        text = '<text x="{x}" y="14" text-anchor="middle" textLength="{w}">{t}</text>'
        texts = text.format(x=left / 2, w=left - _PAD_PX, t=escape(self.label)) + text.format(
            x=left + right / 2, w=right - _PAD_PX, t=escape(self.message)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT_PX}" '
            f'role="img" aria-label={quoteattr(title)}><title>{escape(title)}</title>'
            f'<rect width="{left}" height="{_HEIGHT_PX}" fill="{_LABEL_COLOUR}"/>'
            f'<rect x="{left}" width="{right}" height="{_HEIGHT_PX}" fill="{_COLOUR}"/>'
            f'<g fill="#fff" font-family="Verdana,sans-serif" font-size="11">{texts}</g></svg>'
        )


@dataclass(frozen=True, slots=True)
class Withheld:
    """No badge, and why; shown to the owner."""

    reason: str


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """What receipts of a period say of one provider."""

    figures: EnergyFigures
    days: float
    #: Time in which it computed.
    busy_s: float
    #: Rated power of the CPU and the GPUs in use, watts.
    tdp_w: float


def summary(facts: PeriodFacts, comparison: CloudComparison | Unavailable) -> Badge | Withheld:
    """What was used, how much of it was metered, and how it compares, whatever that shows."""
    if (no := _unfit(facts)) is not None:
        return no
    it = facts.figures
    percent = 100 * it.metered_uj // it.reserved_uj
    said = f"{percent} % metered, {_kwh(it)} in {facts.days:.0f} days"
    if it.tier is not Tier.METERED:
        said += f" (class {it.tier.value})"
    if isinstance(comparison, CloudComparison):
        said += f", {comparison}"
    return Badge("energy", said)


def metered(facts: PeriodFacts) -> Badge | Withheld:
    """At least 90 % of the energy counted by tier A meters, over a week."""
    if (no := _unfit(facts)) is not None:
        return no
    if facts.days < METERED_DAYS_MIN:
        return Withheld(f"{facts.days:.1f} days of receipts; needs {METERED_DAYS_MIN:.0f}")
    it = facts.figures
    if it.metered_share < METERED_SHARE_MIN:
        return Withheld(f"{it.metered_share:.0%} metered; needs {METERED_SHARE_MIN:.0%}")
    percent = 100 * it.metered_uj // it.reserved_uj
    return Badge("energy", f"{percent} % metered, {_kwh(it)} in {facts.days:.0f} days")


def low_carbon_grid(facts: PeriodFacts, intensity: Intensity) -> Badge | Withheld:
    """A declared country whose annual average is below 100 g/kWh."""
    if (no := _unfit(facts)) is not None:
        return no
    if intensity.zone == WORLD or intensity.warning:
        return Withheld(intensity.warning or "the owner declared no country")
    if intensity.central >= LOW_CARBON_MAX_G_PER_KWH:
        return Withheld(f"{intensity.central:.0f} g/kWh; needs below {LOW_CARBON_MAX_G_PER_KWH:g}")
    return Badge("grid", f"{intensity.central:.0f} g/kWh, {intensity.zone} {intensity.when}")


def efficient(
    facts: PeriodFacts, work_units: float, peers: Sequence[tuple[Tier, float]]
) -> Badge | Withheld:
    """In the best quarter by reserved joules per work unit, among providers of the same tier.

    ``peers`` holds the tier and the joules per work unit of all providers, this one included.
    """
    if (no := _unfit(facts)) is not None:
        return no
    if work_units <= 0:
        return Withheld("no accepted work in the period")
    mine = facts.figures.reserved_j / work_units
    same = sorted(joules for tier, joules in peers if tier is facts.figures.tier)
    if len(same) < PEERS_MIN:
        return Withheld(
            f"{len(same)} providers of class {facts.figures.tier.value}; needs {PEERS_MIN}"
        )
    if mine > same[len(same) // 4 - 1]:
        return Withheld(f"{mine:.3g} J per work unit is not in the best quarter")
    message = f"{mine:.3g} J per work unit, best 25 % of {len(same)} ({facts.figures.tier.label})"
    return Badge("energy per work", message)


def below_cloud(facts: PeriodFacts, comparison: CloudComparison) -> Badge | Withheld:
    """The highest likely use is below the conservative baseline, over at least 1 kWh."""
    if (no := _unfit(facts)) is not None:
        return no
    if facts.figures.reserved_j < BELOW_CLOUD_MIN_J:
        return Withheld(f"{_kwh(facts.figures)} used; needs 1 kWh")
    if comparison.used_j != facts.figures.reserved_j or comparison.baseline != "conservative":
        return Withheld("needs a comparison of the same energy with the conservative baseline")
    if comparison.verdict != "less":
        return Withheld(str(comparison))
    low, high = (
        in_unit(it / 3600, "Wh") for it in (comparison.saved_low_j, comparison.saved_high_j)
    )
    return Badge(
        "vs cloud baseline", f"{in_unit(comparison.saved_j / 3600, 'Wh')} less ({low} to {high})"
    )


def _unfit(facts: PeriodFacts) -> Withheld | None:
    """What keeps a provider from any badge."""
    it = facts.figures
    if it.tier is Tier.DEFAULT:
        return Withheld("the CPU is unknown, so its energy is a guess (class D)")
    if it.reserved_uj == 0 or facts.busy_s <= 0:
        return Withheld("no energy was accounted in the period")
    power_w, most_w = it.component_uj / 1e6 / facts.busy_s, PLAUSIBLE_TDP_FACTOR * facts.tdp_w
    if power_w > most_w:
        return Withheld(f"{power_w:.0f} W on average cannot be: {most_w:.0f} W at most")
    return None


def _kwh(figures: EnergyFigures) -> str:
    return in_unit(figures.wh, "Wh")
