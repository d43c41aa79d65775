"""Settings from Dask's configuration, read once and turned into frozen rules.

eco-dask.yaml < ~/.config/dask/*.yaml < DASK_ECO_DASK__... < dask.config.set ──► rules
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from eco_dask.engine.facts import EngineRule
from eco_dask.errors import ConfigurationError
from eco_dask.sandbox.launch import SandboxRule
from eco_dask.sandbox.limits import Limits
from eco_dask.settings import fraction, if_set, seconds, setting, size_bytes, text, whole
from eco_dask.verification.rules import Compare, CredibilityRule, QuorumRule, Rule, credibility_rule
from eco_dask.wire.limits import WireLimits


@dataclass(frozen=True, slots=True)
class GuardRule:
    """How much a gateway takes from anybody; what is beyond it is refused, and recorded."""

    connections_max: int
    connections_per_address_max: int
    connections_per_owner_max: int
    #: Connections of one address that have not joined yet.
    handshakes_per_address_max: int
    #: Time until a stranger has shown its key.
    hello_s: float
    #: New connections of one address.
    knocks_per_s: float
    knocks_burst: int
    #: Messages of one provider that nobody waits for; every 16 KiB of them count as one more.
    messages_per_s: float
    messages_burst: int
    #: One frame of who has not joined yet.
    stranger_bytes_max: int
    #: All results under way to this gateway.
    arriving_bytes_max: int
    #: A result that comes slower is given up, and a provider that reads slower is dropped.
    value_bytes_per_s_min: float
    stall_s: float
    #: Largest cache and most slots that a provider's claim is believed.
    cache_bytes_max: int
    slots_max: int
    #: Broken rules within the window, after which a provider is not let in for a while.
    violations_max: int
    violations_window_s: float
    #: How often revoked providers are looked up.
    revoked_s: float


@dataclass(frozen=True, slots=True)
class GatewayRule:
    """Settings of a gateway."""

    host: str
    port: int
    grace_s: float
    ping_s: float
    handshake_s: float
    inline_bytes_max: int
    benchmark_steps: int
    benchmark_size: int
    #: Kept of tasks that may have to be done again; beyond it, the oldest are settled.
    revocable_bytes: int
    limits: WireLimits
    guard: GuardRule
    #: Certificate and key to show instead of our own, such as those of a public authority.
    certificate: str | None
    certificate_key: str | None


def gateway_rule() -> GatewayRule:
    """Return the gateway's settings.

    Raises
    ------
    ConfigurationError
        If one cannot be read.
    """
    value_bytes_max = size_bytes("gateway.value-bytes-max")
    return GatewayRule(
        host=str(setting("gateway.host")),
        port=whole("gateway.port"),
        grace_s=seconds("gateway.grace"),
        ping_s=seconds("gateway.ping"),
        handshake_s=seconds("gateway.handshake"),
        inline_bytes_max=size_bytes("gateway.inline-bytes"),
        benchmark_steps=whole("gateway.benchmark-steps"),
        benchmark_size=whole("gateway.benchmark-size"),
        revocable_bytes=size_bytes("gateway.revocable-bytes"),
        limits=wire_limits(value_bytes_max),
        guard=guard_rule(),
        certificate=if_set(text, "gateway.certificate"),
        certificate_key=if_set(text, "gateway.certificate-key"),
    )


def guard_rule() -> GuardRule:
    """Return the gateway's limits on what anybody may do."""
    return GuardRule(
        connections_max=whole("gateway.guard.connections"),
        connections_per_address_max=whole("gateway.guard.connections-per-address"),
        connections_per_owner_max=whole("gateway.guard.connections-per-owner"),
        handshakes_per_address_max=whole("gateway.guard.handshakes-per-address"),
        hello_s=seconds("gateway.guard.hello"),
        knocks_per_s=fraction("gateway.guard.knocks-per-second"),
        knocks_burst=whole("gateway.guard.knocks-burst"),
        messages_per_s=fraction("gateway.guard.messages-per-second"),
        messages_burst=whole("gateway.guard.messages-burst"),
        stranger_bytes_max=size_bytes("gateway.guard.stranger-bytes"),
        arriving_bytes_max=size_bytes("gateway.guard.arriving-bytes"),
        value_bytes_per_s_min=size_bytes("gateway.guard.value-bytes-per-second"),
        stall_s=seconds("gateway.guard.stall"),
        cache_bytes_max=size_bytes("gateway.guard.cache-bytes"),
        slots_max=whole("gateway.guard.slots"),
        violations_max=whole("gateway.guard.violations"),
        violations_window_s=seconds("gateway.guard.violations-window"),
        revoked_s=seconds("gateway.guard.revoked"),
    )


def wire_limits(value_bytes_max: int) -> WireLimits:
    """Limits of a connection that carries values up to that size, two at a time."""
    return WireLimits(value_bytes_max=value_bytes_max, outstanding_bytes_max=2 * value_bytes_max)


