"""Who may see what of a snapshot: the public, an owner, a recruiter, the operator. Pure.

Snapshot ──may_see(scope)──► the parts of it that a token opens
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eco_dask.dashboard.model import Job, Provider, Snapshot, Verification
from eco_dask.dashboard.plain import to_plain
from eco_dask.ledger.tokens import Scope


def summary(snapshot: Snapshot) -> dict[str, Any]:
    """Return what is public: counts and sums, no names, no addresses."""
    verification = replace(snapshot.verification, credibility_bins=None, strikes=(), kinds=())
    return {
        "at_s": snapshot.at_s,
        "network": to_plain(replace(snapshot.network, gateways=())),
        "verification": to_plain(verification),
        "points": to_plain(snapshot.points),
        "energy": to_plain(snapshot.energy),
    }


def live(snapshot: Snapshot, scope: Scope) -> dict[str, Any]:
    """Return what is sent again and again: all but providers, and owners but one's own."""
    if scope.kind == "public":
        return summary(snapshot)
    plain = summary(snapshot) | {
        "network": to_plain(snapshot.network),
        "verification": to_plain(verification(snapshot, scope)),
    }
    if scope.kind == "owner":
        plain["owners"] = [to_plain(it) for it in snapshot.owners if it.name == scope.name]
    else:
        plain["jobs"] = [to_plain(it) for it in snapshot.jobs if sees_job(scope, it)]
    return plain


def verification(snapshot: Snapshot, scope: Scope) -> Verification:
    """Return how results are verified; whom the network trusts how far is the operator's alone."""
    found = snapshot.verification
    if scope.kind == "operator":
        return found
    strikes = found.strikes
    if scope.kind == "owner":
        strikes = tuple(each for each in strikes if each.owner == scope.name)
    return replace(found, credibility_bins=None, strikes=strikes)


def sees_owner(scope: Scope, owner: str) -> bool:
    """Whether an owner's earnings and machines are shown."""
    return scope.kind == "operator" or (scope.kind == "owner" and scope.name == owner)


def sees_provider(scope: Scope, provider: Provider) -> bool:
    """Whether a machine is shown: recruiters see all, as their jobs' reports name them."""
    return scope.kind == "recruiter" or sees_owner(scope, provider.owner)


def sees_job(scope: Scope, job: Job) -> bool:
    """Whether a job is shown."""
    if scope.kind == "recruiter":
        return scope.name is None or scope.name == job.recruiter
    return scope.kind == "operator"
