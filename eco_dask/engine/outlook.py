"""Why an idle provider gets nothing, from what waits.

Provider, waiting ballots, barred owners ──outlook_of──► Outlook
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from eco_dask.engine.ballot import Ballot
from eco_dask.engine.facts import Provider
from eco_dask.types import OwnerId

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
    provider: Provider, waiting: Iterable[Ballot], barred: AbstractSet[OwnerId]
) -> Outlook:
    """Say why a provider with room has no task."""
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
    if all(provider.owner in ballot.asked for ballot in able):
        return Outlook("witnessed", "", len(ballots))
    return Outlook("soon", "", len(ballots))
