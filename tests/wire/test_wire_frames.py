"""Frames: what goes in comes out, and whatever else comes in is refused by name."""

from __future__ import annotations

import pickle
import random
import tracemalloc
from collections import Counter

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import SAMPLES, D, messages_of

from eco_dask.errors import WireError
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame, encode_frame, encode_frames
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import MESSAGE_TYPES, Direction

LIMITS = WireLimits()
UP, DOWN = Direction.TO_GATEWAY, Direction.TO_PROVIDER


def way(message) -> Direction:
    return UP if message.DIRECTION is Direction.BOTH else message.DIRECTION


def framed(header: object, buffers: bytes = b"") -> bytes:
    packed = header if isinstance(header, bytes) else msgpack.packb(header)
    return len(packed).to_bytes(4, "big") + packed + buffers


def proof(capability: object) -> bytes:
    """A frame with a Proof of any capability."""
    return framed([[2, [bytes(64), capability, 1, [], {}], []]])


def test_every_message_type_has_a_sample() -> None:
    assert Counter(map(type, SAMPLES)) == Counter(MESSAGE_TYPES)


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_message_comes_back_as_it_went(kind: type, data: st.DataObject) -> None:
    message = data.draw(messages_of(kind))
    assert decode_frame(encode_frame([message]), way(message), LIMITS) == [message]


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_batch_comes_back_in_order(direction: Direction) -> None:
    batch = [each for each in SAMPLES if each.DIRECTION in (direction, Direction.BOTH)] * 3
    assert decode_frame(encode_frame(batch), direction, LIMITS) == batch


@pytest.mark.parametrize("count", [1, 15, 16, 700])
def test_a_frame_is_the_documented_bytes(count: int) -> None:
    header = msgpack.packb([[9, ["a"], []]] * count)
    frame = len(header).to_bytes(4, "big") + header
    assert encode_frame([m.ValueGone("a")] * count) == frame


def test_buffers_are_views_into_the_frame() -> None:
    frame = encode_frame([m.ValuePart(D, 10, 4, b"abcdef")])
    (part,) = decode_frame(memoryview(frame), UP, LIMITS)
    assert isinstance(part.data, memoryview)
    assert part.data.obj is frame


@pytest.mark.parametrize(
    "buffer", [bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"abcdefgh").cast("I")[:1]]
)
def test_any_contiguous_buffer_travels(buffer) -> None:
    frame = encode_frame([m.ValuePart(D, 4, 0, buffer)])
    assert decode_frame(frame, UP, LIMITS) == [m.ValuePart(D, 4, 0, b"abcd")]


GONE = [9, ["a"], []]
PART = [32, [D, 3, 0], [3]]
DEEP = b"\x91" * 600 + b"\xc0"

