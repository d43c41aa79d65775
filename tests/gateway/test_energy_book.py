"""Claims of energy at the gateway: whose they are, when they count, and what is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eco_dask.energy.declared import Declared
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.intensity import static_table
from eco_dask.energy.reading import Unavailable
from eco_dask.engine.facts import Provider
from eco_dask.gateway.energy import EnergyBook
from eco_dask.gateway.session import Session
from eco_dask.ledger.energy_entries import EnergyEntry
from eco_dask.types import BallotId, JobId, LeaseId, OwnerId, ProviderId
from eco_dask.wire import messages as m
from eco_dask.wire.limits import WireLimits

LEASE = LeaseId("g/1")
CLAIM = m.Metered(LEASE, 8_000_000, 0, 2_000_000, 0, "C", ("load-model",), 2000, 0, 1, False, True)


class Desk:
    """A book, its clock, and what it wrote."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.entries: list[EnergyEntry] = []
        self.book = EnergyBook(self.entries.extend, static_table(), lambda: self.now_s)

    def grant(self, session: Session, lease: LeaseId = LEASE, purpose: Any = "vote") -> None:
        self.book.granted(lease, session.provider.id, BallotId("b"), JobId("j"), purpose)

    def hear(self, session: Session, message: m.Metered | m.Unmetered) -> list[EnergyEntry]:
        self.book.take(session, message)
        self.book.flush()
        return self.entries


def session_of(name: str = "p", **fields: Any) -> Session:
    provider = Provider(
        ProviderId(name), OwnerId(f"owner of {name}"), "provider", frozenset(), 1, 8
    )
    return Session(provider, WireLimits(), 1 << 20, **fields)


def test_a_claim_becomes_an_entry_at_the_wall_and_in_the_owners_country() -> None:
    desk, session = Desk(), session_of(declared=Declared("FRA", machine="laptop", threads=8))
    desk.grant(session, purpose="audit")
    desk.now_s += 5
    (entry,) = desk.hear(session, CLAIM)
    assert (entry.id, entry.job, entry.purpose, entry.owner) == (LEASE, "j", "audit", "owner of p")
    assert isinstance(entry.energy, EnergyFigures)
    assert (entry.energy.marginal_uj, entry.energy.reserved_uj) == (10_000_000, 12_500_000)
    assert {it[:3] for it in entry.energy.grids} == {"FRA"}
    assert entry.energy.carbon.central_ug > 0


def test_the_first_word_counts_and_only_of_ones_own_leases() -> None:
    desk, session, thief = Desk(), session_of(), session_of("thief")
    desk.grant(session)
    desk.now_s += 5
    assert desk.hear(thief, CLAIM) == []
    assert desk.hear(session, replace(CLAIM, lease=LeaseId("never granted"))) == []
    assert len(desk.hear(session, CLAIM)) == 1
    assert len(desk.hear(session, replace(CLAIM, marginal_uj=9))) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"marginal_uj": 10**15}, "not believed: more power than the machine can draw"),
        ({"overlap_ms": 10**8}, "not believed: more time than has passed"),
        ({"tier": "A"}, "not believed: a better class than its meters give"),
        ({"tier": "Z"}, "not believed: 'Z' is not a valid Tier"),
        ({"sources": ("oracle",)}, "not believed: no such meter"),
    ],
)
def test_what_cannot_be_is_unknown_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    desk, session = Desk(), session_of()
    desk.grant(session)
    desk.now_s += 5
    (entry,) = desk.hear(session, replace(CLAIM, **changes))
    assert isinstance(entry.energy, Unavailable)
    assert entry.energy.reason == reason


def test_an_unknown_keeps_the_providers_reason_without_control_characters() -> None:
    desk, session = Desk(), session_of()
    desk.grant(session)
    (entry,) = desk.hear(session, m.Unmetered(LEASE, "no meter\x1b[2J ran"))
    assert isinstance(entry.energy, Unavailable)
    assert entry.energy.reason.startswith("the provider says: no meter")
    assert "\x1b" not in entry.energy.reason


def test_a_run_may_be_told_of_for_a_while_after_its_end() -> None:
    desk, session = Desk(), session_of()
    late = LeaseId("g/2")
    for lease in (LEASE, late):
        desk.grant(session, lease)
        desk.book.over(lease)
    desk.now_s += 30
    assert len(desk.hear(session, CLAIM)) == 1
    desk.now_s += 200
    desk.book.flush()
    assert len(desk.hear(session, replace(CLAIM, lease=late))) == 1
