"""Fleets of local providers, honest and not, to give to an :class:`~eco_dask.EcoCluster`.

EcoCluster(providers=FLEETS["one liar"])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eco_dask.cluster import ProviderSpec
from eco_dask.testing.behaviours import behaviour_of


def misbehaving(
    owner: str, behaviour: str, *, seed: str | None = None, **spec: Any
) -> ProviderSpec:
    """Describe a local provider that misbehaves.

    Parameters
    ----------
    owner : str
        Account that it belongs to.
    behaviour : str
        A name of :data:`~eco_dask.testing.behaviours.BEHAVIOURS`, such as ``"lie:0.5"``.
    seed : str, optional
        What its random choices derive from. Default: the owner's name.
    **spec
        Further fields of :class:`~eco_dask.cluster.ProviderSpec`.

    Raises
    ------
    ConfigurationError
        If there is no such behaviour.
    """
    seed = owner if seed is None else seed
    behaviour_of(behaviour, seed)
    return ProviderSpec(
        owner,
        module="eco_dask.testing.provider",
        arguments=("--behaviour", behaviour, "--seed", seed),
        **spec,
    )


def honest(*owners: str, **spec: Any) -> tuple[ProviderSpec, ...]:
    """Describe one honest local provider for each owner named."""
    return tuple(ProviderSpec(owner, **spec) for owner in owners)


#: Faults as a table: what each fleet is made of.
FLEETS: Mapping[str, tuple[ProviderSpec, ...]] = {
    "all honest": honest("ann", "bob", "cem"),
    "one liar": (*honest("ann", "bob", "cem"), misbehaving("mallory", "lie:0.5")),
    "two colluders of one owner": (
        *honest("ann", "bob", "cem"),
        misbehaving("mallory", "collude:7"),
        misbehaving("mallory", "collude:7", seed="mallory again"),
    ),
    "claims errors": (*honest("ann", "bob"), misbehaving("mallory", "error:0.5")),
    "withholds": (*honest("ann", "bob"), misbehaving("mallory", "withhold")),
    "reneges": (*honest("ann", "bob"), misbehaving("mallory", "renege")),
    "serves other bytes": (*honest("ann", "bob"), misbehaving("mallory", "mismatch")),
    "sketches another value": (*honest("ann", "bob"), misbehaving("mallory", "sketch-lie")),
    "withholds sketches": (*honest("ann", "bob"), misbehaving("mallory", "sketch-withhold")),
    "serves other bytes than it sketches": (
        *honest("ann", "bob"),
        misbehaving("mallory", "sketch-right"),
    ),
    "sleeps, then lies": (*honest("ann", "bob", "cem"), misbehaving("mallory", "sleeper:10")),
    "sends garbage": (*honest("ann", "bob"), misbehaving("mallory", "garbage")),
    "never answers": (*honest("ann", "bob"), misbehaving("mallory", "stall")),
    "vanishes": (*honest("ann", "bob"), misbehaving("mallory", "vanish:3")),
}
