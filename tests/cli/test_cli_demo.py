"""The main job on real input, and the judgement of its result."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr
from matplotlib.image import imread

from eco_dask.cli import climate, demo
from eco_dask.errors import EcoDaskError

YEARS, LATITUDES, LONGITUDES = np.arange(1951, 1997), np.array([0.0, 60.0]), np.array([10.0, 20.0])


def steady_warming() -> xr.DataArray:
    """Warm one cell per century by 1 K at the equator and by 4 K at 60 degrees north."""
    per_century = np.array([1.0, 4.0])
    air = 280 + per_century[:, None] * (YEARS[:, None, None] - 1951) / 100 * np.ones((2, 2))
    coordinates = {"year": YEARS, "latitude": LATITUDES, "longitude": LONGITUDES}
    return xr.DataArray(air, coordinates, name="air")


def test_the_trend_of_a_steady_warming_is_that_warming() -> None:
    trend = climate.analyse(steady_warming())["trend"]
    np.testing.assert_allclose(trend, [[1.0, 1.0], [4.0, 4.0]], rtol=1e-9)


def test_a_cell_at_60_degrees_weighs_half_as_much_as_one_at_the_equator() -> None:
    air = steady_warming()
    mean = climate.analyse(air)["annual_mean"]
    np.testing.assert_allclose(mean, (air[:, 0, 0] + 0.5 * air[:, 1, 0]) / 1.5, rtol=1e-12)


def test_anomalies_vanish_on_average_over_the_baseline() -> None:
    anomaly = climate.analyse(steady_warming())["annual_anomaly"]
    assert abs(float(anomaly.sel(year=slice(*climate.BASELINE)).mean())) < 1e-10


def test_equal_results_are_equal_bit_for_bit() -> None:
    result = climate.analyse(steady_warming())
    assert demo.compare(result, result.copy(deep=True)) == "bit for bit"


def test_results_that_differ_in_last_bits_are_told_apart_from_equal_ones() -> None:
    result = climate.analyse(steady_warming())
    assert demo.compare(result * (1 + 1e-12), result) == "within 1e-12 of its norm"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda r: r.assign(trend=r["trend"] * 1.01), "trend by 0.01 of its norm"),
        (lambda r: r.assign(trend=r["trend"] * np.nan), "trend by nan"),
        (lambda r: r.drop_vars("trend"), "the result has"),
        (lambda r: r.isel(year=slice(1, None)), "has the shape"),
    ],
)
def test_a_wrong_result_is_refused(change, complaint: str) -> None:
    result = climate.analyse(steady_warming())
    with pytest.raises(EcoDaskError, match=complaint):
        demo.compare(change(result), result)


def test_without_its_packages_the_demo_says_what_to_install(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_NEEDED", ("xarray", "no_such_package"))
    result = run("demo")
    assert result.exit_code == 1
    assert result.stderr == (
        'Error: the demo needs no_such_package: pip install "eco-dask[examples]"\n'
    )


@pytest.mark.e2e
def test_the_demo_gets_the_right_result_past_a_liar_and_a_crash(run, tmp_path: Path) -> None:
    picture = tmp_path / "trend.png"
    result = run("demo", "--output", picture)
    assert result.exit_code == 0, result.output
    assert "Result: equal to the local computation, bit for bit." in result.stdout
    height, width, channels = imread(picture).shape
    assert height > 300
    assert width > 300
    assert channels == 4
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    dissented = {owner: int(rows[owner][4]) for owner in demo.OWNERS}
    assert dissented.pop(demo.LIAR) > 0
    assert set(dissented.values()) == {0}
    assert "killed" in rows[demo.KILLED]
    # Each of the 20 chunks was read from its file by the trusted worker.
    reads = int(re.search(r"(\d+) trusted", result.stdout)[1])
    assert reads >= 240 // climate.YEARS_PER_CHUNK


@pytest.mark.e2e
@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole consoles only")
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "eco_dask.cli.main", "demo", "--output", str(tmp_path / "t.png")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any(line.startswith("Starting") for line in lines)
    family = psutil.Process(process.pid)
    while not family.children():
        assert process.poll() is None
    children = family.children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "Stopped; nothing is left running.\n"
    assert psutil.wait_procs(children, timeout=10)[1] == []
    # Dask keeps the folder in which all its workers make theirs.
    assert {path.name for path in tmp_path.iterdir()} <= {"dask-scratch-space"}
