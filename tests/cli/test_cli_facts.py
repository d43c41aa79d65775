from __future__ import annotations

import stat
from pathlib import Path

import pytest

from eco_dask.cli.facts import CoordinatorFacts, read_facts, remove_facts, write_facts
from eco_dask.errors import ConfigurationError

FACTS = {
    "address": "tcp://127.0.0.1:8786",
    "provider_address": "ws://127.0.0.1:8790",
    "fingerprint": "",
    "database": "postgresql://eco:secret@db/eco",
}


def test_facts_come_back_and_are_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "coordinator.json"
    write_facts(path, FACTS | {"pid": 7})
    assert read_facts(path) == CoordinatorFacts(**FACTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_file_means_no_coordinator(tmp_path: Path) -> None:
    assert read_facts(tmp_path / "coordinator.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"address": "tcp://x:1"}'])
def test_damaged_facts_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "coordinator.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be read as a coordinator's facts"):
        read_facts(path)


def test_a_coordinator_removes_its_own_facts_only(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.json"
    write_facts(path, FACTS | {"pid": 7})
    remove_facts(path, 8)
    assert path.exists()
    remove_facts(path, 7)
    assert not path.exists()
    remove_facts(path, 7)
