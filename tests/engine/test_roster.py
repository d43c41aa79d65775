"""Roster: who may be asked, against looking at everyone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Provider
from eco_dask.engine.roster import Need, Roster
from eco_dask.types import LeaseId, OwnerId, ProviderId

RULE = EngineRule(prefetch_s=1.0, prefetch_factor_max=3)
TAGS = [frozenset[str](), frozenset({"gpu"}), frozenset({"gpu", "big"})]

providers = st.builds(
    Provider,
    id=st.sampled_from([ProviderId(f"p{i}") for i in range(8)]),
    owner=st.sampled_from([OwnerId(o) for o in "abc"]),
    role=st.sampled_from(["provider", "provider", "trusted"]),
    tags=st.sampled_from(TAGS),
    slots=st.integers(0, 3),
)
needs = st.builds(
    Need,
    role=st.sampled_from(["provider", "trusted"]),
    require=st.sampled_from(TAGS),
    asked=st.frozensets(st.sampled_from([OwnerId(o) for o in "abc"]), max_size=2),
    avoid=st.frozensets(st.sampled_from([ProviderId(f"p{i}") for i in range(8)]), max_size=3),
    prefer=st.sampled_from([None, None, "energy", "carbon", "speed", "price"]),
)


def has_room(provider: Provider, held_s: list[float]) -> bool:
    """The rule in words: a free slot; or little enough work to hide the network's latency."""
    few = len(held_s) < provider.slots * RULE.prefetch_factor_max
    return len(held_s) < provider.slots or (few and sum(held_s) < provider.slots * RULE.prefetch_s)


def suits(need: Need, provider: Provider) -> bool:
    return (
        provider.role == need.role
        and need.require <= provider.tags
        and provider.owner not in need.asked
        and provider.id not in need.avoid
    )


