"""Hostile bytes: nothing in any field of any message is executed, and none of it stays."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import struct
import zlib
from collections.abc import Callable, Iterator

import cloudpickle
import msgpack
import pytest
import wire_samples
from attack_target import CANARY, Target, until
from attacker import BINARY, PING, TEXT, Attacker, Closed, Hung, Line, frame_of, framed
from blake3 import blake3

from eco_dask.wire import messages as m
from eco_dask.wire.layout import LAYOUTS
from eco_dask.wire.messages import Direction

D = bytes(range(32))
SAMPLES = {
    type(sample): sample
    for sample in wire_samples.SAMPLES
    if sample.DIRECTION is not Direction.TO_PROVIDER
}
LEASE = next(sample for sample in wire_samples.SAMPLES if isinstance(sample, m.Lease))
BUFFERS = ("value", "data", "sketch")


class Smuggled:
    """Creates the canary where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.open, (os.environ[CANARY], os.O_CREAT)


def pickles() -> Iterator[object]:
    """The same program in each form in which it could travel."""
    plain = pickle.dumps(Smuggled())
    yield plain
    yield pickle.dumps(Smuggled(), protocol=0).decode("latin-1")
    yield from (msgpack.ExtType(code, plain) for code in (0, 42, 127))
    # Distributed's own marks, in maps and lists.
    yield {"__Pickled__": plain}
    yield {"__Serialized__": [{"serializer": "pickle"}, [cloudpickle.dumps(Smuggled())]]}
    yield [plain, {b"x": msgpack.ExtType(5, plain)}]


def test_the_canary_would_sing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(CANARY, str(tmp_path / "canary"))
    os.close(pickle.loads(next(p for p in pickles() if isinstance(p, bytes))))
    assert (tmp_path / "canary").exists()


HANDSHAKE = (m.Hello, m.Proof, m.BenchmarkDone, m.Resumed)
FIELDS = [(kind, name) for kind in SAMPLES for name in LAYOUTS[kind].names]


def test_a_pickle_in_any_field_of_the_handshake(target: Target) -> None:
    for kind, name in (field for field in FIELDS if field[0] in HANDSHAKE):
        for payload in pickles():
            stranger = Attacker(target.address)
            if kind is not m.Hello:
                stranger.say(stranger.hello())
            sample = stranger.hello() if kind is m.Hello else SAMPLES[kind]
            stranger.line.send(frame_of(sample, {name: payload}))
            if (kind, name) == (m.Hello, "invite") and isinstance(payload, str):
                # A text is what belongs there, and this is no invite.
                stranger.say(stranger.proof())
                assert stranger.expect(m.Refused).code == "invite-unknown"
            stranger.line.closed()
    until(lambda: target.recorded("header-malformed") > 50, "what strangers sent is recorded")


def test_a_pickle_in_any_field_of_a_provider(target: Target) -> None:
    attackers = [target.attacker()]
    for kind, name in (field for field in FIELDS if field[0] not in HANDSHAKE):
        for payload in pickles():
            if name in BUFFERS and not isinstance(payload, bytes):
                continue  # a buffer is bytes, whatever they are
            attackers[-1].line.send(frame_of(SAMPLES[kind], {name: payload}))
            try:
                attackers[-1].still_there()
            except Closed:
                # With another key, as nobody may come again all the time.
                attackers.append(target.attacker())
    attackers.pop().leave()
    assert len(attackers) > 100
    # All but a goodbye is a violation.
    until(
        lambda: sum(bool(target.strikes(each)) for each in attackers) == len(attackers) - 1,
        "every violation is a strike",
    )


def test_a_pickle_as_a_result(target: Target) -> None:
    mallory, trudy = target.attacker(), target.attacker("trudy")
    future = target.submit(abs, -7, quorum=2)
    programs = [p for p in pickles() if isinstance(p, bytes)]
    for each in (mallory, trudy):
        lease = each.expect(m.Lease).lease
        said = m.Committed(lease, blake3(programs[0]).digest(), len(programs[0]), 0, 0, programs[0])
        each.say(said)
        assert each.receipt(lease).amount_mpt == 0
        assert target.struck(each, "value-mismatch")
        each.leave()
    assert not future.done()


# ------------------------------------------------------------------ frames and WebSocket

GIANT = (1 << 63) - 1
DEEP = 200_000


def _nested() -> bytes:
    return framed(b"\x91" * DEEP + b"\x90")


def _nested_maps() -> bytes:
    return framed(b"\x81\xa1a" * DEEP + b"\xc0")


FRAMES: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "frame-empty frame-cut"),
    "a header that claims 4 GiB": (lambda: b"\xff" * 4 + b"x", "header-size"),
    "a header cut short": (lambda: struct.pack("!I", 99) + b"\x91", "frame-cut"),
    "lists in lists": (_nested, "header-malformed"),
    "maps in maps": (_nested_maps, "header-malformed"),
    "a list of 4 billion": (lambda: framed(b"\xdd\xff\xff\xff\xff"), "header-malformed"),
    "a text of 4 GB": (lambda: framed(b"\x91\xdb\xff\xff\xff\xff"), "header-malformed"),
    "2,000 messages": (
        lambda: framed([[10, [[]], []]] * 2000),
        "header-malformed messages-count",
    ),
    "a buffer of 2^63 bytes": (
        lambda: framed([[5, ["a", D, 3, 0.0, 0.0], [GIANT]]], [b"xyz"]),
        "buffers-size",
    ),
    "bytes left over": (lambda: frame_of(SAMPLES[m.Evicted], {}) + b"x", "trailing-bytes"),
    "a receipt of its own": (
        lambda: frame_of(m.Receipted("a", "agreed", 10**9), {}),
        "direction",
    ),
    "a lease of its own": (
        lambda: frame_of(LEASE, {}),
        "direction",
    ),
    "a message of nobody's": (lambda: framed([[99, [], []]]), "type-unknown"),
    "a second hello": (lambda: frame_of(SAMPLES[m.Hello], {}), "out-of-order"),
    "a value that nobody asked for": (
        lambda: frame_of(SAMPLES[m.ValuePart], {}),
        "value-unexpected",
    ),
    "not a number": (
        lambda: frame_of(SAMPLES[m.Committed], {"cpu_s": float("nan")}),
        "number-range",
    ),
    "less than no time": (lambda: frame_of(SAMPLES[m.Committed], {"wall_s": -1.0}), "number-range"),
    "an endless time": (
        lambda: frame_of(SAMPLES[m.Committed], {"wall_s": float("inf")}),
        "number-range",
    ),
    "a size that no database holds": (
        lambda: frame_of(SAMPLES[m.Committed], {"size_bytes": 1 << 63}),
        "number-range",
    ),
    "half a character": (
        lambda: framed(b"\x91\x93\x0b\x92\x01\xa1\xed\x90"),
        "header-malformed text-encoding",
    ),
}


