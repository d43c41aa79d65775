"""What a gateway learned comes back as it was saved, part by part."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import StatementError

from eco_dask.ledger.database import open_database
from eco_dask.ledger.reputations import ReputationStore


@pytest.fixture
def store(url: str):
    engine = open_database(url)
    yield ReputationStore(engine)
    engine.dispose()


def test_a_new_gateway_has_learned_nothing(store: ReputationStore) -> None:
    assert store.load("g") == {}


def test_parts_come_back_as_they_were_saved(store: ReputationStore) -> None:
    parts = {"owner:anna": {"right": 3.5, "kinds": {"sum": [1, 2]}}, "network": [0.1, None]}
    store.save("g", parts, 1.0)
    assert store.load("g") == parts


def test_saving_a_part_replaces_it_and_no_other(store: ReputationStore) -> None:
    store.save("g", {"a": 1, "b": 2}, 1.0)
    store.save("g", {"b": 3}, 2.0)
    assert store.load("g") == {"a": 1, "b": 3}


def test_gateways_do_not_share_parts(store: ReputationStore) -> None:
    store.save("g", {"a": 1}, 1.0)
    store.save("h", {"a": 2}, 1.0)
    assert (store.load("g"), store.load("h")) == ({"a": 1}, {"a": 2})


def test_saving_nothing_writes_nothing(store: ReputationStore) -> None:
    store.save("g", {}, 1.0)
    assert store.load("g") == {}


def test_a_state_that_is_not_plain_is_refused_and_the_old_one_stays(store: ReputationStore) -> None:
    store.save("g", {"a": 1}, 1.0)
    with pytest.raises((StatementError, TypeError)):
        store.save("g", {"a": object()}, 2.0)
    assert store.load("g") == {"a": 1}
