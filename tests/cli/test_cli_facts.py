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
    "dashboard_url": "https://127.0.0.1:8787",
    "dashboard_pin": "a" * 26,
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


def test_the_panels_link_carries_a_pin_where_there_is_one() -> None:
    facts = CoordinatorFacts(**FACTS)
    assert facts.panel_link("T") == f"https://127.0.0.1:8787/#token=T&pin={'a' * 26}"
    public = CoordinatorFacts(**FACTS | {"dashboard_pin": ""})
    assert public.panel_link("T") == "https://127.0.0.1:8787/#token=T"
