"""What a gateway tells the scheduler when a screen wants to know: who holds what, how it goes.

sessions, engine, tallies ──gateway_facts──► plain values ──eco_facts──► view
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from eco_dask.types import JobId, ProviderId

if TYPE_CHECKING:
    from eco_dask.gateway.gateway import Gateway


def gateway_facts(gateway: Gateway, jobs: Iterable[str]) -> dict[str, Any]:
    """Return what screens show of a gateway, and of some jobs there.

    Returns
    -------
    dict
        ``providers``: of each connected one its slots, those that hold a lease, its unanswered
        leases, and the points held for it in millipoints. ``waiting``: tasks that want a provider.
        ``open``: tasks that are not over. ``tally``, ``tallies``: what verification did, of all
        jobs and by job. ``belief``: owners by how surely a lone answer of theirs is right.
    """
    engine = gateway.engine
    pending_mpt: Counter[ProviderId] = Counter()
    for held in engine.leases.held.values():
        if held.reserve is not None:
            pending_mpt[held.provider.id] += held.reserve.amount_mpt
    providers = {}
    for provider, session in gateway.sessions.items():
        if session.outbox is not None:
            leases, slots = len(engine.leases_of(provider)), session.provider.slots
            providers[provider] = [slots, min(slots, leases), leases, pending_mpt[provider]]
    tallies = {job: gateway.tally(JobId(job)) for job in jobs}
    return {
        "name": gateway.name,
        "providers": providers,
        "waiting": engine.tasks_waiting,
        "open": engine.ballots_open,
        "tally": gateway.tallies.total(),
        "tallies": {job: tally for job, tally in tallies.items() if tally is not None},
        "belief": gateway.belief(),
    }
