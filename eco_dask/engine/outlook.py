"""Why an idle provider gets nothing, from what waits.

Provider, waiting ballots, barred owners ──outlook_of──► Outlook
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from eco_dask.engine.ballot import Ballot
from eco_dask.engine.facts import Provider, Task
from eco_dask.types import OwnerId
from eco_dask.verification.rules import CredibilityRule

#: Waiting ballots that are looked at.
_SEEN_MAX = 256


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a provider is told; the codes are those of the wire's message."""

    code: str
    detail: str = ""
    #: Tasks that wait, as far as they were looked at.
    waiting: int = 0


def outlook_of(
    provider: Provider,
    waiting: Iterable[Ballot],
    barred: AbstractSet[OwnerId],
    is_short: Callable[[Task], bool] = lambda _: False,
) -> Outlook:
    """Say why a provider with room has no task.

    Parameters
    ----------
    provider : Provider
        Who asks.
    waiting : iterable of Ballot
        What waits for its role.
    barred : set of OwnerId
        Owners that get nothing.
    is_short : callable
        Whether the budget of a task's job does not pay for another attempt at present.
    """
    if provider.owner in barred:
        return Outlook("barred")
    ballots = tuple(islice(waiting, _SEEN_MAX))
    if not ballots:
        return Outlook("no-demand")
    lacking = [ballot.task.require - provider.tags for ballot in ballots]
    if all(lacking):
        fewest: frozenset[str] = min(lacking, key=len)
        return Outlook("tags", ", ".join(sorted(fewest))[:256], len(ballots))
    able = [ballot for ballot, tags in zip(ballots, lacking, strict=True) if not tags]
    return Outlook(_why(provider, able, is_short), "", len(ballots))


def _why(provider: Provider, able: list[Ballot], is_short: Callable[[Task], bool]) -> str:
    """Return the code for tasks that a machine could do, and has not got."""
    new = [ballot for ballot in able if provider.owner not in ballot.asked]
    if not new:
        # A proven owner's answer would have ended the vote: only audits ask after one.
        unproven = any(
            isinstance(ballot.task.rule, CredibilityRule) and ballot.phase == "voting"
            for ballot in able
        )
        return "probation" if unproven else "witnessed"
    fit = [ballot for ballot in new if provider.id not in ballot.lost_by]
    if not fit:
        return "lost"
    # Trusted workers are not paid.
    short = provider.role == "provider" and all(is_short(ballot.task) for ballot in fit)
    return "price" if short else "soon"