REFUSED = {
    # frames
    "no bytes": (b"", "frame-cut"),
    "half a prefix": (b"\x00\x00", "frame-cut"),
    "header beyond the frame": (b"\x00\x00\x00\x09\x90", "frame-cut"),
    "huge header length": (b"\xff\xff\xff\xff\x90", "header-size"),
    "no header": (b"\x00\x00\x00\x00", "header-malformed"),
    "no message": (framed([]), "frame-empty"),
    "too many messages": (framed([GONE] * 1025), "messages-count"),
    "trailing bytes": (framed([GONE], b"x"), "trailing-bytes"),
    # headers
    "bytes after the msgpack": (framed(msgpack.packb([GONE]) + b"\xc0"), "header-malformed"),
    "not msgpack": (framed(b"\xc1"), "header-malformed"),
    "bad UTF-8": (framed(b"\x91\x93\x09\x91\xa1\xff\x90"), "header-malformed"),
    "claims 2^32 messages": (framed(b"\xdd\xff\xff\xff\xff"), "header-malformed"),
    "an extension type": (framed([[9, [msgpack.ExtType(5, b"xx")], []]]), "header-malformed"),
    "a timestamp": (framed([[9, [msgpack.Timestamp(1)], []]]), "header-malformed"),
    "a map with bytes as key": (framed([[1, [1, D, {b"a": "b"}, "", b"", 1], []]]), "map-content"),
    "a map with a number as key": (
        framed([[1, [1, D, {1: "b"}, "", b"", 1], []]]), "header-malformed"
    ),
    "a key named twice": (
        framed(b"\x91\x93\x02\x93\x40\x82\xa1a\x01\xa1a\x01\x00\x90"), "header-malformed"
    ),
    "a map of messages": (framed({"a": GONE}), "header-shape"),
    "nil": (framed(None), "header-shape"),
    "deep nesting": (framed(DEEP), "header-shape"),
    "a message of two": (framed([[9, ["a"]]]), "header-shape"),
    "a message that is text": (framed(["abc"]), "header-shape"),
    "a code that is true": (framed([[True, ["a"], []]]), "header-shape"),
    "fields that are a map": (framed([[9, {"lease": "a"}, []]]), "header-shape"),
    "lengths that are nil": (framed([[9, ["a"], None]]), "header-shape"),
    # messages
    "unknown code": (framed([[99, ["a"], []]]), "type-unknown"),
    "negative code": (framed([[-1, ["a"], []]]), "type-unknown"),
    "for the other side": (framed([[69, ["a"], []]]), "direction"),
    "a field too few": (framed([[9, [], []]]), "fields-count"),
    "a field too many": (framed([[9, ["a", "b"], []]]), "fields-count"),
    "a buffer too few": (framed([[32, [D, 3, 0], []]], b"abc"), "buffers-count"),
    "a buffer too many": (framed([[9, ["a"], [1]]], b"a"), "buffers-count"),
    "a buffer cut short": (framed([PART], b"ab"), "buffers-size"),
    "a buffer of negative length": (framed([[32, [D, 3, 0], [-1]]], b"a"), "buffers-size"),
    "a buffer of true length": (framed([[32, [D, 3, 0], [True]]], b"a"), "buffers-size"),
    "a buffer of fractional length": (framed([[32, [D, 3, 0], [1.0]]], b"a"), "buffers-size"),
    "the second message is bad": (framed([GONE, PART], b"ab"), "buffers-size"),
    # fields
    "text that is bytes": (framed([[9, [b"a"], []]]), "field-type"),
    "an empty lease": (framed([[9, [""], []]]), "text-length"),
    "a lease too long": (framed([[9, ["a" * 129], []]]), "text-length"),
    "text beyond every field": (framed([[9, ["a" * 70_000], []]]), "header-malformed"),
    "bytes beyond every field": (framed([[9, [b"a" * 65], []]]), "header-malformed"),
    "a number that is true": (framed([[11, [True, ""], []]]), "field-type"),
    "a number that is fractional": (framed([[11, [1.0, ""], []]]), "field-type"),
    "a negative number": (framed([[11, [-1, ""], []]]), "number-range"),
    "a number too large": (framed([[11, [4097, ""], []]]), "number-range"),
    "more than 63 bits": (framed([[32, [D, 2**63, 0], [0]]]), "number-range"),
    "a digest too short": (framed([[8, ["a", [D[:31]]], []]]), "bytes-length"),
    "a digest too long": (framed([[8, ["a", [D, D + b"x"]], []]]), "bytes-length"),
    "a digest that is text": (framed([[8, ["a", ["d" * 32]], []]]), "field-type"),
    "digests that are one": (framed([[8, ["a", D], []]]), "field-type"),
    "too many digests": (framed([[10, [[D] * 4097], []]]), "header-malformed"),
    "seconds that are NaN": (framed([[3, [[], float("nan"), 0.0], []]]), "number-range"),
    "seconds that are infinite": (framed([[3, [[], float("inf"), 0.0], []]]), "number-range"),
    "negative seconds": (framed([[3, [[], 0.0, -0.5], []]]), "number-range"),
    "seconds that are true": (framed([[3, [[], True, 0.0], []]]), "field-type"),
    "seconds that are nil": (framed([[3, [[], None, 0.0], []]]), "field-type"),
    "capability that is a list": (proof([]), "field-type"),
    "capability in a capability": (proof({"a": {}}), "map-content"),
    "capability with NaN": (proof({"a": float("nan")}), "map-content"),
    "capability of long text": (proof({"a": "b" * 257}), "map-content"),
    "capability with numbers": (proof({"a": [1]}), "map-content"),
    "capability with 65 facts": (
        proof(dict.fromkeys(map(str, range(65)))), "header-malformed"
    ),
    "capability: 257 texts": (proof({"a": [""] * 257}), "map-content"),
    "capability beyond 63 bits": (proof({"a": 2**63}), "map-content"),
    "software that is a number": (framed([[1, [1, D, {"a": 1}, "", b"", 1], []]]), "map-content"),
    "half a session": (framed([[1, [1, D, {}, "", D[:16], 1], []]]), "bytes-length"),
    "no slots in Hello": (framed([[1, [1, D, {}, "", b"", 0], []]]), "number-range"),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_deviations_are_refused_by_name(frame: bytes, code: str) -> None:
    with pytest.raises(WireError) as refusal:
        decode_frame(frame, UP, LIMITS)
    assert refusal.value.code == code


def test_a_boolean_takes_no_number() -> None:
    frame = framed([[66, ["p", "o", b"", 1.0, 1, 1, 1, []], []]])
    with pytest.raises(WireError, match=r"Welcome\.resumed must be boolean; got int 1") as refusal:
        decode_frame(frame, DOWN, LIMITS)
    assert refusal.value.code == "field-type"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (WireLimits(frame_bytes_max=1099, part_bytes=10), "frame-size"),
        (WireLimits(header_bytes_max=20), "header-size"),
        (WireLimits(messages_max=1), "messages-count"),
        (WireLimits(text_chars_max=1), "header-malformed"),
    ],
)
def test_limits_are_the_reader_s(limits: WireLimits, code: str) -> None:
    frame = encode_frame([m.ValueGone("abcdefgh"), m.ValuePart(D, 1100, 0, bytes(1100))])
    with pytest.raises(WireError) as refusal:
        decode_frame(frame, UP, limits)
    assert refusal.value.code == code


