"""Keys that are exchanged, and certificates that are pinned, or signed by a public authority."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from guarded import LIMITS, Door, Peer, open_door

from eco_dask.agent.dialling import Connection, Introduction
from eco_dask.agent.rotating import rotate
from eco_dask.config import gateway_rule
from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.gateway.certificate import ShownCertificate
from eco_dask.providers.detect import detect
from eco_dask.providers.identity import Identity, next_identity
from eco_dask.providers.link import JoinLink
from eco_dask.providers.pins import PUBLIC_CA
from eco_dask.wire import messages as m

pytestmark = pytest.mark.asyncio


def about(door: Door, invite: str, home: Path, pin: str = "") -> Introduction:
    kind = "wss" if pin else "ws"
    link = JoinLink(f"{kind}://127.0.0.1:{door.server.port}", invite, pin)
    return Introduction(link, Identity.load_or_create(home), detect(1, 1 << 30), 1, 1, LIMITS)


async def joins(introduction: Introduction) -> m.Welcome:
    """Join as the agent does, and leave."""
    connection = await Connection.dial(introduction)
    writer = asyncio.create_task(connection.outbox.run())
    try:
        return await connection.join(b"")
    finally:
        await connection.close("bye")
        writer.cancel()


# ------------------------------------------------------------------ keys


async def test_a_new_key_keeps_id_owner_and_books_and_the_old_key_is_refused(
    tmp_path: Path,
) -> None:
    async with open_door(tmp_path) as door:
        home = tmp_path / "home"
        old = about(door, door.invite(), home)
        first = await joins(old)
        door.registry.strike(first.provider, "an old story", 1.0)
        assert await rotate(old, home) == first.provider
        new = about(door, "nobody." + "s" * 32, home)
        assert new.identity.public_key != old.identity.public_key
        # No invite is needed: the gateway knows the key.
        welcome = await joins(replace(new, link=old.link))
        assert (welcome.provider, welcome.owner) == (first.provider, first.owner)
        assert [s.reason for s in door.registry.strikes(first.provider)] == ["an old story"]
        with pytest.raises(RegistrationError) as refused:
            await joins(replace(old, link=JoinLink(old.link.address, door.invite("eve"))))
        assert refused.value.code == "key-retired"
        assert len(door.registry.providers()) == 1


async def test_a_rotation_that_was_cut_off_is_finished_by_the_next_try(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        home = tmp_path / "home"
        old = about(door, door.invite(), home)
        first = await joins(old)
        # The gateway took the key, and the provider died before it heard so.
        door.registry.rotate_key(first.provider, next_identity(home).public_key, 1.0)
        assert await rotate(old, home) == first.provider
        assert (await joins(about(door, door.invite(), home))).provider == first.provider


async def test_nobody_puts_a_key_into_place_that_he_does_not_hold(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        victim, thief = Peer(door, door.invite()), Peer(door, door.invite("eve"))
        await victim.join()
        await thief.join()
        stolen = m.NewKey(victim.identity.public_key, bytes(64))
        await thief.say(stolen)
        assert await thief.until_closed() == "new-key"
        assert await door.strikes(thief) == ["protocol: new-key"]


async def test_a_key_in_use_is_nobody_elses_next_key(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        other, peer = Peer(door, door.invite()), Peer(door, door.invite("bob"))
        await other.join()
        await peer.dial()
        challenge = await peer.hear(m.Challenge)
        facts: dict[str, Any] = peer.capability.to_map()
        signature = peer.identity.sign_challenge(challenge.nonce, b"")
        await peer.say(peer.hello(), m.Proof(signature, facts, 1, (), {}))
        await peer.hear(m.Welcome)
        # It holds both keys; still they belong to two owners.
        key = other.identity
        signature = key.sign_succession(peer.identity.public_key, challenge.nonce)
        await peer.say(m.NewKey(key.public_key, signature))
        assert await peer.until_closed() == "new-key"
        assert door.registry.known(key.public_key).owner == "ann"  # type: ignore[union-attr]


async def test_a_signature_for_one_connection_is_worth_nothing_on_another(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        following = next_identity(tmp_path / "next-home")
        replayed = following.sign_succession(peer.identity.public_key, bytes(32))
        await peer.say(m.NewKey(following.public_key, replayed))
        assert await peer.until_closed() == "new-key"


# ------------------------------------------------------------------ certificates


def public(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path, Path]:
    """An authority, and a certificate of its making: paths of CA, certificate and key."""
    now = dt.datetime.now(dt.UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")])
    leaf_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def certificate(subject: x509.Name, public_key: Any, *extensions: Any) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        pem: bytes = builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return pem

    ca = x509.BasicConstraints(ca=True, path_length=None)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    folder.mkdir(exist_ok=True)
    paths = (folder / "ca.pem", folder / "leaf.pem", folder / "leaf-key.pem")
    paths[0].write_bytes(certificate(ca_name, ca_key.public_key(), ca))
    paths[1].write_bytes(certificate(leaf_name, key.public_key(), names))
    paths[2].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


async def test_the_gateways_own_certificate_is_pinned_and_tls_is_1_3(tmp_path: Path) -> None:
    rule = replace(gateway_rule(), host="192.0.2.1")
    shown = ShownCertificate.choose(rule, tmp_path / "gate")
    assert shown is not None
    assert shown.context.minimum_version is ssl.TLSVersion.TLSv1_3
    async with open_door(tmp_path, shown=shown) as door:
        invite = door.invite()
        wrong = about(door, invite, tmp_path / "home", "a" * 26)
        with pytest.raises(RegistrationError, match="somebody may be in between"):
            await joins(wrong)
        assert (await joins(about(door, invite, tmp_path / "home", shown.pin))).owner == "ann"


async def test_a_public_authoritys_certificate_needs_no_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, certificate, key = public(tmp_path / "pki")
    rule = replace(gateway_rule(), certificate=str(certificate), certificate_key=str(key))
    shown = ShownCertificate.choose(rule, tmp_path)
    assert shown is not None
    assert shown.pin == PUBLIC_CA
    async with open_door(tmp_path, {"revoked_s": 0.05}, shown=shown) as door:
        invite = door.invite()
        introduction = about(door, invite, tmp_path / "home", PUBLIC_CA)
        assert str(introduction.link).endswith(".ca")
        with pytest.raises((OSError, ssl.SSLError), match=r"verif|certificate"):
            await joins(introduction)
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        assert (await joins(introduction)).owner == "ann"


async def test_a_renewed_certificate_is_shown_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, certificate, key = public(tmp_path / "pki")
    rule = replace(gateway_rule(), certificate=str(certificate), certificate_key=str(key))
    shown = ShownCertificate.choose(rule, tmp_path)
    assert shown is not None
    before = shown.binding()
    async with open_door(tmp_path, shown=shown) as door:
        ca, *_ = public(tmp_path / "pki")
        os.utime(certificate, (2e9, 2e9))
        shown.refresh()
        assert shown.binding() != before
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        # The signature is bound to the certificate of now, on both sides.
        await joins(about(door, door.invite(), tmp_path / "home", PUBLIC_CA))
        key.write_bytes(b"half a key")
        os.utime(key, (2.1e9, 2.1e9))
        shown.refresh()
        await joins(about(door, door.invite(), tmp_path / "home", PUBLIC_CA))


async def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    _, certificate, key = public(tmp_path / "pki")
    for pair in ((str(certificate), None), (None, str(key)), (str(certificate), str(certificate))):
        rule = replace(gateway_rule(), certificate=pair[0], certificate_key=pair[1])
        with pytest.raises(ConfigurationError, match="certificate"):
            ShownCertificate.choose(rule, tmp_path)
