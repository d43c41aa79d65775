"""The meters: best available first, each labelled with its source and tier.

available() ─► Meters ─► Reader.read() ─► {device: Reading | Unavailable}
"""

from __future__ import annotations

from eco_dask.energy.readers.choose import Meters as Meters
from eco_dask.energy.readers.choose import MeterSetup as MeterSetup
from eco_dask.energy.readers.choose import available as available
from eco_dask.energy.readers.load_law import WALL_FACTOR as WALL_FACTOR
from eco_dask.energy.readers.load_law import LawName as LawName
from eco_dask.energy.readers.load_model import LoadSettings as LoadSettings
