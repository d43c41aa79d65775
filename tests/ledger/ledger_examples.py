"""Short ways to write entries and receipts in tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from eco_dask.ledger.book import Entry, Reserve, Resolve
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.types import (
    Account,
    BallotId,
    EntryId,
    JobId,
    LeaseId,
    OwnerId,
    ProviderId,
    TaskKind,
)

ALICE, BOB, POOL = Account("owner:alice"), Account("owner:bob"), Account("recruiter:pool")
ACCOUNTS = [ALICE, BOB, POOL]
IDS = [EntryId(name) for name in ("g1-a", "g1-b", "g1-c", "g2-a", "g2-b", "G1-a", "g1_a")]


def reserve(
    id: str = "r", mpt: int = 100, payer: Account = POOL, payee: Account = ALICE
) -> Reserve:
    return Reserve(EntryId(id), payer, payee, mpt)


def post(id: str = "p", of: str = "r", mpt: int = 100) -> Resolve:
    return Resolve(EntryId(id), EntryId(of), "post", mpt)


def void(id: str = "v", of: str = "r") -> Resolve:
    return Resolve(EntryId(id), EntryId(of), "void", 0)


def receipt(lease: str = "lease-1", **fields: Any) -> Receipt:
    defaults: dict[str, Any] = {
        "ballot": BallotId("ballot-1"),
        "job": JobId("job-1"),
        "kind": TaskKind("sum"),
        "provider": ProviderId("provider-1"),
        "owner": OwnerId("alice"),
        "reason": ReceiptReason.AGREED,
        "cpu_s": 1.5,
        "wall_s": 2.0,
        "work_units": 1.25,
        "amount_mpt": 100,
        "issued_at_s": 1.7e9,
        "digest": b"\x01" * 32,
    }
    return Receipt(LeaseId(lease), **(defaults | fields))


def entries(ids: list[EntryId] = IDS, amount_max_mpt: int = 3) -> st.SearchStrategy[Entry]:
    """Few ids, accounts and amounts, so that repetitions and contradictions are frequent."""
    id, amount_mpt = st.sampled_from(ids), st.integers(1, amount_max_mpt)
    parties = st.permutations(ACCOUNTS)
    reserves = st.builds(lambda i, p, a: Reserve(i, p[0], p[1], a), id, parties, amount_mpt)
    posts = st.builds(Resolve, id, id, st.just("post"), amount_mpt)
    voids = st.builds(Resolve, id, id, st.just("void"), st.just(0))
    return st.one_of(reserves, reserves, posts, voids)
