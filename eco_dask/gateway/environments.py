"""Which connected providers have the packages that jobs need, and who lacks what.

    job's need ──learn──► new tags of every session ──► engine (ProviderJoined, described anew)
    session joins ──tagged──► its tags, and those of the needs it meets

The engine knows tags only. A need becomes one when the first task of a job asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from eco_dask.engine.facts import Provider
from eco_dask.gateway.session import Session
from eco_dask.providers.packages import PackageNeed, need_of, satisfied

#: Needs that are looked after at a time; the one not asked for longest goes first.
NEEDS_KEPT = 512
#: Providers that a message names.
_NAMED_MAX = 5
_MODULE = re.compile(r"[A-Za-z_][\w.]{0,99}", re.ASCII)


class Environments:
    """The needs that jobs stated, and who meets them."""

    def __init__(self) -> None:
        self._needs: dict[str, PackageNeed] = {}

    def tagged(self, provider: Provider, packages: Mapping[str, str]) -> Provider:
        """Return a provider with the tags of the needs that it meets, beside its own."""
        own = frozenset(tag for tag in provider.tags if need_of(tag) is None)
        return replace(provider, tags=own | satisfied(self._needs.values(), packages))

    def learn(self, require: Iterable[str]) -> bool:
        """Take note of a task's needs; True if there is one that nobody was asked about yet."""
        fresh = False
        for tag in require:
            known = self._needs.pop(tag, None)
            need = known or need_of(tag)
            if need is not None:
                self._needs[tag] = need
                fresh |= known is None
        while len(self._needs) > NEEDS_KEPT:
            del self._needs[next(iter(self._needs))]
        return fresh


def who_lacks(require: Iterable[str], sessions: Iterable[Session]) -> str:
    """Say which of the connected providers lack which needed packages; empty if none does."""
    there = list(sessions)
    parts = []
    for need in sorted(filter(None, map(need_of, require)), key=str):
        lacking = [_with_version(s, need) for s in there if not need.accepts(_version(s, need))]
        if lacking:
            parts.append(f"{need}: {len(lacking)} of {len(there)} providers, {_named(lacking)}")
    return "; ".join(parts)


def missing_module_text(key: object, lacking: Mapping[str, Iterable[str]]) -> str:
    """Say of a task which modules its providers could not import.

    Parameters
    ----------
    key : object
        The task's.
    lacking : mapping
        Providers, as :func:`describe` names them, by the module that they lack.
    """
    modules = "; ".join(
        f"No module named {module!r} at {_named(sorted(who))}" for module, who in lacking.items()
    )
    first = next(iter(lacking)).partition(".")[0]
    return (
        f"task {key!r}: {modules}. State the package, by its name on the package index, so that "
        f"only providers that have it are asked: eco_dask.job(require={{'packages': {{{first!r}: "
        "''}}). A module of your own travels with the task after "
        "cloudpickle.register_pickle_by_value(module)."
    )


def module_name(text: str) -> str | None:
    """Return the name of a module as a provider sent it; None if it is no name."""
    return text if _MODULE.fullmatch(text) else None


def describe(provider: Provider) -> str:
    """Name a provider in a message: its owner, and the start of its id."""
    return f"{provider.owner} ({provider.id[:8]})"


def _version(session: Session, need: PackageNeed) -> str | None:
    return session.packages.get(need.name)


def _with_version(session: Session, need: PackageNeed) -> str:
    version = _version(session, need)
    return f"{describe(session.provider)} has {version or 'none'}"


def _named(who: list[str]) -> str:
    rest = len(who) - _NAMED_MAX
    return ", ".join(who[:_NAMED_MAX]) + (f" and {rest} more" if rest > 0 else "")
