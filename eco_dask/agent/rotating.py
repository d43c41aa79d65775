"""A provider's key is exchanged: the new one is shown to the gateway, then it replaces the old one.

next_identity ──NewKey──► gateway ──KeyTaken──► succeed        interrupted: done again, safely
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from eco_dask.agent.dialling import Connection, Introduction
from eco_dask.errors import RegistrationError
from eco_dask.providers.identity import next_identity, succeed
from eco_dask.types import ProviderId
from eco_dask.wire import messages as m

#: Seconds that all of it may take, a benchmark at joining included.
ROTATE_S = 180.0


async def rotate(about: Introduction, folder: Path) -> ProviderId:
    """Exchange the key in ``folder``; return the provider's id, which stays.

    Until the gateway has confirmed it, both keys are kept, so that an interruption at any point
    leaves a provider that can join or rotate again.

    Raises
    ------
    RegistrationError
        The gateway refuses this provider.
    OSError
        The gateway cannot be reached, or the connection broke.
    TimeoutError
        The gateway did not answer.
    """
    async with asyncio.timeout(ROTATE_S):
        try:
            provider = await _offer(about, folder)
        except RegistrationError as error:
            if error.code != "key-retired":
                raise
            # An earlier try was interrupted after the gateway had taken the new key.
            provider = await _visit(replace(about, identity=next_identity(folder)))
    succeed(folder)
    return provider


async def _offer(about: Introduction, folder: Path) -> ProviderId:
    following = next_identity(folder)
    connection = await Connection.dial(about)
    writer = asyncio.create_task(connection.outbox.run())
    try:
        welcome = await connection.join(b"")
        # No work now: this connection is about to end.
        connection.say(m.Slots(0, "changing the key"))
        signature = following.sign_succession(about.identity.public_key, connection.nonce)
        connection.say(m.NewKey(following.public_key, signature))
        async for message in connection.messages():
            if isinstance(message, m.KeyTaken) and message.public_key == following.public_key:
                return welcome.provider
        raise ConnectionError("the gateway closed the connection before it had taken the new key")
    finally:
        await connection.close("the key was changed")
        writer.cancel()


async def _visit(about: Introduction) -> ProviderId:
    """Join and leave, to see that the gateway knows the key."""
    connection = await Connection.dial(about)
    writer = asyncio.create_task(connection.outbox.run())
    try:
        return (await connection.join(b"")).provider
    finally:
        await connection.close("only looking")
        writer.cancel()
