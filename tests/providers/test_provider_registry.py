"""Registry: an invite lets in exactly as many as it says, and a refusal changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

import eco_dask.types
from eco_dask.errors import RegistrationError
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tables import metadata
from eco_dask.providers.capability import Capability
from eco_dask.providers.identity import provider_id_of
from eco_dask.providers.registry import Registry
from eco_dask.types import ProviderId

REPOSITORY = Path(eco_dask.types.__file__).parents[1]
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ID = provider_id_of(KEY)
NOBODY = ProviderId("p-nobody")
NOW_S = 1.8e9
CAPABILITY = Capability(8, 1 << 34, (), "linux", "x86_64", "3.11.14", "2.4.6")
JOINER = """
import sys
from eco_dask.errors import RegistrationError
from eco_dask.ledger.database import open_database
from eco_dask.providers.registry import Registry
registry = Registry(open_database(sys.argv[1]))
key, invite = sys.stdin.readline().split()
try:
    print(registry.admit(bytes.fromhex(key), invite, 1.8e9).id)
except RegistrationError as error:
    print(error.code)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'books.sqlite'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry(engine)


def content(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in metadata.sorted_tables
        }


def wrong_secret(invite: str) -> str:
    return invite[:-1] + ("A" if invite[-1] != "A" else "B")


def test_an_invite_enrols_a_provider_for_its_owner(registry: Registry) -> None:
    assert registry.known(KEY) is None
    invite = registry.invite("alice@lab", role="trusted", at_s=NOW_S)
    record = registry.admit(KEY, invite, NOW_S + 5)
    assert (record.id, record.owner, record.role) == (ID, "alice@lab", "trusted")
    assert (record.public_key, record.enrolled_at_s) == (KEY, NOW_S + 5)
    assert (record.revoked, record.score, record.capability, record.strikes) == (
        False,
        None,
        {},
        0,
    )
    assert registry.known(KEY) == registry.provider(ID) == record
    assert registry.providers() == registry.providers("alice@lab") == (record,)
    assert registry.providers("bob") == ()


def test_an_enrolled_provider_needs_no_invite_and_spends_none(registry: Registry) -> None:
    record = registry.admit(KEY, registry.invite("alice", at_s=NOW_S), NOW_S)
    bobs = registry.invite("bob", at_s=NOW_S)
    for invite in ("", "nonsense", bobs):
        assert registry.admit(KEY, invite, NOW_S + 1) == record
    assert registry.admit(OTHER_KEY, bobs, NOW_S).owner == "bob"


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("empty", "invite-unknown"),
        ("nonsense", "invite-unknown"),
        ("id only", "invite-unknown"),
        ("other id", "invite-unknown"),
        ("flood", "invite-unknown"),
        ("wrong secret", "invite-wrong-secret"),
        ("longer secret", "invite-wrong-secret"),
        ("wrong secret, expired", "invite-wrong-secret"),
        ("expired", "invite-expired"),
        ("just expired", "invite-expired"),
        ("spent", "invite-spent"),
        ("short key", "bad-public-key"),
    ],
)
def test_a_refused_admission_changes_nothing(
    registry: Registry, engine: Engine, case: str, code: str
) -> None:
    invite = registry.invite("alice", expires_at_s=NOW_S + 10, at_s=NOW_S)
    spent = registry.invite("alice", at_s=NOW_S)
    registry.admit(OTHER_KEY, spent, NOW_S)
    offered, at_s = {
        "empty": ("", NOW_S),
        "nonsense": ("' OR 1=1 --", NOW_S),
        "id only": (invite.split(".")[0], NOW_S),
        "other id": (f"0000{invite}", NOW_S),
        "flood": (invite * 10_000, NOW_S),
        "wrong secret": (wrong_secret(invite), NOW_S),
        "longer secret": (f"{invite}A", NOW_S),
        "wrong secret, expired": (wrong_secret(invite), NOW_S + 99),
        "expired": (invite, NOW_S + 99),
        "just expired": (invite, NOW_S + 10),
        "spent": (spent, NOW_S),
        "short key": (invite, NOW_S),
    }[case]
    before = content(engine)
    with pytest.raises(RegistrationError) as refused:
        registry.admit(KEY[:31] if case == "short key" else KEY, offered, at_s)
    assert refused.value.code == code
    assert content(engine) == before
    shown = "".join(traceback.format_exception(refused.value))
    assert invite.split(".")[1][:10] not in shown
    assert registry.admit(KEY, invite, NOW_S + 9).id == ID


