"""Strangers who would be somebody else, somebody twice, or everybody at once."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable

import pytest
from attack_target import Target, until, works
from attacker import MACHINE, Attacker, Closed, Line, Refusal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eco_dask.providers.identity import Identity
from eco_dask.wire import messages as m


def refused(target: Target, code: str, invite: str = "", **changes: object) -> None:
    """Try to join; be refused, which is recorded."""
    with target.record(f"refused: {code}"), pytest.raises(Refusal) as refusal:
        Attacker(target.address).join(invite, **changes)
    assert refusal.value.code == code


def known(target: Target, attacker: Attacker) -> bool:
    """Whether the registry holds an attacker's key."""
    return target.registry.known(attacker.identity.public_key) is not None


# ------------------------------------------------------------------ somebody else


def test_a_key_that_it_does_not_hold(target: Target) -> None:
    honest = next(p for p in target.registry.providers() if p.owner == "ann")
    thief = Attacker(target.address)
    with target.record("refused: bad-signature"):
        thief.say(thief.hello(public_key=honest.public_key), thief.proof())
        assert thief.expect(m.Refused).code == "bad-signature"
    thief.line.closed()


def test_a_proof_that_was_heard_before(target: Target) -> None:
    victim = target.attacker("victim")
    heard = victim.hello(), victim.proof()
    thief = Attacker(target.address)
    thief.say(*heard)
    assert thief.expect(m.Refused).code == "bad-signature"
    assert victim.still_there()
    victim.leave()


def test_a_proof_made_for_another_certificate(target: Target) -> None:
    # What a gateway in the middle would pass on.
    stranger = Attacker(target.address)
    signature = stranger.identity.sign_challenge(stranger.nonce, bytes(32))
    with pytest.raises(Refusal, match="bad-signature"):
        stranger.join(target.invite(), signature=signature)
    assert not known(target, stranger)


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_a_key_of_another_length(target: Target, size_bytes: int) -> None:
    stranger = Attacker(target.address)
    with pytest.raises(Exception, match="bytes"):
        stranger.say(stranger.hello(public_key=bytes(size_bytes)))
    stranger.line.close()


def test_a_point_that_is_no_key(target: Target) -> None:
    # Small-order points verify some signatures for any message.
    for point in (bytes(32), b"\x01" + bytes(31), b"\xff" * 32):
        for signature in (bytes(64), point + bytes(32)):
            stranger = Attacker(target.address)
            hello = {"public_key": point}
            with pytest.raises(Refusal, match="bad-signature"):
                stranger.join(target.invite(), hello, signature=signature)
            assert target.registry.known(point) is None


def test_a_session_that_was_stolen(target: Target) -> None:
    victim = target.attacker("victim")
    future = target.submit(abs, -3, quorum=1)
    lease = victim.expect(m.Lease)
    thief = Attacker(target.address)
    with target.record("stolen-session"):
        welcome = thief.join(target.invite("thief"), {"session": victim.welcome.session})
    # It may join as itself; of the session it gets nothing.
    assert (welcome.owner, welcome.resumed, welcome.leases) == ("thief", False, ())
    assert welcome.session != victim.welcome.session
    victim.commit(lease.lease, 3)
    assert future.result(25) == 3
    assert target.paid_mpt("victim") > 0
    assert target.paid_mpt("thief") == 0
    for each in (victim, thief):
        each.leave()


def test_a_session_replayed_after_its_goodbye(target: Target) -> None:
    gone = target.attacker("gone")
    gone.leave()
    back = gone.again()
    assert not back.welcome.resumed
    back.leave()


def test_a_new_key_that_is_not_its_own(target: Target) -> None:
    victim = target.attacker("victim")
    for key in (victim.identity.public_key, os.urandom(32), bytes(32)):
        thief = target.attacker("thief")
        thief.say(m.NewKey(key, os.urandom(64)))
        thief.line.closed()
        assert target.struck(thief, "protocol: new-key")
    assert victim.still_there()
    assert target.registry.known(victim.identity.public_key).owner == "victim"
    victim.leave()


def test_another_owners_invite_does_not_change_whose_a_machine_is(target: Target) -> None:
    attacker, invite = target.attacker("poor"), target.invite("rich")
    attacker.leave()
    twin = Attacker(target.address, attacker.identity)
    assert twin.join(invite).owner == "poor"
    twin.leave()
    # And it is not spent: whoever it was meant for can still use it.
    rich = Attacker(target.address)
    assert rich.join(invite).owner == "rich"
    rich.leave()


