"""A provider's key follows another: the id, the owner and the books stay, the old key is refused.

rotate(old key ──► new key) ──► retired_keys      retired(old key) ──► RegistrationError
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, insert, select, update

from eco_dask.errors import RegistrationError
from eco_dask.ledger.database import writing
from eco_dask.ledger.member_tables import providers, retired_keys
from eco_dask.types import ProviderId


def refuse_retired(engine: Engine, public_key: bytes) -> None:
    """Refuse a key that another one has followed.

    Raises
    ------
    RegistrationError
        Code ``"key-retired"``.
    """
    query = select(retired_keys.c.provider).where(retired_keys.c.public_key == public_key)
    with engine.connect() as connection:
        provider = connection.scalar(query)
    if provider is not None:
        raise RegistrationError(
            "key-retired",
            f"provider {provider} has another key since it was rotated: use that one, or ask the "
            "operator to revoke it",
        )


def rotate_key(engine: Engine, provider: ProviderId, new_key: bytes, at_s: float) -> None:
    """Let a provider be known by another key from now on.

    Parameters
    ----------
    new_key : bytes
        32 bytes, whose possession the caller has verified.
    at_s : float
        Now, in seconds since 1970.

    Raises
    ------
    RegistrationError
        Code ``"provider-unknown"``, or ``"key-taken"``: the key is or was somebody's.
    """
    with writing(engine) as connection:
        query = select(providers.c.public_key).where(providers.c.id == provider)
        former = connection.scalar(query)
        if former is None:
            raise RegistrationError("provider-unknown", f"no provider {provider!r} is enrolled")
        if _is_known(connection, new_key):
            raise RegistrationError(
                "key-taken", "that key is or was in use: remove it and draw a new one"
            )
        connection.execute(
            insert(retired_keys).values(public_key=former, provider=provider, retired_at_s=at_s)
        )
        connection.execute(
            update(providers).where(providers.c.id == provider).values(public_key=new_key)
        )


def _is_known(connection: Connection, key: bytes) -> bool:
    now = select(providers.c.id).where(providers.c.public_key == key)
    before = select(retired_keys.c.provider).where(retired_keys.c.public_key == key)
    return (connection.scalar(now) or connection.scalar(before)) is not None