def test_frames_that_claim_more_than_they_hold(target: Target) -> None:
    for name, (frame, codes) in FRAMES.items():
        joined = target.attacker()
        joined.line.send(frame())
        how = joined.line.closed()
        assert how.code == 4400, name
        assert how.reason in codes.split(), name
        assert target.struck(joined, f"protocol: {how.reason}"), name


def _text(line: Line) -> None:
    line.send(b"hello", TEXT)


def _giant_frame(line: Line) -> None:
    line.raw(line.header(GIANT) + bytes(1 << 16))


def _giant_ping(line: Line) -> None:
    line.raw(line.header(1 << 20, PING) + bytes(1 << 20))


def _endless(line: Line) -> None:
    """Fragments of one message that never ends, until it is cut off."""
    line.send(bytes(1 << 20), BINARY, flags=0)
    for _ in range(64):
        line.send(bytes(1 << 20), 0, flags=0)


def _bomb(line: Line) -> None:
    """Declare a frame compressed that would be 256 MiB."""
    line.send(zlib.compress(bytes(256 << 20), 9)[2:-4], BINARY, flags=0xC0)


def _reserved(line: Line) -> None:
    line.send(b"x", 7)


def _continued(line: Line) -> None:
    line.send(b"x", 0)


ABUSES: dict[str, Callable[[Line], None]] = {
    "a text": _text,
    "a frame that claims 2^63 bytes": _giant_frame,
    "a ping of a megabyte": _giant_ping,
    "fragments without end": _endless,
    "a compressed bomb": _bomb,
    "a kind of frame that there is not": _reserved,
    "the end of what never began": _continued,
}


def test_abuse_of_websocket(target: Target) -> None:
    before = target.gateway().memory_info().rss
    for name, abuse in ABUSES.items():
        offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        line = Line(target.address, offer=offer)
        assert b"permessage-deflate" not in line.response, "compression is never agreed upon"
        line.receive()
        try:
            abuse(line)
            line.closed()
        except Closed:
            pass
        else:
            continue
        finally:
            line.close()
        assert name == "fragments without end", name
    # A message is at most 8 MiB; a bomb would have been 256.
    assert target.gateway().memory_info().rss - before < 100 << 20


def drip(line: Line) -> None:
    while True:
        line.raw(b"x")
        with contextlib.suppress(Hung):
            line.receive(0.05)


def test_a_message_that_drips(target: Target) -> None:
    # As a stranger: its handshake must end in time, whatever it sends meanwhile.
    dripping = Line(target.address)
    dripping.receive()
    dripping.raw(Line.header(1000))
    with pytest.raises(Closed):
        drip(dripping)


# ------------------------------------------------------------------ Dask's own protocol


def _dask_frames(*frames: bytes) -> bytes:
    lengths = b"".join(struct.pack("<Q", n) for n in (len(frames), *map(len, frames)))
    body = lengths + b"".join(frames)
    return struct.pack("<Q", len(body)) + body


def answer_to(line: socket.socket, request: bytes) -> bytes:
    """Return what is said to bytes that are no WebSocket; nothing, where it is hung up."""
    try:
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        return line.recv(1 << 16)
    except OSError:
        return b""


def test_dasks_protocol_at_the_providers_door(target: Target) -> None:
    program = pickle.dumps(Smuggled())
    op = {"op": "register-client", "client": {"__Pickled__": program}, "reply": False}
    messages = [
        _dask_frames(msgpack.packb(op)),
        _dask_frames(msgpack.packb({}), msgpack.packb({("x",): {"serializer": "pickle"}}), program),
        program,
    ]
    host, _, port = target.address.rpartition("//")[2].rpartition(":")
    for message in messages:
        with socket.create_connection((host, int(port)), 25) as line:
            assert answer_to(line, message)[:10] in (b"", b"HTTP/1.1 4")
    # The same through the WebSocket, as distributed's own ws:// would.
    for message in messages:
        stranger = Attacker(target.address)
        stranger.line.send(message)
        assert stranger.line.closed().code == 4400


#: What a page of a stranger's makes a visitor's browser send.
BROWSER = (
    b"GET /eco/v1/provider HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def test_other_pages_and_methods(target: Target) -> None:
    host, _, port = target.address.rpartition("//")[2].rpartition(":")
    for request in (
        b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /eco/v1/provider HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
        BROWSER,
        b"X" * 100_000,
    ):
        with socket.create_connection((host, int(port)), 25) as line:
            assert answer_to(line, request)[:10] in (b"", b"HTTP/1.1 4"), request
