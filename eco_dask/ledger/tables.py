"""The tables of the ledger: entries and receipts are only ever inserted; balances follow them.

What changes here needs a migration in ``migrations/versions``; a test compares the two.

entries_reserve <--reserve-- entries_resolve          both --> balances
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
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

#: Raised by one whenever older code could misread the tables.
SCHEMA_VERSION: Final = 5

metadata = MetaData()

# Compared byte by byte on every database, so that prefixes and pages mean the same everywhere.
# PostgreSQL would otherwise sort by the language of the machine that created the database.
_Name = Text().with_variant(Text(collation="C"), "postgresql")

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

entries_reserve = Table(
    "entries_reserve",
    metadata,
    Column("id", _Name, primary_key=True),
    Column("payer", _Name, nullable=False),
    Column("payee", _Name, nullable=False),
    Column("amount_mpt", BigInteger, CheckConstraint("amount_mpt > 0"), nullable=False),
    sqlite_with_rowid=False,
)

entries_resolve = Table(
    "entries_resolve",
    metadata,
    Column("id", _Name, primary_key=True),
    # Unique: whatever the code does, the database never lets a reserve be resolved twice.
    Column("reserve", _Name, ForeignKey(entries_reserve.c.id), nullable=False, unique=True),
    Column("outcome", Text, CheckConstraint("outcome IN ('post', 'void')"), nullable=False),
    Column("amount_mpt", BigInteger, CheckConstraint("amount_mpt >= 0"), nullable=False),
    sqlite_with_rowid=False,
)

balances = Table(
    "balances",
    metadata,
    Column("account", _Name, primary_key=True),
    Column("posted_mpt", BigInteger, default=0, nullable=False),
    Column(
        "reserved_mpt", BigInteger, CheckConstraint("reserved_mpt >= 0"), default=0, nullable=False
    ),
    Column(
        "pending_mpt", BigInteger, CheckConstraint("pending_mpt >= 0"), default=0, nullable=False
    ),
    sqlite_with_rowid=False,
)

receipts = Table(
    "receipts",
    metadata,
    # The order in which the books took the receipts in; writers take turns, so it has no races.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("lease", _Name, nullable=False, unique=True),
    Column("ballot", _Name, nullable=False),
    Column("job", _Name, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider", _Name, nullable=False),
    Column("owner", _Name, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cpu_s", Double),
    Column("wall_s", Double),
    Column("work_units", Double),
    Column("amount_mpt", BigInteger, CheckConstraint("amount_mpt >= 0"), nullable=False),
    Column("issued_at_s", Double, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Index("receipts_by_owner", "owner", "seq"),
    Index("receipts_by_provider", "provider", "seq"),
    Index("receipts_by_job", "job", "seq"),
    # Finds the first accepted answer of a task, by which tasks are counted as they come.
    Index("receipts_by_ballot", "ballot", "seq"),
)

#: What a gateway has learned of owners and of the network, so that it outlives the gateway.
reputations = Table(
    "reputations",
    metadata,
    Column("gateway", _Name, primary_key=True),
    #: The owner, or what else the state is of.
    Column("part", _Name, primary_key=True),
    Column("state", JSON, nullable=False),
    Column("saved_at_s", Double, nullable=False),
    sqlite_with_rowid=False,
)

#: What runs of tasks, and coordinators' own work for jobs, took: beside the receipts, as it may
#: come after them. Of unknown energy all figures are NULL, and ``unknown`` says why.
energy = Table(
    "energy",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    #: The lease, or the name of a coordinator's own work for a job.
    Column("id", _Name, nullable=False, unique=True),
    Column("job", _Name, nullable=False),
    #: Empty for a coordinator's own work, as are provider and owner.
    Column("ballot", _Name, nullable=False),
    Column("provider", _Name, nullable=False),
    Column("owner", _Name, nullable=False),
    #: What the lease was for (vote, audit, known, check), or coordination.
    Column("purpose", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("component_uj", BigInteger, CheckConstraint("component_uj >= 0")),
    Column("marginal_uj", BigInteger, CheckConstraint("marginal_uj >= 0")),
    Column("reserved_uj", BigInteger, CheckConstraint("reserved_uj >= 0")),
    Column("metered_uj", BigInteger, CheckConstraint("metered_uj >= 0")),
    Column("carbon_low_ug", BigInteger, CheckConstraint("carbon_low_ug >= 0")),
    Column("carbon_central_ug", BigInteger, CheckConstraint("carbon_central_ug >= 0")),
    Column("carbon_high_ug", BigInteger, CheckConstraint("carbon_high_ug >= 0")),
    Column("gap_ms", BigInteger, CheckConstraint("gap_ms >= 0")),
    Column("tier", Text),
    #: Sets of texts, joined by line feeds in their order, so that equal sets are equal.
    Column("sources", Text),
    Column("grids", Text),
    Column("warnings", Text),
    Column("unknown", Text),
    Index("energy_by_job", "job", "seq"),
    Index("energy_by_provider", "provider", "seq"),
    Index("energy_by_owner", "owner", "seq"),
)

#: What the owner of a provider declares of its energy; the last word counts.
declarations = Table(
    "declarations",
    metadata,
    Column("provider", _Name, primary_key=True),
    Column("declared", JSON, nullable=False),
    Column("declared_at_s", Double, nullable=False),
    sqlite_with_rowid=False,
)

#: Who may ask the HTTP API for what.
tokens = Table(
    "tokens",
    metadata,
    Column("id", _Name, primary_key=True),
    # Only the hash: who reads the database cannot use it.
    Column("secret_hash", LargeBinary, nullable=False),
    #: ``operator``, ``recruiter``, ``recruiter:NAME`` or ``owner:NAME``.
    Column("scope", _Name, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("expires_at_s", Double),
    Column("revoked_at_s", Double),
    sqlite_with_rowid=False,
)

#: Time series, each in several steps: a point holds all that was recorded within its step.
series = Table(
    "series",
    metadata,
    Column("name", _Name, primary_key=True),
    Column("step_s", Integer, primary_key=True),
    #: Start of the step, Unix time in seconds.
    Column("at_s", BigInteger, primary_key=True),
    Column("count", Integer, CheckConstraint("count > 0"), nullable=False),
    Column("total", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("last", Double, nullable=False),
    sqlite_with_rowid=False,
)

#: What the scheduler saw of each job, so that it outlives the scheduler.
job_records = Table(
    "job_records",
    metadata,
    Column("job", _Name, primary_key=True),
    Column("record", JSON, nullable=False),
    Column("started_at_s", Double, nullable=False),
    Index("job_records_by_start", "started_at_s"),
    sqlite_with_rowid=False,
)
