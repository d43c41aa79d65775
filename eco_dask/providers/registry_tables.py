"""The tables of the registry: who invited whom, and what became of them.

owners <--owner-- invites        owners <--owner-- providers <--provider-- strikes
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

registry_metadata: Final = MetaData()

_ROLE = "role IN ('provider', 'trusted')"

owners = Table(
    "owners",
    registry_metadata,
    Column("name", Text, primary_key=True),
    Column("created_at_s", Double, nullable=False),
)

invites = Table(
    "invites",
    registry_metadata,
    Column("id", Text, primary_key=True),
    # Only the hash: who reads the database cannot join with it.
    Column("secret_hash", LargeBinary, nullable=False),
    Column("owner", Text, ForeignKey(owners.c.name), nullable=False),
    Column("role", Text, CheckConstraint(_ROLE), nullable=False),
    Column("uses_max", Integer, nullable=False),
    # Whatever the code does, the database never lets an invite be used too often.
    Column("uses", Integer, CheckConstraint("uses <= uses_max"), default=0, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("expires_at_s", Double),
)

providers = Table(
    "providers",
    registry_metadata,
    Column("id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False, unique=True),
    Column("owner", Text, ForeignKey(owners.c.name), nullable=False),
    Column("role", Text, CheckConstraint(_ROLE), nullable=False),
    Column("invite", Text, ForeignKey(invites.c.id), nullable=False),
    Column("enrolled_at_s", Double, nullable=False),
    Column("seen_at_s", Double),
    Column("score", Double),
    Column("capability", JSON, default=dict, nullable=False),
    Column("revoked", Boolean, default=False, nullable=False),
    Column("revoked_reason", Text, default="", nullable=False),
    Column("revoked_at_s", Double),
    Index("providers_by_owner", "owner"),
)

#: Keys that others have followed: whoever stole one cannot use it any more.
retired_keys = Table(
    "retired_keys",
    registry_metadata,
    Column("public_key", LargeBinary, primary_key=True),
    Column("provider", Text, ForeignKey(providers.c.id), nullable=False),
    Column("retired_at_s", Double, nullable=False),
)

#: What was tried by who never joined.
incidents = Table(
    "incidents",
    registry_metadata,
    Column("address", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_at_s", Double, nullable=False),
    Column("last_at_s", Double, nullable=False),
)

strikes = Table(
    "strikes",
    registry_metadata,
    Column("seq", Integer, primary_key=True),
    Column("provider", Text, ForeignKey(providers.c.id), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Index("strikes_by_provider", "provider"),
)
