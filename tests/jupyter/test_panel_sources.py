"""The panel's own tests and lint, and what its build leaves."""

from __future__ import annotations

import json
import re

import pytest
from panel_tools import EXTENSION, built, installed, jlpm

import eco_dask

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def _packages():
    installed()


def test_the_panels_own_tests_pass():
    said = jlpm("test", "--reporter=default")
    (passed,) = re.findall(r"Tests\s+(\d+) passed", re.sub(r"\x1b\[[0-9;]*m", "", said))
    assert int(passed) > 100


def test_the_panels_sources_are_clean():
    jlpm("lint")


def test_what_is_built_is_one_extension_with_its_settings():
    package = json.loads((built() / "package.json").read_text())
    assert package["version"] == eco_dask.__version__
    entry = built() / package["jupyterlab"]["_build"]["load"]
    assert entry.exists()
    assert (built() / "schemas" / "eco-dask" / "plugin.json").exists()


def test_the_lock_names_no_place_to_load_from():
    lock = (EXTENSION / "yarn.lock").read_text()
    assert not re.findall(r"https?://\S+", lock)


def test_every_setting_of_the_panel_says_what_it_is():
    schema = json.loads((EXTENSION / "schema" / "plugin.json").read_text())
    for name, setting in schema["properties"].items():
        assert {"title", "description", "default"} <= setting.keys(), name
