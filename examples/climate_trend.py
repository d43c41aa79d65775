"""How fast does North America warm? Ordinary xarray; the network computes and checks it.

python examples/climate_trend.py      (needs the extra: pip install -e '.[examples]')
"""

from pathlib import Path

import iris_sample_data
import numpy as np
import xarray as xr
from dask.distributed import Client

import eco_dask

FILE = Path(iris_sample_data.path) / "A1B_north_america.nc"


def warming_per_century() -> xr.DataArray:
    air = xr.open_dataset(FILE, decode_times=False, chunks={"time": 48}, inline_array=True)
    air = air["air_temperature"].reset_coords(drop=True).astype("float64")
    centuries = air["time"] / (24 * 360 * 100)  # from hours, in a calendar of 360 days
    centred = centuries - centuries.mean()
    return (air * centred).sum("time") / (centred**2).sum()


def main() -> None:
    trend = warming_per_century()
    with eco_dask.EcoCluster(n_providers=3) as cluster, Client(cluster):
        with eco_dask.job("warming") as job:
            checked = trend.compute()
        print(job.report())
    area = np.cos(np.deg2rad(checked["latitude"]))
    print(f"North America warms by {float(checked.weighted(area).mean()):.2f} K per century")
    assert checked.identical(trend.compute(scheduler="threads"))


if __name__ == "__main__":
    main()
