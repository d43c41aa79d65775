"""How fast North America warms, by cell: ordinary xarray on Dask, as a climate scientist writes it.

NetCDF ──open_air_temperature──► (year, latitude, longitude) ──analyse──► means, anomalies, trend
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

#: Years whose mean the anomalies refer to, as the climate community's normal period.
BASELINE = (1961, 1990)
#: Years read and computed as one chunk.
YEARS_PER_CHUNK = 12
_HOURS_PER_YEAR = 24 * 360


def find_sample() -> Path:
    """Return the path of the A1B scenario over North America in the package iris-sample-data.

    Raises
    ------
    ModuleNotFoundError
        The package is not installed.
    """
    import iris_sample_data

    return Path(iris_sample_data.path) / "A1B_north_america.nc"


def open_air_temperature(path: Path) -> xr.DataArray:
    """Open the yearly air temperature [K] lazily, as an array (year, latitude, longitude)."""
    import xarray as xr

    # inline_array: tasks that read name the file themselves, so they go to a trusted worker.
    dataset = xr.open_dataset(
        path, decode_times=False, chunks={"time": YEARS_PER_CHUNK}, inline_array=True
    )
    # Double precision, as sums over 240 years of single ones lose digits that we show.
    air = dataset["air_temperature"].reset_coords(drop=True).astype("float64")
    # Hours since 1970 in a calendar of 360 days.
    years = 1970 + np.floor(air["time"].values / _HOURS_PER_YEAR).astype(int)
    return air.assign_coords(time=years).rename(time="year")


def analyse(air: xr.DataArray, baseline: tuple[int, int] = BASELINE) -> xr.Dataset:
    """Compute annual means over the area, anomalies against a baseline, and the trend by cell.

    Parameters
    ----------
    air : xarray.DataArray
        Temperature [K] with dimensions year, latitude [degrees] and longitude.
    baseline : tuple of int
        First and last year of the period that anomalies refer to.

    Returns
    -------
    xarray.Dataset
        ``annual_mean`` [K] and ``annual_anomaly`` [K] by year, ``reference`` [K] and ``trend``
        [K per century] by cell.
    """
    import xarray as xr

    # Cells shrink towards the poles with the cosine of the latitude.
    area = np.cos(np.deg2rad(air["latitude"]))
    reference = air.sel(year=slice(*baseline)).mean("year")
    anomaly = air - reference
    centred = air["year"] - air["year"].mean()
    slope = (anomaly * centred).sum("year") / (centred**2).sum("year")
    return xr.Dataset(
        {
            "annual_mean": air.weighted(area).mean(("latitude", "longitude")),
            "annual_anomaly": anomaly.weighted(area).mean(("latitude", "longitude")),
            "reference": reference,
            "trend": 100 * slope,
        }
    )


def draw_trend(result: xr.Dataset, path: Path) -> None:
    """Draw the trend by cell as a PNG, with the annual anomalies below it."""
    # The object interface: no global state, no display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 6.4), dpi=120, layout="constrained")
    upper, lower = figure.subplots(2, height_ratios=(3, 1))
    trend = result["trend"]
    image = upper.pcolormesh(trend["longitude"] - 360, trend["latitude"], trend, cmap="YlOrRd")
    upper.set(
        title="Warming over North America, 1860 to 2099, scenario A1B",
        xlabel="longitude [°]",
        ylabel="latitude [°]",
        aspect=1.3,
    )
    figure.colorbar(image, ax=upper, label="K per century")
    anomaly = result["annual_anomaly"]
    lower.bar(anomaly["year"], anomaly, width=1.0, color="firebrick")
    lower.set(xlabel="year", ylabel=f"K above {BASELINE[0]}-{BASELINE[1]}")
    lower.margins(x=0)
    figure.savefig(path, format="png")
