"""Dask plugins: one makes a worker a gateway, one gives a scheduler jobs and points."""

from eco_dask.plugins.gateway import EcoGatewayPlugin as EcoGatewayPlugin
from eco_dask.plugins.scheduler import EcoSchedulerPlugin as EcoSchedulerPlugin