def engine_rule() -> EngineRule:
    """Return the engine's settings."""
    return EngineRule(
        deadline_first_s=seconds("lease.deadline-first"),
        deadline_min_s=seconds("lease.deadline-min"),
        deadline_factor=float(setting("lease.deadline-factor")),
        late_grace_s=seconds("lease.late-grace"),
        trusted_after_s=seconds("lease.trusted-after"),
        patience_s=seconds("lease.patience"),
        losses_max=whole("lease.losses-max"),
        prefetch_s=seconds("lease.prefetch"),
        price_mpt=max(1, round(float(setting("price")) * 1000)),
    )


def verification_rule(
    *,
    quorum: int | None = None,
    error: float | None = None,
    flow_error: float | None = None,
    compare: Compare | None = None,
) -> Rule:
    """Return what a job's ballots are decided by; None leaves a choice to the network.

    Raises
    ------
    ConfigurationError
        If the settings are no rule.
    """
    compare = compare or setting("verification.compare")
    if compare not in ("auto", "exact", "close"):
        raise ConfigurationError(
            f"eco-dask.verification.compare is auto, exact or close; got {compare!r}"
        )
    if error is None and quorum is None:
        error = if_set(fraction, "verification.error")
    if error is None:
        return _quorum_rule(quorum, compare)
    if flow_error is None:
        configured = if_set(fraction, "verification.flow-error")
        # A job that asks for more than the network's own figure is no contradiction.
        flow_error = None if configured is None else max(configured, error)
    try:
        rule: CredibilityRule = credibility_rule(error, flow_error, compare)
        return replace(rule, attempts_max=whole("verification.attempts-max"))
    except ValueError as wrong:
        raise ConfigurationError(f"eco-dask.verification: {wrong}") from wrong


def _quorum_rule(quorum: int | None, compare: Compare) -> QuorumRule:
    owners_min = quorum if quorum is not None else whole("quorum.size")
    # A large quorum needs as many spare attempts as the default one has.
    return QuorumRule(owners_min, max(whole("quorum.attempts-max"), 2 * owners_min), compare)


def unsafe_results_allowed() -> bool:
    """Return whether jobs may take pickles for results, if they ask for it."""
    return setting("verification.unsafe-results") is True


def required_tags() -> list[str]:
    """Return the tags that every job requires of a provider."""
    tags = setting("quorum.require")
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise ConfigurationError(f"eco-dask.quorum.require must be a list of tags; got {tags!r}")
    return list(tags)


@dataclass(frozen=True, slots=True)
class WorkerRule:
    """Settings of a contributed machine."""

    cache_bytes: int
    reconnect_max_s: float
    ping_s: float


def worker_rule() -> WorkerRule:
    """Return the settings of a contributed machine.

    Raises
    ------
    ConfigurationError
        A setting is malformed, or without pings a line that fell silent would never be noticed.
    """
    ping_s = seconds("worker.ping")
    if ping_s <= 0:
        raise ConfigurationError(
            f"eco-dask.worker.ping must be more than 0, such as '10 s'; got {ping_s:g} s"
        )
    return WorkerRule(
        cache_bytes=size_bytes("worker.cache-bytes"),
        reconnect_max_s=seconds("worker.reconnect-max"),
        ping_s=ping_s,
    )


def sandbox_rule() -> SandboxRule:
    """Return what confines the runner of a contributed machine, and its limits."""
    image, folders = setting("worker.sandbox.image"), setting("worker.sandbox.read")
    if not isinstance(folders, list | tuple):
        raise ConfigurationError(
            f"eco-dask.worker.sandbox.read must be a list of folders; got {folders!r}"
        )
    return SandboxRule(
        # Dask reads the word none in an environment variable as nothing.
        profile=str(setting("worker.sandbox.profile") or "none"),
        trust=setting("worker.sandbox.trust-recruiters") is True,
        folders=tuple(str(Path(folder).expanduser().absolute()) for folder in folders),
        image=str(image or ""),
        gpu=setting("worker.sandbox.gpu") is True,
        limits=Limits(
            cores=if_set(whole, "worker.sandbox.cores"),
            cpu_share=fraction("worker.sandbox.cpu-share"),
            memory_bytes=if_set(size_bytes, "worker.sandbox.memory"),
            gpu_memory_bytes=if_set(size_bytes, "worker.sandbox.gpu-memory"),
            disk_bytes=size_bytes("worker.sandbox.disk"),
            processes=whole("worker.sandbox.processes"),
            task_wall_s=if_set(seconds, "worker.sandbox.task-time"),
        ),
    )


def data_directory(given: str | Path | None = None) -> Path:
    """Return the folder for keys, certificates and the database: given, configured, or default."""
    chosen = given or setting("data-directory")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("eco-dask", appauthor=False)


def database_url(folder: Path, given: str | None = None) -> str:
    """Return the URL of the books: given, configured, or SQLite in ``folder``."""
    return str(given or setting("database") or f"sqlite:///{folder / 'coordinator.sqlite'}")
