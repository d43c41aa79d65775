"""The meters of this machine and its owner's word, made ready for the agent and shown to the owner.

OwnerEnergyRule + wall-watts.json ──energy_plan──► EnergyPlan ──lines_of──► what the owner reads
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from eco_dask.agent.energy import EnergyPlan
from eco_dask.energy.declared import Declared, machine_classes
from eco_dask.energy.intensity import static_table
from eco_dask.energy.readers.choose import Meters, MeterSetup, available
from eco_dask.energy.readers.cpu_facts import CpuFacts, cpu_facts
from eco_dask.energy.readers.load_law import calibrated_law
from eco_dask.energy.readers.load_model import LoadSettings
from eco_dask.energy_config import OwnerEnergyRule
from eco_dask.errors import ConfigurationError

#: Where a calibration is kept, beside the machine's key.
CALIBRATION_FILE: Final = "wall-watts.json"
_BASIS_CHARS_MAX = 200


def energy_plan(rule: OwnerEnergyRule, folder: Path, slots: int) -> EnergyPlan:
    """Choose the meters and put together what is declared.

    Parameters
    ----------
    rule : OwnerEnergyRule
        The owner's settings.
    folder : Path
        Where a calibration may lie.
    slots : int
        Tasks at a time.

    Raises
    ------
    ConfigurationError
        The settings or the calibration are wrong; the message says which.
    """
    facts = cpu_facts()
    wall_watts = tuple(sorted(load_calibration(folder / CALIBRATION_FILE).items()))
    try:
        settings = LoadSettings(idle_w=rule.idle_w, max_w=rule.max_w, wall_watts=wall_watts)
        meters = available(MeterSetup(load=settings, cpu=facts))
        declared = Declared(
            zone=rule.zone,
            price_per_kwh=rule.price_per_kwh,
            currency=rule.currency,
            machine=rule.machine or _class_of(facts),
            threads=facts.threads,
            dedicated=rule.dedicated,
            rated_w=None if meters.load is None else meters.load.law.points[-1][1],
            basis=basis_of(meters)[:_BASIS_CHARS_MAX],
        )
    except ValueError as error:
        raise ConfigurationError(f"eco-dask.worker.energy: {error}") from error
    return EnergyPlan(meters, declared, slots)


def load_calibration(path: Path) -> dict[float, float]:
    """Read plug-meter readings, watts at the wall by utilisation; empty if there are none.

    Raises
    ------
    ConfigurationError
        The file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        readings = {float(use): float(watts) for use, watts in json.loads(text).items()}
        calibrated_law(readings)
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"{path} is no calibration ({error}): run eco-dask-worker calibrate --watts again, or "
            "remove the file"
        ) from error
    return readings


def save_calibration(path: Path, readings: Mapping[float, float]) -> None:
    """Keep plug-meter readings, once they are known to make a law.

    Raises
    ------
    ValueError
        They do not: an end is missing, or power falls with load.
    """
    calibrated_law(readings)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {str(use): readings[use] for use in sorted(readings)}
    path.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def basis_of(meters: Meters) -> str:
    """Say in words how the energy is known."""
    load = meters.load
    names = [it.name for it in meters.readers]
    if load is None:
        return "meters: " + ", ".join(names)
    others = "".join(f", {name}" for name in names if name != "load-model")
    return f"load model of {load.basis}{others}"


def lines_of(plan: EnergyPlan) -> Iterator[str]:
    """What the owner reads at the start: sources, classes, what is missing and what helps."""
    meters, declared = plan.meters, plan.declared
    load = meters.load
    label = "counters" if load is None else f"{load.tier.label}, class {load.tier.value}"
    yield f"Energy: {declared.basis} ({label})."
    for missing in meters.missing:
        if missing.remedy:
            yield f"Energy could be known better: {missing.reason}. What helps: {missing.remedy}"
    intensity = static_table().intensity(declared.zone)
    if intensity.warning:
        yield f"Energy: {intensity.warning} (eco-dask.worker.energy.zone)."
    else:
        yield f"Energy: {intensity.central:.0f} g CO2e per kWh ({intensity.zone} {intensity.when})."


def _class_of(facts: CpuFacts) -> str:
    # What the chassis says; a machine that says nothing is not guessed at.
    return facts.machine.value if facts.machine.value in machine_classes() else ""
