"""Who may join: software, key, invite, capability and benchmark, checked in this order.

Hello, Proof, BenchmarkDone ──Admission──► Session | RegistrationError
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eco_dask.config import GatewayRule
from eco_dask.energy.declared import Declared
from eco_dask.engine.facts import Provider
from eco_dask.errors import RegistrationError
from eco_dask.gateway.session import Session
from eco_dask.ledger.declarations import Declarations
from eco_dask.providers.benchmark import audit_benchmark, score
from eco_dask.providers.capability import Capability
from eco_dask.providers.compatibility import check_compatible
from eco_dask.providers.detect import software
from eco_dask.providers.identity import verify_challenge
from eco_dask.providers.packages import read_packages
from eco_dask.providers.records import ProviderRecord
from eco_dask.providers.registry import Registry
from eco_dask.wire import messages as m
from eco_dask.wire.values import Room

#: Benchmark steps that the gateway does again, drawn after the answer is in.
STEPS_AUDITED = 2


@dataclass(slots=True)
class Applicant:
    """A provider on its way in."""

    hello: m.Hello
    record: ProviderRecord | None = None
    capability: Capability | None = None
    cache_bytes: int = 0
    packages: dict[str, str] = field(default_factory=dict)
    score: float | None = None
    #: What its owner says of its energy.
    declared: Declared = field(default_factory=Declared)
    #: Address that it dials from, as the connection shows it.
    address: str = ""


class Admission:
    """Lets providers in, or says why not."""

    def __init__(
        self,
        registry: Registry,
        rule: GatewayRule,
        binding: Callable[[], bytes],
        now_s: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._declarations = Declarations(registry.database)
        self._rule = rule
        #: What a signature is bound to: the SHA-256 of the certificate shown now, empty for plain
        #: text.
        self._binding = binding
        self._now_s = now_s
        self._software = software()

    async def admit(self, applicant: Applicant, proof: m.Proof, nonce: bytes) -> None:
        """Check everything but speed.

        Raises
        ------
        RegistrationError
            With the code and the reason that the provider is told.
        """
        hello = applicant.hello
        told = dict(hello.software) | {"protocol": str(hello.protocol)}
        check_compatible(told, self._software)
        if not verify_challenge(hello.public_key, nonce, self._binding(), proof.signature):
            raise RegistrationError(
                "bad-signature",
                "the signature does not fit the key: the provider's clockwork or the connection is "
                "tampered with; start again with a fresh join link",
            )
        applicant.capability = Capability.from_map(proof.capability)
        applicant.cache_bytes = min(max(1, proof.cache_bytes), self._rule.guard.cache_bytes_max)
        applicant.packages = read_packages(proof.packages)
        applicant.declared = _declared(proof)
        applicant.record = await asyncio.to_thread(self._enrol, hello, applicant.declared)

    def asks_benchmark(self, applicant: Applicant) -> bool:  # noqa: ARG002  later policies differ by applicant
        """Whether this one's speed is measured now."""
        return self._rule.benchmark_steps > 0

    async def take_benchmark(
        self, applicant: Applicant, seed: bytes, done: m.BenchmarkDone, elapsed_s: float
    ) -> None:
        """Check an answer to the benchmark; the speed is by the gateway's own clock.

        Raises
        ------
        RegistrationError
            If steps are missing or wrong.
        """
        steps, size = self._rule.benchmark_steps, self._rule.benchmark_size
        picks = [secrets.randbelow(steps) for _ in range(min(STEPS_AUDITED, steps))]
        right = len(done.digests) == steps and await asyncio.to_thread(
            audit_benchmark, seed, size, done.digests, picks
        )
        if not right:
            raise RegistrationError(
                "benchmark-wrong",
                "the benchmark's answers are wrong: this machine or its numpy computes falsely; "
                "reinstall numpy, check memory and overclocking, then join again",
            )
        applicant.score = score(steps, size, max(elapsed_s, 1e-6))

    async def open_session(self, applicant: Applicant, room: Room) -> Session:
        """Turn an applicant into a session, and note the visit.

        Parameters
        ----------
        room : Room
            Memory for the values that it will send, shared with others.
        """
        record, capability = applicant.record, applicant.capability
        if record is None or capability is None:
            raise ValueError("the applicant was not admitted")
        speed = applicant.score or record.score or 1.0
        facts: dict[str, Any] = capability.to_map()
        await asyncio.to_thread(self._registry.record_visit, record.id, facts, speed, self._now_s())
        provider = Provider(
            id=record.id,
            owner=record.owner,
            role=record.role,
            tags=capability.tags(),
            slots=min(applicant.hello.slots, self._rule.guard.slots_max),
            cores=capability.cores,
            score=speed,
            prefix=network_prefix(applicant.address),
        )
        return Session(
            provider,
            self._rule.limits,
            applicant.cache_bytes,
            capability=facts,
            packages=applicant.packages,
            room=room,
            declared=applicant.declared,
        )

    def _enrol(self, hello: m.Hello, declared: Declared) -> ProviderRecord:
        record = self._registry.known(hello.public_key)
        if record is None:
            record = self._registry.admit(hello.public_key, hello.invite, self._now_s())
        if record.revoked:
            raise RegistrationError(
                "revoked", f"provider {record.id} was revoked by the operator: ask there why"
            )
        self._declarations.put(record.id, declared.to_map(), self._now_s())
        return record


def _declared(proof: m.Proof) -> Declared:
    try:
        return Declared.from_map(proof.energy)
    except ValueError as error:
        raise RegistrationError(
            "bad-declaration",
            f"what this machine declares of its energy is malformed: {error}; correct "
            "eco-dask.worker.energy, and run the same eco-dask version as the gateway",
        ) from error


def network_prefix(address: str) -> str:
    """Return the network that an address belongs to: /24 of IPv4, /48 of IPv6, as one site has.

    Empty for this machine itself, and for what is no address.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return ""
    length = 24 if found.version == 4 else 48  # noqa: PLR2004
    return str(ipaddress.ip_network((found, length), strict=False))