@pytest.mark.parametrize("numbers", [{"part_bytes": 2**23}, {"messages_max": 0}])
def test_limits_refuse_the_impossible(numbers: dict) -> None:
    with pytest.raises(ValueError):
        WireLimits(**numbers)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (m.ValueGone("a" * 129), "text-length"),
        (m.ValueGone("\ud800"), "text-encoding"),
        (m.Missing("a", [D]), "field-type"),
        (m.Missing("a", (D[:5],)), "bytes-length"),
        (m.Evicted((D,) * 4097), "items-count"),
        (m.Proof(bytes(64), dict.fromkeys(map(str, range(65))), 1, (), {}), "items-count"),
        (m.ValuePart(D, 4, 0, memoryview(b"abcdefgh")[::2]), "field-type"),
        (m.ValuePart(D, 4, 0, "text"), "field-type"),
        (m.Receipted("a", "agreed", -1), "number-range"),
        ("no message", "type-unknown"),
    ],
)
def test_what_the_peer_would_refuse_is_not_sent(message, code: str) -> None:
    with pytest.raises(WireError) as refusal:
        encode_frame([message])
    assert refusal.value.code == code


def test_an_empty_frame_is_not_sent() -> None:
    with pytest.raises(WireError) as refusal:
        encode_frame([])
    assert refusal.value.code == "frame-empty"


def test_the_error_keeps_its_code_across_processes() -> None:
    error = pickle.loads(pickle.dumps(WireError("trailing-bytes", "3 bytes")))
    assert (error.code, str(error)) == ("trailing-bytes", "3 bytes")


