"""A group of providers seen as owners and tags: who could be asked, without looking at each.

providers ──add──► tags ──► owner ──► how many of them
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from eco_dask.engine.facts import Provider
from eco_dask.types import OwnerId


class Crowd:
    """Owners of some providers, counted per set of tags; few machines differ in their tags."""

    __slots__ = ("_owners_by_tags",)

    def __init__(self) -> None:
        self._owners_by_tags: dict[frozenset[str], dict[OwnerId, int]] = {}

    def add(self, provider: Provider) -> None:
        """Count a provider in."""
        owners = self._owners_by_tags.setdefault(provider.tags, {})
        owners[provider.owner] = owners.get(provider.owner, 0) + 1

    def remove(self, provider: Provider) -> None:
        """Count a provider out that was counted in before."""
        owners = self._owners_by_tags[provider.tags]
        owners[provider.owner] -= 1
        if not owners[provider.owner]:
            del owners[provider.owner]
            if not owners:
                del self._owners_by_tags[provider.tags]

    def owners(self, require: frozenset[str]) -> set[OwnerId]:
        """Owners of providers with all the tags in ``require``."""
        return set().union(
            *(owners for tags, owners in self._owners_by_tags.items() if require <= tags)
        )

    def has_owner(self, require: frozenset[str], asked: AbstractSet[OwnerId]) -> bool:
        """Whether a provider has the tags and an owner that is not among ``asked``."""
        return any(
            any(owner not in asked for owner in owners)
            for tags, owners in self._owners_by_tags.items()
            if require <= tags
        )
