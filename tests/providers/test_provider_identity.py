"""Identity: one per folder for good, proven by signatures that serve for nothing else."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

import eco_dask.types
from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.identity import (
    KEY_FILE,
    Identity,
    claim_identity,
    provider_id_of,
    verify_challenge,
)

REPOSITORY = Path(eco_dask.types.__file__).parents[1]
STARTER = """
import sys
from pathlib import Path
from eco_dask.providers.identity import Identity
sys.stdin.readline()
print(Identity.load_or_create(Path(sys.argv[1])).provider_id)
"""
NONCE, BINDING = b"n" * 32, b"b" * 32
IDENTITY = Identity(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))


def pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


#: The points of Ed25519 whose order divides 8, in every encoding but for the sign bit.
WEAK_POINTS = (
    "00" * 32,
    "01" + "00" * 31,
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)


def test_the_identity_stays(tmp_path: Path) -> None:
    first = Identity.load_or_create(tmp_path / "agent")
    again = Identity.load_or_create(tmp_path / "agent")
    other = Identity.load_or_create(tmp_path / "other")
    assert (first.provider_id, first.public_key) == (again.provider_id, again.public_key)
    assert first.provider_id != other.provider_id
    assert stat.S_IMODE((tmp_path / "agent").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "agent" / KEY_FILE).stat().st_mode) == 0o600


def test_processes_that_start_at_once_share_one_identity(tmp_path: Path) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(tmp_path / "agent")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            text=True,
        )
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = {starter.communicate(timeout=60)[0] for starter in starters}
    assert answers == {f"{Identity.load_or_create(tmp_path / 'agent').provider_id}\n"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pem at all",
        pem(Ed25519PrivateKey.generate())[:-40],
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(Ed25519PrivateKey.generate(), password=b"word"),
        IDENTITY.public_key,
    ],
    ids=["empty", "garbage", "cut", "other kind", "encrypted", "public key"],
)
def test_a_damaged_key_is_an_error_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="restore it from a backup"):
        Identity.load_or_create(tmp_path)
    assert path.read_bytes() == content


def test_an_unreadable_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(ConfigurationError, match="cannot read the private key"):
        Identity.load_or_create(tmp_path)


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    with claim_identity(tmp_path / "agent"):
        with pytest.raises(ConfigurationError, match=f"process {os.getpid()}"):
            claim_identity(tmp_path / "agent")
        Identity.load_or_create(tmp_path / "agent")
    claim_identity(tmp_path / "agent").release()


def test_the_id_follows_from_the_public_key() -> None:
    assert re.fullmatch(r"p-[a-z2-7]{16}", IDENTITY.provider_id)
    assert provider_id_of(IDENTITY.public_key) == IDENTITY.provider_id
    # Written down once: a provider's id must never change with a version of this package.
    assert IDENTITY.provider_id == "p-bby7hkv4e3sfqlcq"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_has_no_id(size: int) -> None:
    with pytest.raises(RegistrationError) as refused:
        provider_id_of(bytes(size))
    assert refused.value.code == "bad-public-key"


@given(nonce=st.binary(min_size=16, max_size=64), binding=st.binary(max_size=64))
def test_a_signature_proves_its_nonce_and_binding(nonce: bytes, binding: bytes) -> None:
    signature = IDENTITY.sign_challenge(nonce, binding)
    assert verify_challenge(IDENTITY.public_key, nonce, binding, signature)
    assert not verify_challenge(IDENTITY.public_key, nonce + b"\0", binding, signature)
    assert not verify_challenge(IDENTITY.public_key, nonce, binding + b"\0", signature)
    if binding:
        moved = nonce + binding[:1], binding[1:]
        assert not verify_challenge(IDENTITY.public_key, *moved, signature)


GOOD = IDENTITY.sign_challenge(NONCE, BINDING)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)


@pytest.mark.parametrize(
    ("public_key", "signature"),
    [
        (OTHER_KEY.public_key().public_bytes_raw(), GOOD),
        (IDENTITY.public_key, bytes(64)),
        (IDENTITY.public_key, b""),
        (IDENTITY.public_key, GOOD[:-1]),
        (IDENTITY.public_key, GOOD + b"\0"),
        (IDENTITY.public_key, bytes([GOOD[0] ^ 1]) + GOOD[1:]),
        (b"", GOOD),
        (IDENTITY.public_key + b"\0", GOOD),
        (b"\xff" * 32, GOOD),
    ],
)
def test_hostile_proofs_are_no_proofs(public_key: bytes, signature: bytes) -> None:
    assert verify_challenge(IDENTITY.public_key, NONCE, BINDING, GOOD)
    assert not verify_challenge(public_key, NONCE, BINDING, signature)


def test_the_key_signs_nothing_but_challenges() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    for message in (NONCE + BINDING, len(NONCE).to_bytes(4, "big") + NONCE + BINDING):
        assert not verify_challenge(IDENTITY.public_key, NONCE, BINDING, key.sign(message))


def test_a_short_nonce_is_not_signed() -> None:
    with pytest.raises(RegistrationError) as refused:
        IDENTITY.sign_challenge(b"short", b"")
    assert refused.value.code == "bad-challenge"


def test_the_private_key_shows_nowhere(tmp_path: Path) -> None:
    identity = Identity.load_or_create(tmp_path)
    text = (tmp_path / KEY_FILE).read_text()
    secret = text.splitlines()[1]
    assert repr(identity) == str(identity) == f"<Identity {identity.provider_id}>"
    (tmp_path / KEY_FILE).write_text(text.replace("END PRIVATE", "END PUBLIC"))
    with pytest.raises(ConfigurationError) as refused:
        Identity.load_or_create(tmp_path)
    assert secret not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("point", WEAK_POINTS)
def test_keys_that_anybody_can_sign_for_are_refused(point: str) -> None:
    for sign in (0, 0x80):
        key = bytes.fromhex(point)
        key = key[:-1] + bytes([key[-1] | sign])
        for commitment in map(bytes.fromhex, WEAK_POINTS):
            # Of 14 messages each, at least one would verify with every such key.
            signed = (nonce.to_bytes(32, "big") for nonce in range(14))
            forged = commitment + bytes(32)
            assert not any(verify_challenge(key, nonce, b"", forged) for nonce in signed)
