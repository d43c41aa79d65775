"""Settings that change while the agent runs."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path

import dask
import pytest

from eco_dask.agent.settings_file import AT_START, SettingsFile, known_settings, parse_value
from eco_dask.config import sandbox_rule
from eco_dask.errors import ConfigurationError
from eco_dask.owner_config import give_back_after_s, presence_rule, transfer_rule


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "worker.yaml")


@pytest.fixture(autouse=True)
def _own_settings():
    before = deepcopy(dask.config.config["eco-dask"])
    yield
    dask.config.config["eco-dask"] = before


def later(file: SettingsFile) -> None:
    """Let the clock of the file system move on."""
    stat = file.path.stat()
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))


def test_what_is_put_is_followed_and_what_is_unset_is_as_before(file: SettingsFile) -> None:
    assert file.follow() is False
    file.put("presence.idle", "5 minutes")
    file.put("presence.programs", "game, Blender")
    file.put("transfer.per-day", "2 GB")
    file.put("sandbox.cpu-share", "0.5")
    assert file.follow() is True
    rule = presence_rule()
    assert (rule.idle_s_min, rule.programs) == (300, ("game", "Blender"))
    assert rule.transfer_bytes_max == 2_000_000_000
    assert sandbox_rule().limits.cpu_share == 0.5
    assert file.follow() is False
    file.put("presence.idle", None)
    later(file)
    assert file.follow() is True
    assert presence_rule().idle_s_min is None
    file.path.unlink()
    assert file.follow() is True
    assert presence_rule().programs == ()


BAD = {
    "presence.idel": "presence.idle", "presence": "did you mean", "nonsense": "config list",
}  # fmt: skip


@pytest.mark.parametrize(("name", "hint"), BAD.items())
def test_an_unknown_setting_is_refused_with_a_hint(file: SettingsFile, name, hint) -> None:
    if name == "presence.idel":
        hint = "there is no setting"
    with pytest.raises(ConfigurationError, match=hint):
        file.put(name, "1")
    assert not file.path.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("presence.idle", "soon"), ("presence.load-max", "7"), ("transfer.down", "10 kB"),
        ("transfer.up", "100 kB"), ("energy.hours", "never"), ("sandbox.processes", "1"),
        ("presence.give-back-after", "x"), ("ping", "0 s"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_changes_nothing(file: SettingsFile, name, text) -> None:
    file.put("presence.on-battery", "true")
    before = file.path.read_text()
    with pytest.raises(ConfigurationError):
        file.put(name, text)
    assert file.path.read_text() == before


@pytest.mark.parametrize("text", ["[1, 2", "- a\n", "presence.idle: soon\n", "other: 1\n"])
def test_a_file_that_cannot_be_used_leaves_what_held(file: SettingsFile, text) -> None:
    file.put("presence.idle", "5 minutes")
    file.follow()
    file.path.write_text(text)
    later(file)
    with pytest.raises(ConfigurationError):
        file.follow()
    assert presence_rule().idle_s_min == 300


def test_lists_are_typed_with_commas_or_as_yaml() -> None:
    assert parse_value("presence.programs", "a, b c") == ["a", "b c"]
    assert parse_value("presence.programs", "[a, b]") == ["a", "b"]
    assert parse_value("presence.on-battery", "true") is True
    assert parse_value("presence.idle", "5 minutes") == "5 minutes"


def test_what_holds_only_from_the_next_start_are_settings() -> None:
    assert known_settings().keys() >= AT_START


def test_the_defaults_limit_nothing_and_spare_batteries() -> None:
    rule = presence_rule()
    assert (rule.idle_s_min, rule.load_max, rule.programs) == (None, None, ())
    assert not rule.on_battery
    assert transfer_rule().up_bytes_per_s is None
    assert give_back_after_s() == 60
