"""Live carbon intensity, opt-in and at the coordinator only, over a fetch function it is given.

    ElectricityMaps | WattTime ──fetch(url, headers)──► JSON text ─► Intensity

Nothing here opens a connection: the operator passes the function that may, with credentials of
their own, and decides how often. Free use of Electricity Maps is for one zone; WattTime needs an
account. Written from their public documentation and tested with its example answers only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from eco_dask.energy.intensity import Intensity

#: URL and headers in, body of the answer out; raises what it likes if there is none.
Fetch = Callable[[str, Mapping[str, str]], str]

ELECTRICITY_MAPS_URL = "https://api.electricitymap.org/v3/carbon-intensity/latest"
WATTTIME_URL = "https://api.watttime.org/v3/forecast"
G_PER_LB = 453.59237
_KWH_PER_MWH = 1000
#: A live value is a model's estimate, judgement; an estimated one is worth less.
_SPREAD, _ESTIMATED_SPREAD = 1.1, 1.2


class IntensityAnswerError(ValueError):
    """A live source answered with something that is no intensity; use the table instead."""


@dataclass(frozen=True, slots=True)
class ElectricityMaps:
    """Average life-cycle intensity of the last hour."""

    fetch: Fetch
    token: str = field(repr=False)
    #: Their zone for an owner's, such as ``{"FRA": "FR"}``; others are passed on as they are.
    zones: Mapping[str, str] = field(default_factory=dict)

    def intensity(self, zone: str) -> Intensity:
        """Ask for a zone.

        Raises
        ------
        IntensityAnswerError
            The answer is of another form than documented, or of another zone.
        """
        theirs = self.zones.get(zone, zone)
        url = f"{ELECTRICITY_MAPS_URL}?{urlencode({'zone': theirs})}"
        answer = _object(self.fetch(url, {"auth-token": self.token}), "Electricity Maps")
        if answer.get("zone") != theirs:
            raise IntensityAnswerError(
                f"Electricity Maps was asked for {theirs!r} and answered for {answer.get('zone')!r}"
            )
        central = _number(answer.get("carbonIntensity"), "Electricity Maps")
        estimated = bool(answer.get("isEstimated"))
        spread = _ESTIMATED_SPREAD if estimated else _SPREAD
        kind = str(answer.get("emissionFactorType", "lifecycle"))
        basis = f"hourly average, {kind}" + (", estimated" if estimated else "")
        when = str(answer.get("datetime", ""))
        return Intensity(
            zone, central / spread, central, central * spread, when, basis, "Electricity Maps"
        )


@dataclass(frozen=True, slots=True)
class WattTime:
    """Marginal operating emissions: for choosing hours; not for SCI, which wants the average."""

    fetch: Fetch
    token: str = field(repr=False)
    #: Their region for an owner's zone.
    regions: Mapping[str, str] = field(default_factory=dict)

    def intensity(self, zone: str) -> Intensity:
        """Ask for the first value of a region's forecast.

        Raises
        ------
        IntensityAnswerError
            The answer is of another form than documented.
        """
        query = {"region": self.regions.get(zone, zone), "signal_type": "co2_moer"}
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = _object(self.fetch(f"{WATTTIME_URL}?{urlencode(query)}", headers), "WattTime")
        match answer:
            case {"data": [{"point_time": str(when), "value": value}, *_], "meta": {"units": unit}}:
                pass
            case _:
                raise IntensityAnswerError("WattTime's answer holds no data with point_time, value")
        if unit != "lbs_co2_per_mwh":
            raise IntensityAnswerError(f"WattTime's unit is {unit!r}, not lbs_co2_per_mwh")
        central = _number(value, "WattTime") * G_PER_LB / _KWH_PER_MWH
        return Intensity(
            zone,
            central / _SPREAD,
            central,
            central * _SPREAD,
            when,
            "marginal, operating",
            "WattTime",
            "marginal intensity: not comparable with averages",
        )


def _object(text: str, who: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as error:
        raise IntensityAnswerError(f"{who} answered with no JSON: {error}") from None
    if not isinstance(answer, dict):
        raise IntensityAnswerError(f"{who} answered with no JSON object")
    return answer


def _number(value: object, who: str) -> float:
    # A sane upper bound is far above any grid; NaN fails the comparison.
    if (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_000  # noqa: PLR2004
    ):
        raise IntensityAnswerError(f"{who} gave {value!r} as an intensity")
    return float(value)
