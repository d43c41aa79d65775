"""Books of a coordinator as the commands find them, filled through the public ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eco_dask.cli.facts import FACTS_FILE
from eco_dask.cli.main import eco
from eco_dask.ledger.book import Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.providers.capability import Capability, Gpu
from eco_dask.providers.registry import Registry
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

Run = Callable[..., Result]
MACHINE = Capability(
    cores=8, memory_bytes=16 << 30, gpus=(Gpu("NVIDIA H100 PCIe", 80 << 30),), os="linux",
    machine="x86_64", python="3.11.14", numpy="2.3.1", blas="openblas 0.3.31",
)  # fmt: skip


@pytest.fixture
def run() -> Run:
    """Run ``eco-dask`` with arguments, as far as click goes."""
    return lambda *arguments: CliRunner().invoke(eco, [str(a) for a in arguments])


@pytest.fixture
def empty_folder(tmp_path: Path) -> Iterator[Path]:
    """Give the data directory of a coordinator that nobody has joined yet."""
    engine = open_database(f"sqlite:///{tmp_path / 'coordinator.sqlite'}")
    Registry(engine)
    yield tmp_path
    engine.dispose()


@pytest.fixture
def registry(empty_folder: Path) -> Iterator[Registry]:
    engine = open_database(f"sqlite:///{empty_folder / 'coordinator.sqlite'}")
    yield Registry(engine)
    engine.dispose()


@pytest.fixture
def folder(empty_folder: Path) -> Path:
    """Give one where ada's machine agreed once, and bob's, never seen, dissented once."""
    engine = open_database(f"sqlite:///{empty_folder / 'coordinator.sqlite'}")
    registry, ledger = Registry(engine), Ledger(engine)
    ada, bob = (
        registry.admit(bytes([n]) * 32, registry.invite(owner, at_s=1.0), 2.0).id
        for n, owner in enumerate(("ada", "bob"))
    )
    registry.record_visit(ada, MACHINE.to_map(), 7.5, 3.0)
    registry.strike(bob, "dissented", 4.0)
    payer = Account("recruiter:[red]eve")
    ledger.apply(
        [
            Reserve(EntryId("a"), payer, Account("owner:ada"), 1500),
            Resolve(EntryId("a:post"), EntryId("a"), "post", 1250),
            Reserve(EntryId("b"), payer, Account("owner:bob"), 2000),
        ],
        [
            receipt("lease-1", ada, "ada", ReceiptReason.AGREED, 1250),
            receipt("lease-2", bob, "bob", ReceiptReason.DISSENTED, 0),
        ],
    )
    engine.dispose()
    return empty_folder


def receipt(
    lease: str, provider: ProviderId, owner: str, reason: ReceiptReason, amount_mpt: int
) -> Receipt:
    return Receipt(
        LeaseId(lease), BallotId("ballot-1"), JobId("job-1"), TaskKind("[bold]sum"), provider,
        OwnerId(owner), reason, 1.5, 2.0, None, amount_mpt, 1.7e9, b"\x01" * 32,
    )  # fmt: skip


@pytest.fixture
def write_coordinator(empty_folder: Path) -> Callable[..., None]:
    """Leave facts as a coordinator does; nobody listens at its address."""

    def write(**changes: object) -> None:
        facts = {
            "address": "tcp://127.0.0.1:1",
            "provider_address": "ws://127.0.0.1:8790",
            "fingerprint": "",
            "database": f"sqlite:///{empty_folder / 'coordinator.sqlite'}",
        }
        (empty_folder / FACTS_FILE).write_text(json.dumps(facts | changes))

    return write
