"""The vocabulary: names for the ids and facts that every floor shares."""

from __future__ import annotations

from typing import NewType

#: An account behind one or many providers. One owner is one witness.
OwnerId = NewType("OwnerId", str)
#: One contributed machine; derived from its Ed25519 public key.
ProviderId = NewType("ProviderId", str)
#: One submission of one task to the provider network, unique across gateways and restarts.
BallotId = NewType("BallotId", str)
#: One task given to one provider, unique across gateways and restarts.
LeaseId = NewType("LeaseId", str)
#: One result that a recruiter waits for and that the gateway made itself of accepted ones.
GateId = NewType("GateId", str)
#: What a ``with eco_dask.job()`` block groups together.
JobId = NewType("JobId", str)
#: Tasks that run the same code: the prefix of the Dask key, such as ``sum`` of ``sum-3f2a``.
TaskKind = NewType("TaskKind", str)
#: BLAKE3 over canonical bytes, 32 bytes.
Digest = NewType("Digest", bytes)
#: A holder of points: an owner, a recruiter, or one of the network's own accounts.
Account = NewType("Account", str)
#: An entry in the ledger; chosen by the sender, so that a retry is recognised.
EntryId = NewType("EntryId", str)

#: Length of every :data:`Digest`.
DIGEST_SIZE_BYTES = 32