def test_an_invite_lets_in_as_many_as_it_says(registry: Registry) -> None:
    invite = registry.invite("alice", uses_max=3, at_s=NOW_S)
    keys = [bytes([n]) * 32 for n in range(4)]
    for key in keys[:3]:
        registry.admit(key, invite, NOW_S)
    with pytest.raises(RegistrationError) as refused:
        registry.admit(keys[3], invite, NOW_S)
    assert refused.value.code == "invite-spent"
    assert len(registry.providers("alice")) == 3


def test_the_database_holds_no_secret(registry: Registry, url: str) -> None:
    invite = registry.invite("alice", at_s=NOW_S)
    registry.admit(KEY, invite, NOW_S)
    files = list(Path(url.removeprefix("sqlite:///")).parent.iterdir())
    stored = b"".join(path.read_bytes() for path in files)
    assert b"alice" in stored
    assert invite.split(".")[1].encode() not in stored


def race(url: str, keys: list[bytes], invite: str) -> list[str]:
    """Admit all keys at once, each over a connection of its own; return ids and codes."""
    barrier, answers = threading.Barrier(len(keys)), []

    def join(key: bytes) -> None:
        engine = open_database(url)
        registry = Registry(engine)
        barrier.wait(timeout=30)
        try:
            answers.append(str(registry.admit(key, invite, NOW_S).id))
        except RegistrationError as error:
            answers.append(error.code)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=join, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


@pytest.mark.parametrize("uses_max", [1, 3])
def test_of_many_that_come_at_once_exactly_as_many_win(url: str, uses_max: int) -> None:
    registry = Registry(open_database(url))
    invite = registry.invite("alice", uses_max=uses_max, at_s=NOW_S)
    answers = race(url, [bytes([n]) * 32 for n in range(6)], invite)
    assert answers.count("invite-spent") == 6 - uses_max
    winners = {record.id for record in registry.providers()}
    assert winners == set(answers) - {"invite-spent"}
    assert len(winners) == uses_max


def test_one_machine_that_comes_twice_at_once_is_let_in_twice(url: str) -> None:
    registry = Registry(open_database(url))
    assert race(url, [KEY] * 5, registry.invite("alice", at_s=NOW_S)) == [ID] * 5
    assert len(registry.providers()) == 1


