"""Energy of the coordinator's own processes, and the carbon intensities that all figures rest on.

EnergyRule ──► IntensityTable     this machine's meters ──► OwnWork
"""

from __future__ import annotations

import os
from dataclasses import replace

from eco_dask.energy.declared import Declared, terms_of
from eco_dask.energy.intensity import CarbonIntensityProvider, json_file, static_table
from eco_dask.energy.own_work import OwnWork
from eco_dask.energy.readers.choose import available
from eco_dask.energy_config import EnergyRule
from eco_dask.errors import ConfigurationError


def intensities_of(rule: EnergyRule) -> CarbonIntensityProvider:
    """Return the operator's own table, or the shipped one.

    Raises
    ------
    ConfigurationError
        If the operator's is none.
    """
    if not rule.intensity:
        return static_table()
    try:
        return json_file(rule.intensity)
    except ValueError as error:
        raise ConfigurationError(f"eco-dask.energy.intensity: {error}") from error


def own_work(rule: EnergyRule, intensities: CarbonIntensityProvider) -> OwnWork:
    """Return the meter of this process.

    Raises
    ------
    ConfigurationError
        If the settings of the machine are wrong.
    """
    try:
        declared = Declared(zone=rule.zone, machine=rule.machine, threads=os.cpu_count() or 1)
    except ValueError as error:
        raise ConfigurationError(f"eco-dask.energy: {error}") from error
    meters = available()
    # A coordinator computes nothing on GPUs, and their idle power is not its doing.
    cpu = tuple(it for it in meters.readers if it.name not in ("nvml", "amdgpu"))
    return OwnWork(replace(meters, readers=cpu), terms_of(declared, intensities))