def test_nested_list_marks_do_not_buy_memory() -> None:
    frame = framed(b"\xdd\x00\x00\x10\x00" * 1000)  # 5 KB that claim 4,096 items a thousand times
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            decode_frame(frame, UP, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


NESTED_LIMITS = WireLimits(
    frame_bytes_max=1200, header_bytes_max=150, messages_max=3, part_bytes=64
)


@given(st.lists(st.sampled_from(SAMPLES[:13]), max_size=20), st.integers(0, 900))
@settings(deadline=None)
def test_frames_stay_within_the_limits_and_keep_order(batch: list, data_bytes: int) -> None:
    batch = [each for each in batch if not isinstance(each, m.Hello | m.Proof | m.BenchmarkDone)]
    batch += [m.ValuePart(D, 1000, 0, bytes(data_bytes))] * 2
    frames = list(encode_frames(batch, NESTED_LIMITS))
    read = [each for frame in frames for each in decode_frame(frame, UP, NESTED_LIMITS)]
    assert read == batch


def test_no_messages_make_no_frames() -> None:
    assert list(encode_frames([], LIMITS)) == []


def test_small_messages_share_one_frame() -> None:
    assert len(list(encode_frames([m.ValueGone("a")] * 1000, LIMITS))) == 1


@pytest.mark.parametrize("message", [m.ValuePart(D, 2000, 0, bytes(2000)), m.Evicted((D,) * 9)])
def test_a_message_that_fits_no_frame_is_refused(message) -> None:
    with pytest.raises(WireError) as refusal:
        list(encode_frames([message], NESTED_LIMITS))
    assert refusal.value.code == "frame-size"


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """Break a frame in one to four places: bits, bytes, cuts, repeats, typed marks."""
    broken = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(broken)) if broken else 0
        match rng.randrange(6):
            case 0 if broken:
                broken[at] ^= 1 << rng.randrange(8)
            case 1 if broken:
                broken[at] = rng.randrange(256)
            case 2:
                del broken[at : at + rng.randint(1, 8)]
            case 3:
                broken[at:at] = rng.randbytes(rng.randint(1, 8))
            case 4:
                broken[at:at] = broken[at : at + rng.randint(1, 40)]
            case _ if broken:
                broken[at] = rng.choice(
                    b"\xc0\xc1\xc2\xc3\xc4\xc7\xca\xcb\xcf\xd3\xd6\xd9\xdc\xdd\xdf"
                )
    if rng.random() < 0.7 and len(broken) > 4:  # so that the header itself is reached
        broken[:4] = (int.from_bytes(frame[:4], "big") + len(broken) - len(frame)).to_bytes(
            4, "big", signed=True
        )
    return bytes(broken)


HOSTILE = [
    None, True, -1, 0, 2**63, 1.5, float("nan"), float("inf"), "", "a" * 300, b"", D, D[:7], [],
    [D], [""], {}, {"a": 1}, {"": ""}, {"a": [1]}, [[]], [{}], msgpack.Timestamp(0),
]  # fmt: skip


def restructured(frame: bytes, rng: random.Random) -> bytes:
    """Break the meaning and keep the msgpack: hostile values, wrong codes, moved fields."""
    size = int.from_bytes(frame[:4], "big")
    header = msgpack.unpackb(frame[4 : 4 + size])
    item = rng.choice(header)
    match rng.randrange(6):
        case 0 if item[1]:
            item[1][rng.randrange(len(item[1]))] = rng.choice(HOSTILE)
        case 1:
            item[0] = rng.choice([*range(80), -1, None])
        case 2:
            rng.shuffle(item[1])
        case 3:
            item[2] = rng.choice([[], [0], [1, 1], [2**40], [-1], [None], None])
        case 4:
            item[1] = item[1][1:] if rng.random() < 0.5 else [*item[1], rng.choice(HOSTILE)]
        case _:
            item[rng.randrange(3)] = rng.choice(HOSTILE)
    return framed(header, frame[4 + size :])


def test_ten_thousand_mutants_give_messages_or_wire_errors() -> None:
    rng = random.Random(20260)
    outcomes: Counter[str] = Counter()
    for _ in range(10_000):
        direction = rng.choice((UP, DOWN))
        legal = [each for each in SAMPLES if each.DIRECTION in (direction, Direction.BOTH)]
        break_it = rng.choice((mutated, restructured))
        frame = break_it(encode_frame(rng.choices(legal, k=rng.randint(1, 4))), rng)
        try:
            read = decode_frame(frame, direction, LIMITS)
        except WireError as error:
            outcomes[error.code] += 1
        else:
            outcomes["read"] += 1
            assert decode_frame(encode_frame(read), direction, LIMITS) == read
    assert outcomes["read"] > 1000
    assert outcomes.keys() >= {
        "frame-cut", "header-size", "header-malformed", "header-shape", "type-unknown", "direction",
        "fields-count", "field-type", "text-length", "bytes-length", "number-range",
        "buffers-count", "buffers-size", "trailing-bytes",
    }  # fmt: skip