class RosterMachine(RuleBasedStateMachine):
    """Comings and goings against a plain list of everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster(RULE)
        self.seated: dict[str, Provider] = {}
        self.held: dict[str, dict[str, float]] = {}
        self.kept: dict[str, list[str]] = {}
        self.granted = 0

    @rule(provider=providers)
    def join(self, provider: Provider) -> None:
        self.roster.join(provider)
        self.seated[provider.id] = provider
        self.held.setdefault(provider.id, {})
        self.kept.setdefault(provider.id, [])

    @rule(index=st.integers(0, 7))
    def leave(self, index: int) -> None:
        id = f"p{index}"
        expected = tuple(self.held.pop(id, {})), tuple(self.kept.pop(id, []))
        assert self.roster.leave(ProviderId(id)) == expected
        self.seated.pop(id, None)

    @rule(index=st.integers(0, 7), slots=st.integers(0, 3))
    def set_slots(self, index: int, slots: int) -> None:
        id = ProviderId(f"p{index}")
        self.roster.set_slots(id, slots)
        if id in self.seated:
            self.seated[id] = replace(self.seated[id], slots=slots)

    @rule(need=needs, chance=st.integers(0, 2**64 - 1), seconds=st.sampled_from([0.25, 0.5, 4.0]))
    def pick_and_take(self, need: Need, chance: int, seconds: float) -> None:
        eligible = [
            p
            for p in self.seated.values()
            if suits(need, p) and has_room(p, list(self.held[p.id].values()))
        ]
        picked = self.roster.pick(need, Dice(chance))
        if not eligible:
            assert picked is None
            return
        assert picked in eligible
        self.granted += 1
        lease = LeaseId(f"l{self.granted}")
        self.roster.take(picked.id, lease, seconds)
        self.held[picked.id][lease] = seconds

    @precondition(lambda self: any(self.held.values()))
    @rule(index=st.integers(0, 99), keeps=st.booleans())
    def answer(self, index: int, keeps: bool) -> None:
        leases = [(id, lease) for id, held in self.held.items() for lease in held]
        id, lease = leases[index % len(leases)]
        self.roster.give_back(ProviderId(id), LeaseId(lease))
        del self.held[id][lease]
        if keeps:
            self.roster.keep(ProviderId(id), LeaseId(lease))
            self.kept[id].append(lease)

    @precondition(lambda self: any(self.kept.values()))
    @rule(index=st.integers(0, 99))
    def release(self, index: int) -> None:
        leases = [(id, lease) for id, kept in self.kept.items() for lease in kept]
        id, lease = leases[index % len(leases)]
        self.roster.release(ProviderId(id), LeaseId(lease))
        self.kept[id].remove(lease)

    @invariant()
    def it_knows_everybody(self) -> None:
        assert {p.id: p for p in self.roster.providers()} == self.seated
        for id, provider in self.seated.items():
            assert self.roster.get(ProviderId(id)) == provider
            assert set(self.roster.leases_of(ProviderId(id))) == set(self.held[id])

    @invariant()
    def it_knows_who_is_able_and_who_has_room(self) -> None:
        for role in ("provider", "trusted"):
            mine = [p for p in self.seated.values() if p.role == role]
            roomy = [p for p in mine if has_room(p, list(self.held[p.id].values()))]
            assert self.roster.has_room(role) == bool(roomy)
            for require in TAGS:
                able = {p.owner for p in mine if p.slots > 0 and require <= p.tags}
                assert self.roster.owners(role, require) == able
                for asked in (frozenset[OwnerId](), frozenset({OwnerId("a")})):
                    need = Need(role, require, asked)
                    assert self.roster.has_eligible(need) == bool(able - asked)


TestRosterMachine = RosterMachine.TestCase
TestRosterMachine.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@settings(max_examples=20, deadline=None)
@given(st.lists(providers, min_size=1, max_size=8, unique_by=lambda p: p.id), needs)
def test_each_eligible_provider_is_drawn_about_equally_often(
    everyone: list[Provider], need: Need
) -> None:
    roster = Roster(RULE)
    for provider in everyone:
        roster.join(provider)
    eligible = {p.id for p in everyone if suits(need, p) and p.slots > 0}
    draws = 400
    drawn = [roster.pick(need, Dice(chance)) for chance in range(draws)]
    counts = {id: sum(p is not None and p.id == id for p in drawn) for id in eligible}
    if eligible:
        assert sum(counts.values()) == draws
        assert min(counts.values()) > draws / len(eligible) / 2


def test_a_provider_that_describes_itself_anew_keeps_its_leases_and_sits_once() -> None:
    roster = Roster(RULE)
    before = Provider(ProviderId("p"), OwnerId("a"), "provider", TAGS[0], slots=2)
    roster.join(before)
    roster.take(before.id, LeaseId("l"), 5.0)
    roster.join(replace(before, tags=TAGS[1], slots=1))
    assert roster.leases_of(before.id) == ("l",)
    assert not roster.has_room("provider")
    assert roster.leave(before.id) == (("l",), ())
    assert not roster.has_room("provider")


def test_unknown_providers_change_nothing() -> None:
    roster = Roster(RULE)
    nobody = ProviderId("nobody")
    roster.set_slots(nobody, 3)
    roster.give_back(nobody, LeaseId("l"))
    roster.release(nobody, LeaseId("l"))
    assert roster.leave(nobody) == ((), ())
    assert roster.get(nobody) is None
    assert roster.leases_of(nobody) == ()


def test_others_than_those_of_a_prefix_are_asked_first() -> None:
    roster = Roster(RULE)
    for name, prefix in {"a": "net 1", "b": "net 1", "c": "net 2", "d": ""}.items():
        roster.join(
            Provider(ProviderId(name), OwnerId(name), "provider", frozenset(), 1, prefix=prefix)
        )
    need = Need("provider", frozenset(), {OwnerId("a")}, near={"net 1"})
    assert {roster.pick(need, Dice(i)).owner for i in range(50)} == {"c", "d"}


def test_a_prefix_is_no_obstacle_where_nobody_else_has_room() -> None:
    roster = Roster(RULE)
    for name in "ab":
        roster.join(
            Provider(ProviderId(name), OwnerId(name), "provider", frozenset(), 1, prefix="net 1")
        )
    need = Need("provider", frozenset(), {OwnerId("a")}, near={"net 1"})
    assert roster.has_eligible(need)
    assert roster.pick(need, Dice(1)).owner == "b"


def test_barred_owners_are_neither_drawn_nor_counted() -> None:
    roster = Roster(RULE)
    for name in "ab":
        roster.join(Provider(ProviderId(name), OwnerId(name), "provider", frozenset(), 1))
    roster.set_barred(OwnerId("a"), barred=True)
    need = Need("provider", frozenset(), frozenset())
    assert {roster.pick(need, Dice(i)).owner for i in range(20)} == {"b"}
    assert roster.owners("provider", frozenset()) == {"b"}
    assert not roster.has_eligible(Need("provider", frozenset(), {OwnerId("b")}))
    roster.leave(ProviderId("b"))
    assert not roster.has_room("provider")
    roster.set_barred(OwnerId("a"), barred=False)
    assert roster.pick(need, Dice(0)).owner == "a"
