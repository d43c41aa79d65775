"""The tables of who belongs here: providers and their owners, recruiters, and who was kept out.

What changes here needs a migration, as in :mod:`eco_dask.ledger.tables`.

owners <--owner-- invites        owners <--owner-- providers <--provider-- strikes
"""

from __future__ import annotations

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
    Table,
    Text,
)

from eco_dask.ledger.tables import metadata

_ROLE = "role IN ('provider', 'trusted')"

owners = Table(
    "owners",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at_s", Double, nullable=False),
)

invites = Table(
    "invites",
    metadata,
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
    metadata,
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
    metadata,
    Column("public_key", LargeBinary, primary_key=True),
    Column("provider", Text, ForeignKey(providers.c.id), nullable=False),
    Column("retired_at_s", Double, nullable=False),
)

#: What was tried by who never joined.
incidents = Table(
    "incidents",
    metadata,
    Column("address", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_at_s", Double, nullable=False),
    Column("last_at_s", Double, nullable=False),
)

strikes = Table(
    "strikes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("provider", Text, ForeignKey(providers.c.id), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Index("strikes_by_provider", "provider"),
)

recruiter_links = Table(
    "recruiter_links",
    metadata,
    Column("id", Text, primary_key=True),
    # Only the hash: who reads the database cannot recruit with it.
    Column("secret_hash", LargeBinary, nullable=False),
    Column("recruiter", Text, nullable=False),
    #: What the recruiter's client dials.
    Column("scheduler", Text, nullable=False),
    Column("days", Double, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("used_at_s", Double),
)

recruiter_certificates = Table(
    "recruiter_certificates",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("recruiter", Text, nullable=False),
    Column("issued_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("revoked_at_s", Double),
    Column("revoked_reason", Text, default="", nullable=False),
)
