"""``eco-dask-worker calibrate``: readings become the load model; nothing else is left behind."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from eco_dask.agent.energy_plan import CALIBRATION_FILE, energy_plan, lines_of, load_calibration
from eco_dask.cli.calibrate import SHARES, loaded
from eco_dask.cli.owner import owner
from eco_dask.energy_config import OwnerEnergyRule
from eco_dask.errors import ConfigurationError

SILENT = OwnerEnergyRule("", None, "EUR", "", False, None, None, (), None)


def calibrate(folder: Path, *arguments: str, typed: str = "") -> Result:
    command = ["calibrate", "--local-directory", str(folder), *arguments]
    return CliRunner().invoke(owner, command, input=typed)


def test_readings_are_asked_for_at_several_loads_and_used_from_then_on(tmp_path: Path) -> None:
    threads = os.cpu_count() or 1
    loads = len({round(share * threads) for share in SHARES})
    typed = "".join(f"{20 + 10 * n}\n" for n in range(loads))
    result = calibrate(tmp_path, "--watts", "--seconds", "1", typed=typed)
    assert result.exit_code == 0, result.output
    assert f"{loads} loads of 1 s each" in result.output
    assert " 0% busy:   20.0 W at the wall" in result.output
    kept = load_calibration(tmp_path / CALIBRATION_FILE)
    assert (kept[0.0], kept[1.0]) == (20.0, 10.0 + 10 * loads)
    plan = energy_plan(SILENT, tmp_path, 1)
    if plan.meters.load is not None:
        # At the component: accounting multiplies by what lies between it and the wall.
        assert plan.meters.load.law.watts(0.0) == pytest.approx(16.0)
        assert "the owner's plug-meter readings" in plan.declared.basis
        assert "class C" in next(lines_of(plan))


def test_a_load_ends_with_its_block() -> None:
    before = set(psutil.Process().children())
    with loaded(1.0):
        assert len(set(psutil.Process().children()) - before) == (os.cpu_count() or 1)
    assert set(psutil.Process().children()) <= before


def test_readings_may_be_given(tmp_path: Path) -> None:
    assert calibrate(tmp_path, "--readings", "0=18,0.5=41,1=65").exit_code == 0
    path = tmp_path / CALIBRATION_FILE
    assert json.loads(path.read_text()) == {"0.0": 18.0, "0.5": 41.0, "1.0": 65.0}
    assert "No calibration" in calibrate(tmp_path, "--remove").output
    assert load_calibration(path) == {}
    assert calibrate(tmp_path, "--remove").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "say --watts"),
        (("--readings", "0=18"), "make no load model"),
        (("--readings", "0=60,1=20"), "watts are finite, >= 0 and do not fall with load"),
        (("--readings", "0=a,1=20"), "no SHARE=WATTS"),
        (("--readings", "full"), "no SHARE=WATTS"),
    ],
)
def test_what_is_no_reading_is_refused_and_changes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    result = calibrate(tmp_path, *arguments)
    assert result.exit_code != 0
    assert complaint in " ".join(result.output.split())
    assert not (tmp_path / CALIBRATION_FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", '{"0": "a"}', '{"0": 5}', '{"0": 9, "1": 3}'])
def test_a_damaged_calibration_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / CALIBRATION_FILE
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="run eco-dask-worker calibrate --watts again"):
        load_calibration(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idle_w": 5.0}, "idle and maximum watts belong together"),
        ({"idle_w": 50.0, "max_w": 5.0}, "do not fall with load"),
        ({"zone": "FRANCE!"}, "a zone is a code"),
        ({"machine": "toaster"}, "a machine is one of"),
        ({"price_per_kwh": -1.0}, "price_per_kwh is a number"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"eco-dask.worker.energy.*{message}"):
        energy_plan(replace(SILENT, **changes), tmp_path, 1)


def test_the_owner_reads_what_is_known_and_what_would_help(tmp_path: Path) -> None:
    lines = "\n".join(lines_of(energy_plan(SILENT, tmp_path, 1)))
    assert "the owner declared no country" in lines
    declared = OwnerEnergyRule("FRA", 0.2, "EUR", "laptop", False, 5.0, 40.0, (), None)
    lines = "\n".join(lines_of(energy_plan(declared, tmp_path, 1)))
    assert "g CO2e per kWh (FRA" in lines
