"""One provider as the gateway serves it: what it holds, what it was sent, what it owes.

A session outlives its connection: a provider that comes back within the grace time finds its
leases and the gateway finds its cache as they were.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from eco_dask.carrier import Outbox
from eco_dask.energy.declared import Declared
from eco_dask.engine.facts import Provider
from eco_dask.errors import WireError
from eco_dask.gateway.packing import Package
from eco_dask.types import Digest, LeaseId, TaskKind
from eco_dask.wire.cache import CacheMirror
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import SESSION_SIZE_BYTES, Fetch, Lease, Message
from eco_dask.wire.values import Room, ValueAssembler, split

#: Seconds in which the next part of a value must come: 4 MiB at 140 kB/s.
FETCH_IDLE_S = 30.0
#: How often one value may be sent again for one lease: a provider may lose it, not play with it.
RESENT_MAX = 4


@dataclass(slots=True)
class Granted:
    """A lease as it was sent, kept until it ends so that it can be sent again."""

    package: Package
    kind: TaskKind
    due_at_s: float
    #: Most that its result may have.
    result_bytes_max: int
    #: Whether it may be a pickle.
    unsafe_results: bool = False
    #: Name of the recruiter for providers.
    party: str = ""
    #: Commitment of the answer, once in: its bytes may be fetched.
    digest: Digest | None = None
    size_bytes: int = 0
    fetching: bool = False
    #: Whether an answer is in; a second one is nothing.
    answered: bool = False
    #: When a fetch of which nothing more came is given up.
    fetch_due_at_s: float = 0.0
    #: ... and when it must be complete.
    fetch_end_at_s: float = 0.0
    #: How often each value was sent again.
    resent: Counter[Digest] = field(default_factory=Counter)


@dataclass(slots=True)
class Session:
    """One provider's session."""

    provider: Provider
    limits: WireLimits
    cache_bytes: int
    token: bytes = field(default_factory=lambda: secrets.token_bytes(SESSION_SIZE_BYTES))
    leases: dict[LeaseId, Granted] = field(default_factory=dict)
    #: Leases by the digest whose bytes are on their way here.
    arriving: dict[Digest, list[LeaseId]] = field(default_factory=dict)
    #: None while the provider is away.
    outbox: Outbox | None = None
    #: Slots it offered last; the engine sees 0 while it is away.
    slots: int = 0
    #: What it can do, for lists.
    capability: dict[str, object] = field(default_factory=dict)
    #: What its owner says of its energy.
    declared: Declared = field(default_factory=Declared)
    #: Versions of the packages that its tasks can import, as it claims.
    packages: dict[str, str] = field(default_factory=dict)
    #: Memory for values under way, shared with all other sessions.
    room: Room | None = None
    #: Ends the present connection, with a reason code.
    hang_up: Callable[[str], None] = lambda _: None
    mirror: CacheMirror = field(init=False)
    assembler: ValueAssembler = field(init=False)

    def __post_init__(self) -> None:
        self.mirror = CacheMirror(self.cache_bytes)
        self.assembler = ValueAssembler(self.limits, room=self.room)
        self.slots = self.provider.slots

    def send(self, message: Message) -> None:
        """Send a message, if the provider is there; what matters is sent again when it resumes."""
        if self.outbox is not None:
            self.outbox.send(message)

    def send_lease(self, lease: LeaseId, at_s: float) -> None:
        """Send a lease, after those of its blobs that the provider does not hold."""
        granted = self.leases[lease]
        package = granted.package
        self.send_blobs(package, package.blobs)
        self.send(
            Lease(
                lease=lease,
                kind=granted.kind,
                recruiter=granted.party,
                deadline_s=max(granted.due_at_s - at_s, 0.0),
                inputs=package.inputs,
                constants=package.constants,
                result_bytes_max=granted.result_bytes_max,
                task=package.task,
            )
        )

    def send_blobs(
        self, package: Package, digests: Iterable[Digest], *, again: bool = False
    ) -> None:
        """Send blobs of a package that the provider does not hold; ``again`` where it lost some."""
        if self.outbox is None:
            return
        for digest in digests:
            parts = package.blobs.get(digest)
            if parts is None or (self.mirror.holds(digest) and not again):
                continue
            self.outbox.send_value(split(digest, parts, self.limits.part_bytes))
            self.mirror.sent(digest, sum(memoryview(part).nbytes for part in parts))

    def resend(self, lease: LeaseId, digests: Iterable[Digest]) -> None:
        """Send values of a lease that the provider lost.

        Raises
        ------
        WireError
            ``"missing-unknown"``: the lease does not need them; ``"missing-repeated"``: they were
            sent too often.
        """
        granted = self.leases[lease]
        for digest in digests:
            if digest not in granted.package.blobs:
                raise WireError("missing-unknown", f"the lease does not need {digest.hex()}")
            granted.resent[digest] += 1
            if granted.resent[digest] > RESENT_MAX:
                raise WireError(
                    "missing-repeated", f"{digest.hex()} was sent again {RESENT_MAX} times already"
                )
        self.mirror.evicted(digests)
        self.send_blobs(granted.package, digests, again=True)

    def fetch(self, lease: LeaseId, at_s: float, bytes_per_s_min: float) -> None:
        """Ask for the bytes that a lease committed to.

        Raises
        ------
        WireError
            They are more than this connection carries.
        """
        granted = self.leases[lease]
        if granted.digest is None:
            raise ValueError(f"lease {lease!r} has no commitment to fetch")
        self.assembler.expect(granted.digest, granted.size_bytes)
        granted.fetching = True
        granted.fetch_due_at_s = at_s + FETCH_IDLE_S
        granted.fetch_end_at_s = granted.fetch_due_at_s + granted.size_bytes / bytes_per_s_min
        waiting = self.arriving.setdefault(granted.digest, [])
        if lease not in waiting:
            waiting.append(lease)
        self.send(Fetch(lease))

    def progress(self, digest: Digest, at_s: float) -> None:
        """More of a value came: wait for the rest."""
        for lease in self.arriving.get(digest, ()):
            self.leases[lease].fetch_due_at_s = at_s + FETCH_IDLE_S

    def stalled(self, at_s: float) -> list[LeaseId]:
        """Return the leases whose values were asked for and do not come, or too slowly."""
        return [
            lease
            for leases in self.arriving.values()
            for lease in leases
            if min(self.leases[lease].fetch_due_at_s, self.leases[lease].fetch_end_at_s) <= at_s
        ]

    def forget(self, lease: LeaseId) -> None:
        """Drop a lease that ended."""
        granted = self.leases.pop(lease, None)
        if granted is None or granted.digest is None:
            return
        waiting = self.arriving.get(granted.digest, [])
        if lease in waiting:
            waiting.remove(lease)
            if not waiting:
                del self.arriving[granted.digest]
                self.assembler.forget(granted.digest)


def provider_facts(provider: Provider) -> str:
    """Describe a provider in a log line."""
    return f"{provider.id} of owner {provider.owner} ({provider.role}, {provider.slots} slots)"
