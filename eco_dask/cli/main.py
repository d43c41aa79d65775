"""``eco-dask``, also ``dask eco``: all commands in one group."""

from __future__ import annotations

import click

import eco_dask
from eco_dask.cli.accounts import balance, jobs, receipts
from eco_dask.cli.admin import invite, providers
from eco_dask.cli.demo import demo
from eco_dask.cli.energy import energy
from eco_dask.cli.gateway import gateway
from eco_dask.cli.group import EcoGroup
from eco_dask.cli.recruiters import recruiters
from eco_dask.cli.scheduler import scheduler
from eco_dask.cli.strikes import strikes
from eco_dask.cli.token import token
from eco_dask.cli.top import top
from eco_dask.cli.worker import worker


@click.group(cls=EcoGroup, name="eco")
@click.version_option(eco_dask.__version__, prog_name="eco-dask")
def eco() -> None:
    """Run Dask code on a network of untrusted machines, verified and paid in points."""


for command in (
    scheduler, gateway, worker, invite, providers, strikes, recruiters, jobs, balance, receipts,
    energy, demo, token, top,
):  # fmt: skip
    eco.add_command(command)


if __name__ == "__main__":
    eco(prog_name="eco-dask")
