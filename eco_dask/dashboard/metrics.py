"""The snapshot as Prometheus metrics beside Dask's own, at the scheduler's ``/metrics``.

View.latest ──METRICS──► dask_eco_..., with help and units
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from distributed.http.prometheus import PrometheusCollector

from eco_dask.dashboard.model import Energy, Snapshot
from eco_dask.dashboard.recorder import watts

if TYPE_CHECKING:
    from eco_dask.dashboard.view import View

#: Values by the label's value; unlabelled metrics have one, under "".
_Values = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name after ``dask_eco_``, which ends with the unit."""

    name: str
    help: str
    read: Callable[[Snapshot], _Values]
    kind: Literal["gauge", "counter"] = "gauge"
    label: str | None = None


def _one(read: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], _Values]:
    return lambda snapshot: {"": read(snapshot)}


def _gauge(name: str, told: str, read: Callable[[Snapshot], float | None]) -> Metric:
    return Metric(name, told, _one(read))


def _counter(name: str, told: str, read: Callable[[Snapshot], float | None]) -> Metric:
    return Metric(name, told, _one(read), "counter")


def _joules(amount_uj: int | None) -> float | None:
    return None if amount_uj is None else amount_uj / 1e6


def _points(amount_mpt: int) -> float:
    return amount_mpt / 1000


def _parts(energy: Energy) -> _Values:
    return {
        "useful": _joules(energy.useful_uj),
        "verification": _joules(energy.verification_uj),
        "wasted": _joules(energy.wasted_uj),
        "coordination": _joules(energy.coordination_uj),
    }


METRICS: Final = (
    Metric(
        "providers",
        "Contributed machines by what they do now",
        lambda s: {
            "working": s.network.providers_connected - s.network.providers_paused,
            "paused": s.network.providers_paused,
            "away": s.network.providers_known
            - s.network.providers_connected
            - s.network.providers_revoked,
            "revoked": s.network.providers_revoked,
        },
        label="state",
    ),
    _gauge("slots", "Slots of connected providers", lambda s: s.network.slots),
    _gauge("slots_busy", "Slots that hold a lease", lambda s: s.network.slots_busy),
    _gauge("leases", "Leases that are not answered yet", lambda s: s.network.leases_live),
    _gauge("tasks_waiting", "Tasks that want a provider", lambda s: s.network.tasks_waiting),
    _gauge(
        "providers_joined_1h", "Providers that came within an hour", lambda s: s.network.joined_1h
    ),
    _gauge("providers_left_1h", "Providers that went within an hour", lambda s: s.network.left_1h),
    _counter("tasks_accepted", "Tasks with an accepted answer", lambda s: s.verification.accepted),
    Metric(
        "attempts",
        "Attempts by the reason on their receipt",
        lambda s: s.verification.by_reason,
        "counter",
        "reason",
    ),
    _gauge(
        "attempts_per_task", "Attempts for each accepted task, over all of history",
        lambda s: s.verification.attempts_per_task,
    ),
    Metric(
        "checks",
        "Leases that looked at results again, since the gateways started, by their purpose",
        lambda s: {
            "audit": s.verification.audits,
            "known": s.verification.known_answers,
            "own": s.verification.own_checks,
            "backtrack": s.verification.backtracked,
        },
        label="purpose",
    ),
    _gauge(
        "error_worst_ratio", "Highest estimated probability that an accepted result is wrong",
        lambda s: s.verification.error_worst,
    ),
    _gauge("jobs_running", "Jobs that go on", lambda s: sum(j.state == "running" for j in s.jobs)),
    _counter("posted_points", "Points paid to owners", lambda s: _points(s.points.posted_mpt)),
    _gauge("pending_points", "Points held for owners", lambda s: _points(s.points.pending_mpt)),
    _gauge("demand_tasks", "Tasks that are not over", lambda s: s.points.demand_tasks),
    _counter(
        "marginal_energy_joules", "Energy that owners pay for",
        lambda s: _joules(s.energy.marginal_uj),
    ),
    _counter(
        "reserved_energy_joules", "That, and the share of idle power that was kept for the work",
        lambda s: _joules(s.energy.reserved_uj),
    ),
    Metric(
        "energy_by_purpose_joules",
        "Reserved energy of listed jobs by what it was for",
        lambda s: _sum([_parts(job.energy) for job in s.jobs]),
        label="purpose",
    ),
    Metric(
        "power_watts",
        "Mean power of late by the class of the meters, A (metered) to D (defaults)",
        lambda s: s.energy.watts_by_tier or {},
        label="tier",
    ),
    _gauge("power_all_watts", "Mean power of late, all classes together", watts),
    Metric(
        "carbon_grams",
        "Greenhouse gases of all work, g CO2e: low, central and high estimate",
        lambda s: {
            "low": s.energy.gco2e_low,
            "central": s.energy.gco2e_central,
            "high": s.energy.gco2e_high,
        },
        "counter",
        "estimate",
    ),
    _gauge("snapshot_timestamp_seconds", "Unix time that these are of", lambda s: s.at_s),
)  # fmt: skip


class EcoCollector(PrometheusCollector):
    """Gives Prometheus what the view saw last; asking builds nothing."""

    def __init__(self, view: View, server: Any) -> None:
        super().__init__(server)
        self.subsystem = "eco"
        self.view = view

    def collect(self) -> Iterator[Any]:
        """Yield all metrics whose values are known."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
        snapshot = self.view.latest
        if snapshot is None:
            return
        for metric in METRICS:
            labels = [metric.label] if metric.label else []
            name = self.build_name(metric.name)
            family = families[metric.kind](name, metric.help, labels=labels)
            for label, value in metric.read(snapshot).items():
                if value is not None:
                    family.add_metric([label] if labels else [], value)
            if family.samples:
                yield family


def serve(view: View, scheduler: Any) -> EcoCollector | None:
    """Have ``/metrics`` show a view; None without the package prometheus-client.

    Whoever calls it calls :func:`withdraw` in the end: names are taken once in a process.
    """
    try:
        from prometheus_client import REGISTRY
    except ModuleNotFoundError:
        return None
    collector = EcoCollector(view, scheduler)
    for earlier in [it for it in _serving if it is not collector]:
        withdraw(earlier)
    REGISTRY.register(collector)
    _serving.append(collector)
    return collector


def withdraw(collector: EcoCollector | None) -> None:
    """Take a view out of ``/metrics``; again changes nothing."""
    if collector in _serving:
        from prometheus_client import REGISTRY

        _serving.remove(collector)
        REGISTRY.unregister(collector)


_serving: Final[list[EcoCollector]] = []


def _sum(parts: list[_Values]) -> _Values:
    names = ("useful", "verification", "wasted", "coordination")
    known = {name: [it[name] for it in parts if it[name] is not None] for name in names}
    return {name: sum(filter(None, values)) if values else None for name, values in known.items()}