def test_of_processes_that_come_at_once_exactly_one_wins(url: str) -> None:
    registry = Registry(open_database(url))
    invite = registry.invite("alice", at_s=NOW_S)
    joiners = [
        subprocess.Popen(
            [sys.executable, "-c", JOINER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            text=True,
        )
        for _ in range(3)
    ]
    for number, joiner in enumerate(joiners):
        assert joiner.stdin is not None
        joiner.stdin.write(f"{(bytes([number]) * 32).hex()} {invite}\n")
        joiner.stdin.flush()
    answers = [joiner.communicate(timeout=120)[0].strip() for joiner in joiners]
    assert sorted(answers)[:2] == ["invite-spent", "invite-spent"]
    assert [record.id for record in registry.providers()] == sorted(answers)[2:]


@pytest.mark.parametrize("owner", ["a", "A.b_c@d-9", "x" * 64])
def test_owner_names_are_plain(registry: Registry, owner: str) -> None:
    registry.invite(owner, at_s=NOW_S)
    registry.invite(owner, at_s=NOW_S)
    assert registry.owners() == (owner,)


@pytest.mark.parametrize(
    "owner", ["", "x" * 65, "a b", "a/b", "a:b", "a\n", "\u0430lice", "a\x1b[2J", "'; DROP"]
)
def test_other_owner_names_are_refused(registry: Registry, engine: Engine, owner: str) -> None:
    before = content(engine)
    with pytest.raises(RegistrationError) as refused:
        registry.invite(owner, at_s=NOW_S)
    assert refused.value.code == "bad-owner"
    assert str(refused.value).isprintable()
    assert content(engine) == before


@pytest.mark.parametrize(
    "settings",
    [{"uses_max": 0}, {"uses_max": -1}, {"expires_at_s": NOW_S}, {"role": "operator"}],
    ids=str,
)
def test_an_invite_that_nobody_could_use_is_refused(
    registry: Registry, engine: Engine, settings: dict[str, Any]
) -> None:
    before = content(engine)
    with pytest.raises(ValueError):
        registry.invite("alice", at_s=NOW_S, **settings)
    assert content(engine) == before


def test_a_visit_keeps_capability_and_score(registry: Registry) -> None:
    registry.admit(KEY, registry.invite("alice", at_s=NOW_S), NOW_S)
    registry.record_visit(ID, CAPABILITY.to_map(), 1.5, NOW_S + 1)
    registry.record_visit(ID, CAPABILITY.to_map(), None, NOW_S + 2)
    record = registry.provider(ID)
    assert Capability.from_map(record.capability) == CAPABILITY
    assert (record.score, record.seen_at_s) == (1.5, NOW_S + 2)


@pytest.mark.parametrize(
    "capability", [{}, CAPABILITY.to_map() | {"cores": 0}, CAPABILITY.to_map() | {"x": [[]]}]
)
def test_a_malformed_visit_changes_nothing(
    registry: Registry, engine: Engine, capability: dict[str, object]
) -> None:
    registry.admit(KEY, registry.invite("alice", at_s=NOW_S), NOW_S)
    before = content(engine)
    with pytest.raises(RegistrationError) as refused:
        registry.record_visit(ID, capability, 1.0, NOW_S)
    assert refused.value.code == "bad-capability"
    assert content(engine) == before


def test_a_revoked_provider_stays_out(registry: Registry) -> None:
    registry.admit(KEY, registry.invite("alice", at_s=NOW_S), NOW_S)
    registry.revoke(ID, "copied results", NOW_S + 1)
    registry.revoke(ID, "another reason", NOW_S + 2)
    record = registry.known(KEY)
    assert record is not None
    assert (record.revoked, record.revoked_reason) == (True, "copied results")
    fresh = registry.invite("alice", at_s=NOW_S)
    for invite in ("", fresh):
        with pytest.raises(RegistrationError, match="copied results") as refused:
            registry.admit(KEY, invite, NOW_S + 3)
        assert refused.value.code == "revoked"
    assert registry.admit(OTHER_KEY, fresh, NOW_S).revoked is False


def test_strikes_are_counted_and_listed_with_their_reasons(registry: Registry) -> None:
    invite = registry.invite("alice", uses_max=2, at_s=NOW_S)
    registry.admit(KEY, invite, NOW_S)
    other = registry.admit(OTHER_KEY, invite, NOW_S)
    assert registry.strike(ID, "wrong result", NOW_S + 1) == 1
    assert registry.strike(ID, "late\x1b[2J" + "x" * 10_000, NOW_S + 2) == 2
    first, second = registry.strikes(ID)
    assert (first.provider, first.reason, first.at_s) == (ID, "wrong result", NOW_S + 1)
    assert second.reason.isprintable()
    assert len(second.reason) < 600
    assert [record.strikes for record in registry.providers()] == [
        2 if record.id == ID else 0 for record in registry.providers()
    ]
    assert registry.strikes(other.id) == ()


@pytest.mark.parametrize(
    "act",
    [
        lambda registry: registry.provider(NOBODY),
        lambda registry: registry.record_visit(NOBODY, CAPABILITY.to_map(), 1.0, NOW_S),
        lambda registry: registry.revoke(NOBODY, "why", NOW_S),
        lambda registry: registry.strike(NOBODY, "why", NOW_S),
    ],
    ids=["provider", "record_visit", "revoke", "strike"],
)
def test_nothing_happens_to_a_stranger(registry: Registry, engine: Engine, act: Any) -> None:
    before = content(engine)
    with pytest.raises(RegistrationError, match="p-nobody") as refused:
        act(registry)
    assert refused.value.code == "provider-unknown"
    assert content(engine) == before


def test_what_was_recorded_is_there_after_a_restart(url: str) -> None:
    first = open_database(url)
    record = Registry(first).admit(KEY, Registry(first).invite("alice", at_s=NOW_S), NOW_S)
    first.dispose()
    assert Registry(open_database(url)).known(KEY) == record