CLAIMS = {"role": "trusted", "owner": "operator", "trusted": True, "recruiter": "ada", "score": 9.0}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_role_that_it_gives_itself(target: Target, claim: str) -> None:
    capability = MACHINE.to_map() | {claim: CLAIMS[claim]}
    refused(target, "bad-capability", target.invite(), capability=capability)


def test_tags_that_it_gives_itself(target: Target) -> None:
    for name in ("os", "machine"):
        capability = MACHINE.to_map() | {name: "trusted"}
        refused(target, "bad-capability", target.invite(), capability=capability)
    forged = MACHINE.to_map() | {"numerics": "0" * 12}
    refused(target, "bad-capability", target.invite(), capability=forged)


def test_who_was_revoked_stays_out(target: Target) -> None:
    attacker = target.attacker("revoked")
    attacker.leave()
    target.registry.revoke(attacker.identity.provider_id, "caught", 1.0)
    with pytest.raises(Refusal, match="revoked"):
        attacker.again()
    with pytest.raises(Refusal, match="revoked"):
        Attacker(target.address, attacker.identity).join(target.invite("another"))


# ------------------------------------------------------------------ invites


def test_invites_that_are_none(target: Target) -> None:
    word, _, secret = target.invite().partition(".")
    for invite, code in {
        "": "invite-unknown",
        "x": "invite-unknown",
        f"{word}.": "invite-unknown",
        f".{secret}": "invite-unknown",
        f"{word}.{'A' * len(secret)}": "invite-wrong-secret",
        f"{'A' * len(word)}.{secret}": "invite-unknown",
    }.items():
        refused(target, code, invite)


def test_an_identity_flood_with_one_invite(target: Target) -> None:
    invite = target.invite("flood", uses_max=3)
    joined, codes = 0, []
    for _ in range(60):
        stranger = Attacker(target.address)
        try:
            stranger.join(invite)
        except Refusal as refusal:
            codes.append(refusal.code)
        else:
            joined += 1
            stranger.leave()
    assert joined == 3
    assert set(codes) == {"invite-spent"}
    assert len(target.registry.providers("flood")) == 3


def test_one_key_that_joins_many_times_is_one_provider(target: Target) -> None:
    attacker = target.attacker("many")
    twins = [attacker.again(session=b"") for _ in range(10)]
    assert twins[-1].still_there()
    listed = [p for p in target.cluster.providers if p["owner"] == "many"]
    assert len(listed) == 1
    for twin in (attacker, *twins):
        twin.leave()


# ------------------------------------------------------------------ half a handshake


def _silent(address: str) -> socket.socket:
    host, _, port = address.rpartition("//")[2].rpartition(":")
    return socket.create_connection((host, int(port)), 25, ("127.0.0.2", 0))


def _half_a_request(address: str) -> socket.socket:
    line = _silent(address)
    line.sendall(b"GET /eco/v1/provider HTTP/1.1\r\nHost: ")
    return line


def _upgraded(address: str) -> socket.socket:
    return Line(address, "127.0.0.2").socket


def _greeted(address: str) -> socket.socket:
    stranger = Attacker(address, source="127.0.0.2")
    stranger.say(stranger.hello())
    return stranger.line.socket


HALVES: dict[str, Callable[[str], socket.socket]] = {
    "silence": _silent,
    "half a request": _half_a_request,
    "a WebSocket and no more": _upgraded,
    "a greeting without proof": _greeted,
}


@pytest.mark.skipif(sys.platform != "linux", reason="dials from another address of loopback")
def test_a_thousand_half_open_handshakes(target: Target) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    held: list[socket.socket] = []
    before = target.recorded("handshakes-address")
    try:
        for number in range(1000):
            dial = list(HALVES.values())[number % len(HALVES)]
            try:
                held.append(dial(target.address))
            except (OSError, Closed):
                # Turned away at the door.
                continue
        # While they stand there, others work and come in.
        assert works(target)
        newcomer = target.attacker("newcomer")
        assert newcomer.still_there()
        newcomer.leave()
        until(lambda: not any(map(_is_open, held)), "all of them are sent away")
        until(lambda: target.recorded("handshakes-address") > before, "the crowd is recorded")
    finally:
        for line in held:
            line.close()


def _is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        while line.recv(1 << 16):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def test_who_leaves_in_the_middle_leaves_nothing(target: Target) -> None:
    invite = target.invite("fickle")
    for _ in range(20):
        stranger = Attacker(target.address, Identity(Ed25519PrivateKey.generate()))
        stranger.say(stranger.hello(f"{os.urandom(4).hex()}.x"))
        stranger.line.close()
    patient = Attacker(target.address)
    assert patient.join(invite).owner == "fickle"
    patient.leave()
