"""Who is connected, who has room, and who of them a task may go to.

Roster.pick(need, dice) ──► a provider drawn at random among the eligible
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from eco_dask.energy.preference import Prefer
from eco_dask.engine.crowd import Crowd
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Provider, Role
from eco_dask.engine.preferring import WEIGHED_MAX, Offers
from eco_dask.types import LeaseId, OwnerId, ProviderId

#: Random draws before every provider with room is looked at.
_DRAWS = 6


@dataclass(slots=True)
class Seat:
    """A connected provider and what it holds."""

    provider: Provider
    #: Estimated seconds of each lease that the provider has not answered.
    leases: dict[LeaseId, float] = field(default_factory=dict)
    #: Answered leases whose bytes only this provider has.
    kept: dict[LeaseId, None] = field(default_factory=dict)
    #: Sum of the estimates.
    load_s: float = 0.0
    #: Position in the list of those with room, -1 if there is none.
    position: int = -1


@dataclass(frozen=True, slots=True)
class Need:
    """What a task needs of a provider."""

    role: Role
    require: frozenset[str]
    #: Owners that were asked before: one owner is one witness.
    asked: AbstractSet[OwnerId]
    #: Providers not to ask, such as those that lost the task before.
    avoid: AbstractSet[ProviderId] = frozenset()
    #: Network prefixes of those that were asked: others are asked first, while they have room.
    near: AbstractSet[str] = frozenset()
    #: Which of them the job would rather have.
    prefer: Prefer | None = None

    def admits(self, provider: Provider) -> bool:
        """Whether the task may go to ``provider``, which has the right role."""
        return (
            provider.owner not in self.asked
            and self.require <= provider.tags
            and provider.id not in self.avoid
            and provider.prefix not in self.near
        )


class Roster:
    """Connected providers by role, with room kept as a list that can be drawn from."""

    def __init__(self, rule: EngineRule) -> None:
        self._rule = rule
        self._seats: dict[ProviderId, Seat] = {}
        #: What work costs at whom.
        self.offers = Offers(rule.price_mpt)
        self._roomy: dict[Role, list[Seat]] = {"provider": [], "trusted": []}
        self._roomy_crowd: dict[Role, Crowd] = {"provider": Crowd(), "trusted": Crowd()}
        #: Owners that get nothing.
        self.barred: set[OwnerId] = set()
        self._unpaused_crowd: dict[Role, Crowd] = {"provider": Crowd(), "trusted": Crowd()}

    def join(self, provider: Provider) -> None:
        """Seat a provider. One that is seated keeps its leases: it only described itself anew."""
        seat = self._seats.get(provider.id)
        if seat is None:
            seat = self._seats[provider.id] = Seat(provider)
            self._count(seat)
        else:
            self._reseat(seat, provider)

    def leave(self, provider: ProviderId) -> tuple[tuple[LeaseId, ...], tuple[LeaseId, ...]]:
        """Unseat a provider; return the leases it has not answered, and those whose bytes it kept.

        Both are empty if it is not seated.
        """
        seat = self._seats.pop(provider, None)
        if seat is None:
            return (), ()
        self._discount(seat)
        self.offers.forget(provider)
        return tuple(seat.leases), tuple(seat.kept)

    def set_slots(self, provider: ProviderId, slots: int) -> None:
        """Change how many tasks a provider runs at a time."""
        if (seat := self._seats.get(provider)) is not None:
            self._reseat(seat, replace(seat.provider, slots=slots))

    def take(self, provider: ProviderId, lease: LeaseId, estimate_s: float) -> None:
        """Count a lease as held by ``provider``."""
        seat = self._seats[provider]
        seat.leases[lease] = estimate_s
        seat.load_s += estimate_s
        self._update_room(seat)

    def give_back(self, provider: ProviderId, lease: LeaseId) -> None:
        """Count a lease as answered or over."""
        seat = self._seats.get(provider)
        if seat is None or (estimate_s := seat.leases.pop(lease, None)) is None:
            return
        # Starting again from zero when idle keeps rounding from adding up.
        seat.load_s = seat.load_s - estimate_s if seat.leases else 0.0
        self._update_room(seat)

    def keep(self, provider: ProviderId, lease: LeaseId) -> None:
        """Note that only ``provider`` has the bytes of an answer."""
        self._seats[provider].kept[lease] = None

    def release(self, provider: ProviderId, lease: LeaseId) -> None:
        """Note that the bytes of an answer need not be kept any more."""
        if (seat := self._seats.get(provider)) is not None:
            seat.kept.pop(lease, None)

    def get(self, provider: ProviderId) -> Provider | None:
        """Return a connected provider."""
        seat = self._seats.get(provider)
        return seat.provider if seat is not None else None

    def leases_of(self, provider: ProviderId) -> tuple[LeaseId, ...]:
        """Leases that a connected provider has not answered."""
        seat = self._seats.get(provider)
        return tuple(seat.leases) if seat is not None else ()

    def has_room(self, role: Role) -> bool:
        """Whether any provider of that role could take a lease now."""
        return bool(self._roomy[role])

    def pick(self, need: Need, dice: Dice) -> Provider | None:
        """Draw one of the eligible providers with room; of two drawn, the one with less to do.

        All are drawn equally likely, so registering in a row brings nobody together; the second
        draw keeps queues short (Mitzenmacher, "The power of two choices", 2001).
        """
        need = self._without_barred(need)
        if not self._roomy_crowd[need.role].has_owner(need.require, need.asked):
            return None
        if need.near:
            # Many machines behind one prefix may be one person's, whatever owners they name.
            apart = self._draw(need, dice)
            if apart is not None:
                return apart
            need = replace(need, near=frozenset())
        return self._draw(need, dice)

    def _draw(self, need: Need, dice: Dice) -> Provider | None:
        if need.prefer is not None:
            return self._draw_preferred(need, need.prefer, dice)
        roomy = self._roomy[need.role]
        first: Seat | None = None
        for _ in range(min(_DRAWS, len(roomy))):
            seat = roomy[dice.below(len(roomy))]
            if not need.admits(seat.provider):
                continue
            if not seat.leases:
                return seat.provider
            if first is not None:
                return min(first, seat, key=_busyness).provider
            first = seat
        if first is not None:
            return first.provider
        eligible = [s.provider for s in roomy if need.admits(s.provider)]
        return eligible[dice.below(len(eligible))] if eligible else None

    def _draw_preferred(self, need: Need, prefer: Prefer, dice: Dice) -> Provider | None:
        roomy = self._roomy[need.role]
        drawn = roomy
        if len(roomy) > WEIGHED_MAX:
            places = dict.fromkeys(dice.below(len(roomy)) for _ in range(WEIGHED_MAX))
            drawn = [roomy[place] for place in places]
        candidates = [it.provider for it in drawn if need.admits(it.provider)]
        if not candidates and drawn is not roomy:
            candidates = [it.provider for it in roomy if need.admits(it.provider)][:WEIGHED_MAX]
        return self.offers.draw(candidates, prefer, self._busyness_of, dice)

    def _busyness_of(self, provider: Provider) -> float:
        return _busyness(self._seats[provider.id])

    def owners(self, role: Role, require: frozenset[str]) -> set[OwnerId]:
        """Owners of connected, unpaused providers with those tags, with room or not."""
        return self._unpaused_crowd[role].owners(require) - self.barred

    def has_eligible(self, need: Need) -> bool:
        """Whether a task may go to any connected, unpaused provider, with room or not."""
        need = replace(self._without_barred(need), near=frozenset())
        return any(p.role == need.role and p.slots > 0 and need.admits(p) for p in self.providers())

    def set_barred(self, owner: OwnerId, *, barred: bool) -> None:
        """Give an owner's providers nothing from now on, or let them in again."""
        if barred == (owner in self.barred):
            return
        if barred:
            self.barred.add(owner)
        else:
            self.barred.discard(owner)
        for seat in self._seats.values():
            if seat.provider.owner == owner:
                self._update_room(seat)

    def providers(self) -> Iterator[Provider]:
        """Iterate over all connected providers."""
        return (seat.provider for seat in self._seats.values())

    def _without_barred(self, need: Need) -> Need:
        if not self.barred or need.role == "trusted":
            return need
        return replace(need, asked=need.asked | self.barred)

    # ------------------------------------------------------------------ keeping count

    def _reseat(self, seat: Seat, provider: Provider) -> None:
        self._discount(seat)
        seat.provider = provider
        self._count(seat)

    def _count(self, seat: Seat) -> None:
        if seat.provider.slots > 0:
            self._unpaused_crowd[seat.provider.role].add(seat.provider)
        self._update_room(seat)

    def _discount(self, seat: Seat) -> None:
        if seat.provider.slots > 0:
            self._unpaused_crowd[seat.provider.role].remove(seat.provider)
        self._set_roomy(seat, roomy=False)

    def _update_room(self, seat: Seat) -> None:
        held, slots = len(seat.leases), seat.provider.slots
        roomy = held < slots or (
            held < slots * self._rule.prefetch_factor_max
            and seat.load_s < slots * self._rule.prefetch_s
        )
        # Room of those who get nothing would have every waiting ballot looked at, for nothing.
        barred = seat.provider.role == "provider" and seat.provider.owner in self.barred
        self._set_roomy(seat, roomy=roomy and not barred)

    def _set_roomy(self, seat: Seat, *, roomy: bool) -> None:
        if roomy == (seat.position >= 0):
            return
        role = seat.provider.role
        seats = self._roomy[role]
        if roomy:
            self._roomy_crowd[role].add(seat.provider)
            seat.position = len(seats)
            seats.append(seat)
            return
        self._roomy_crowd[role].remove(seat.provider)
        last = seats.pop()
        if last is not seat:
            seats[seat.position] = last
            last.position = seat.position
        seat.position = -1


def _busyness(seat: Seat) -> float:
    return len(seat.leases) / seat.provider.slots
