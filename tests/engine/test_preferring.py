"""A job's preference: who is drawn more often, and that everybody eligible may be drawn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from eco_dask.energy.preference import Offer
from eco_dask.energy.reading import Tier
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Provider
from eco_dask.engine.preferring import WEIGHED_MAX
from eco_dask.engine.roster import Need, Roster
from eco_dask.types import LeaseId, OwnerId, ProviderId

DRAWS = 2000


def provider(name: str, score: float = 1.0, slots: int = 1) -> Provider:
    return Provider(
        ProviderId(name), OwnerId(f"owner of {name}"), "provider", frozenset(), slots, score=score
    )


def offer(name: str, joules: float, g_per_kwh: float, score: float = 1.0) -> Offer:
    return Offer(ProviderId(name), score, 1000.0, joules, Tier.MODELLED, g_per_kwh)


def roster_of(*providers: Provider) -> Roster:
    roster = Roster(EngineRule())
    for it in providers:
        roster.join(it)
    return roster


def drawn(roster: Roster, prefer: Any, **need: Any) -> Counter[str]:
    wanted = Need("provider", frozenset(), need.pop("asked", frozenset()), prefer=prefer, **need)
    picks = (roster.pick(wanted, Dice(chance)) for chance in range(DRAWS))
    return Counter(it.id for it in picks if it is not None)


def mixed() -> Roster:
    """Thrifty and slow in a coal country; hungry and fast in a clean one."""
    roster = roster_of(provider("thrifty", 1.0), provider("fast", 4.0))
    roster.offers.note(offer("thrifty", 2.0, 800.0))
    roster.offers.note(offer("fast", 6.0, 20.0, 4.0))
    return roster


@pytest.mark.parametrize(
    ("prefer", "favourite", "share"),
    [("energy", "thrifty", 0.9), ("carbon", "fast", 0.952), ("speed", "fast", 0.941)],
)
def test_who_suits_the_preference_is_drawn_more_often(
    prefer: str, favourite: str, share: float
) -> None:
    counts = drawn(mixed(), prefer)
    assert counts[favourite] / DRAWS == pytest.approx(share, abs=0.02)
    # Nobody is left out for good, so that placement cannot be foreseen.
    assert min(counts.values()) > 0.03 * DRAWS


@pytest.mark.parametrize("prefer", ["price", "energy", "carbon"])
def test_where_nothing_tells_them_apart_all_are_drawn_alike(prefer: str) -> None:
    counts = drawn(roster_of(provider("a"), provider("b")), prefer)
    assert counts["a"] / DRAWS == pytest.approx(0.5, abs=0.04)


def test_what_waits_at_a_provider_weighs_against_it() -> None:
    roster = roster_of(provider("a", slots=2), provider("b", slots=2))
    roster.take(ProviderId("a"), LeaseId("l"), 0.01)
    counts = drawn(roster, "price")
    assert counts["a"] / DRAWS == pytest.approx(0.4, abs=0.03)


def test_a_preference_admits_nobody_who_may_not_have_the_task() -> None:
    asked = frozenset({OwnerId("owner of thrifty")})
    assert set(drawn(mixed(), "energy", asked=asked)) == {"fast"}
    everybody = frozenset({OwnerId("owner of thrifty"), OwnerId("owner of fast")})
    assert not drawn(mixed(), "energy", asked=everybody)


def test_of_a_crowd_a_few_are_weighed_and_the_only_eligible_one_is_found() -> None:
    crowd = [provider(f"p{n}") for n in range(WEIGHED_MAX * 4)]
    roster = roster_of(*crowd)
    others = frozenset(it.owner for it in crowd[1:])
    assert set(drawn(roster, "speed", asked=others)) == {"p0"}
    assert len(drawn(roster, "speed")) > WEIGHED_MAX


def test_what_was_known_of_a_provider_goes_with_it() -> None:
    roster = mixed()
    roster.leave(ProviderId("fast"))
    roster.join(provider("fast", 4.0))
    # Unknown carbon has the least weight.
    assert drawn(roster, "carbon")["thrifty"] / DRAWS == pytest.approx(0.952, abs=0.02)
