"""Providers that misbehave, as tables: for tests and demonstrations of the verification.

misbehaving("mallory", "lie:0.5") ──► ProviderSpec ──EcoCluster──► eco_dask.testing.provider
"""

from eco_dask.testing.fleets import FLEETS as FLEETS
from eco_dask.testing.fleets import honest as honest
from eco_dask.testing.fleets import misbehaving as misbehaving
