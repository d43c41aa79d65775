"""``eco-dask-worker --rotate-key``: another key for this machine, the same id, owner and points."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from eco_dask.agent.dialling import Introduction
from eco_dask.agent.rotating import rotate
from eco_dask.config import gateway_rule
from eco_dask.errors import EcoDaskError
from eco_dask.providers.detect import detect
from eco_dask.providers.identity import Identity, claim_identity
from eco_dask.providers.link import find_link


def rotate_key(link: str | None, link_file: Path | None, home: Path) -> None:
    """Exchange the key in ``home`` while no agent runs with it, and say so.

    Raises
    ------
    click.ClickException
        It could not be exchanged; the old key stays valid, unless the message says otherwise.
    """
    try:
        found = find_link(link, link_file, os.environ)
        identity = Identity.load_or_create(home)
        with claim_identity(home):
            about = Introduction(found, identity, detect(1, None), 1, 1, gateway_rule().limits)
            provider = asyncio.run(rotate(about, home))
    except EcoDaskError as error:
        raise click.ClickException(str(error)) from error
    except (OSError, TimeoutError) as error:
        raise click.ClickException(
            f"the gateway at {found.address} did not take the new key "
            f"({str(error) or type(error).__name__}): run the same command again"
        ) from error
    click.echo(f"Provider {provider} has a new key. The old one is refused from now on.")
