r"""A provider's Ed25519 key: created once, kept, and proven by signing a challenge.

::

    provider-key.pem --> Identity --sign_challenge(nonce, binding)--> verify_challenge
                                 \--> provider id = "p-" + base32(BLAKE3(public key))
"""

from __future__ import annotations

import base64
from pathlib import Path

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.private_files import (
    FileLock,
    hold_lock,
    make_private_folder,
    read_private,
    write_private,
)
from eco_dask.types import ProviderId

KEY_FILE = "provider-key.pem"
#: The key that is to follow, until the gateway has taken it.
NEXT_KEY_FILE = "provider-key.next.pem"
#: Length of a public key, in bytes.
PUBLIC_KEY_SIZE_BYTES = 32
#: Shortest nonce that is ever signed, in bytes: nobody can guess one beforehand.
NONCE_SIZE_BYTES_MIN = 16

_CREATING = ".provider-key.creating"
_IN_USE = ".provider-key.in-use"
#: Keeps these signatures apart from every other use of the key, such as signing receipts.
_LABEL = b"eco_dask provider challenge\x00protocol 1\x00"
_SUCCESSION_LABEL = b"eco_dask provider key succession\x00"
_ID_SIZE_BYTES = 10
#: Points of small order, in every encoding but for the sign bit of the last byte: as a key, each
#: lets anybody make signatures that verify.
_SMALL_ORDER = (
    bytes(32),
    b"\x01" + bytes(31),
    *(bytes([first]) + b"\xff" * 30 + b"\x7f" for first in (0xEC, 0xED, 0xEE)),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)
_SIGNATURE_SIZE_BYTES = 64


class Identity:
    """The key pair of one provider; its repr never shows the private half."""

    __slots__ = ("_key", "provider_id", "public_key")

    #: 32 bytes.
    public_key: bytes
    #: Follows from the public key, so a provider keeps it wherever it connects.
    provider_id: ProviderId

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.provider_id = provider_id_of(self.public_key)

    def __repr__(self) -> str:
        return f"<Identity {self.provider_id}>"

    @classmethod
    def load_or_create(cls, folder: Path) -> Identity:
        """Return the identity kept in ``folder``; the first call there creates it.

        Two processes that start at once get the same identity.

        Raises
        ------
        ConfigurationError
            The folder or the key cannot be used. A damaged key is never replaced silently: with
            a new one the provider would lose its credibility and the link to its owner.
        """
        make_private_folder(folder)
        path = folder / KEY_FILE
        with hold_lock(folder / _CREATING, wait=True):
            if not path.exists():
                write_private(path, _pem_of(Ed25519PrivateKey.generate()))
        return cls(_key_of(read_private(path), path))

    def sign_challenge(self, nonce: bytes, binding: bytes) -> bytes:
        """Prove possession of the key to whoever drew ``nonce``.

        Parameters
        ----------
        nonce : bytes
            Drawn by the gateway for this connection, at least 16 bytes.
        binding : bytes
            Fingerprint of the certificate that the provider sees, or empty on loopback plain
            text. A gateway in the middle shows another certificate, so it cannot pass it on.

        Returns
        -------
        bytes
            Signature, 64 bytes.

        Raises
        ------
        RegistrationError
            Code ``"bad-challenge"``: the nonce is too short to be unpredictable.
        """
        if len(nonce) < NONCE_SIZE_BYTES_MIN:
            raise RegistrationError(
                "bad-challenge",
                f"the gateway's challenge has {len(nonce)} bytes, at least {NONCE_SIZE_BYTES_MIN} "
                "are needed: do not trust this gateway",
            )
        return self._key.sign(_message(nonce, binding))

    def sign_succession(self, former_key: bytes, nonce: bytes) -> bytes:
        """Show that this key is to follow ``former_key``, to whoever drew ``nonce``."""
        return self._key.sign(_succession(former_key, self.public_key, nonce))


def next_identity(folder: Path) -> Identity:
    """Return the identity that is to follow the one in ``folder``; the first call creates it."""
    make_private_folder(folder)
    path = folder / NEXT_KEY_FILE
    with hold_lock(folder / _CREATING, wait=True):
        if not path.exists():
            write_private(path, _pem_of(Ed25519PrivateKey.generate()))
    return Identity(_key_of(read_private(path), path))


def succeed(folder: Path) -> None:
    """Put the key that was to follow in the place of the old one, which is gone then."""
    (folder / NEXT_KEY_FILE).replace(folder / KEY_FILE)


def claim_identity(folder: Path) -> FileLock:
    """Reserve the identity in ``folder`` for this process until it releases it or dies.

    Raises
    ------
    ConfigurationError
        Another agent runs with it; the message names its pid.
    """
    make_private_folder(folder)
    return hold_lock(folder / _IN_USE, wait=False)


def provider_id_of(public_key: bytes) -> ProviderId:
    """Return the id that belongs to ``public_key``: "p-" and 16 characters.

    Raises
    ------
    RegistrationError
        Code ``"bad-public-key"``: it has not 32 bytes.
    """
    if len(public_key) != PUBLIC_KEY_SIZE_BYTES:
        raise RegistrationError(
            "bad-public-key",
            f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes, this one {len(public_key)}",
        )
    short = blake3(public_key).digest(length=_ID_SIZE_BYTES)
    return ProviderId("p-" + base64.b32encode(short).decode().lower())


def verify_challenge(public_key: bytes, nonce: bytes, binding: bytes, signature: bytes) -> bool:
    """Tell whether the holder of ``public_key`` signed ``nonce`` and ``binding``."""
    if len(public_key) != PUBLIC_KEY_SIZE_BYTES or len(signature) != _SIGNATURE_SIZE_BYTES:
        return False
    if public_key[:-1] + bytes([public_key[-1] & 0x7F]) in _SMALL_ORDER:
        return False
    key = Ed25519PublicKey.from_public_bytes(public_key)
    try:
        key.verify(signature, _message(nonce, binding))
    except InvalidSignature:
        return False
    return True


def verify_succession(former_key: bytes, key: bytes, nonce: bytes, signature: bytes) -> bool:
    """Tell whether the holder of ``key`` signed that it follows ``former_key``."""
    if len(key) != PUBLIC_KEY_SIZE_BYTES or len(signature) != _SIGNATURE_SIZE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(
            signature, _succession(former_key, key, nonce)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _succession(former_key: bytes, key: bytes, nonce: bytes) -> bytes:
    return _SUCCESSION_LABEL + former_key + key + nonce


def _message(nonce: bytes, binding: bytes) -> bytes:
    # With its length in front, no byte can move from the nonce to the binding.
    return _LABEL + len(nonce).to_bytes(4, "big") + nonce + binding


def _pem_of(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _key_of(pem: bytes, path: Path) -> Ed25519PrivateKey:
    problem = "it holds another kind of key"
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: what a parser says about a private key does not belong into a log.
        key, problem = None, "it is damaged"
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ConfigurationError(
        f"{path} is no Ed25519 key, {problem}: restore it from a backup, or move it away to start "
        "as a new provider (which needs a new invite and starts without credibility)"
    )
