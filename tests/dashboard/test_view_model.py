"""The view model: every snapshot goes through JSON unchanged."""

from __future__ import annotations

import json

import pytest

from eco_dask.dashboard.model import Snapshot
from eco_dask.testing import snapshots

SAMPLES = {
    "empty": snapshots.empty,
    "full": snapshots.full,
    "hostile": snapshots.hostile,
    "crowded": snapshots.crowded,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_snapshot_goes_through_json_and_comes_back_equal(name: str) -> None:
    snapshot = SAMPLES[name]()
    assert Snapshot.from_plain(json.loads(json.dumps(snapshot.to_plain()))) == snapshot


def test_the_parts_of_the_samples_add_up() -> None:
    for sample in SAMPLES.values():
        found = sample()
        assert found.network.providers_known == len(found.providers)
        assert found.points.posted_mpt == sum(o.posted_mpt for o in found.owners)
        for job in found.jobs:
            if (reserved_uj := job.energy.reserved_uj) is not None:
                energy = job.energy
                parts = (energy.useful_uj, energy.verification_uj, energy.wasted_uj)
                assert sum(parts) + energy.coordination_uj == reserved_uj


def test_what_a_newer_coordinator_adds_is_left_out() -> None:
    plain = snapshots.full().to_plain()
    plain["market"] = {"quotes": []}
    plain["network"]["weather"] = "fine"
    assert Snapshot.from_plain(plain) == snapshots.full()


WRONG = {
    "no mapping": [],
    "without its time": {"network": {}},
    "a text for a list": {"at_s": 1.0, "jobs": "many"},
    "a job without an id": {"at_s": 1.0, "jobs": [{"name": "x", "state": "done"}]},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_snapshot_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"mapping|no Snapshot|list|no Job"):
        Snapshot.from_plain(WRONG[name])
