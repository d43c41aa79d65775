"""Dask plugins: one that turns a worker into a gateway, one that gives a scheduler jobs and points."""

from eco_dask.plugins.gateway import EcoGatewayPlugin as EcoGatewayPlugin
from eco_dask.plugins.scheduler import EcoSchedulerPlugin as EcoSchedulerPlugin
