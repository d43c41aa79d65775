"""Values in parts: any cut comes back whole, and no peer gets more memory than it was granted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.errors import WireError
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import ValuePart
from eco_dask.wire.values import ValueAssembler, split

LIMITS = WireLimits(part_bytes=4, value_bytes_max=20, outstanding_bytes_max=30)
VALUE, OTHER = b"abcdefghij", b"0123456789"


def digest_of(value: bytes) -> bytes:
    return blake3(value).digest()


def cut(value: bytes, part_bytes: int = 4) -> list[ValuePart]:
    return list(split(digest_of(value), [value], part_bytes))


def expecting(*values: bytes) -> ValueAssembler:
    assembler = ValueAssembler(LIMITS)
    for value in values:
        assembler.expect(digest_of(value), len(value))
    return assembler


buffers = st.lists(st.binary(max_size=30), max_size=8)


@given(buffers, st.integers(1, 40))
def test_any_cut_comes_back_whole(parts: list[bytes], part_bytes: int) -> None:
    whole = b"".join(parts)
    assembler = ValueAssembler(WireLimits(part_bytes=part_bytes))
    assembler.expect(digest_of(whole), len(whole))
    *early, last = split(digest_of(whole), parts, part_bytes)
    assert [assembler.feed(part) for part in early] == [None] * len(early)
    assert assembler.feed(last) == whole
    assert assembler.outstanding_bytes == 0


@given(buffers, st.integers(1, 40))
def test_parts_are_full_but_the_last(parts: list[bytes], part_bytes: int) -> None:
    sizes = [len(part.data) for part in split(bytes(32), parts, part_bytes)]
    assert all(size == part_bytes for size in sizes[:-1])
    assert 0 <= sizes[-1] <= part_bytes


def test_parts_within_one_buffer_are_views() -> None:
    big = bytes(1000)
    pieces = [part.data for part in split(bytes(32), [b"head", big], 100)]
    assert [isinstance(piece, memoryview) and piece.obj is big for piece in pieces] == (
        [False] + [True] * 10
    )


def test_wide_elements_are_cut_by_bytes() -> None:
    wide = memoryview(bytes(range(16))).cast("I")
    joined = b"".join(part.data for part in split(bytes(32), [wide], 5))
    assert joined == bytes(range(16))


@pytest.mark.parametrize("part_bytes", [0, -1])
def test_split_refuses_parts_without_room(part_bytes: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        list(split(bytes(32), [b"a"], part_bytes))


@given(st.randoms(use_true_random=False))
def test_values_may_be_interleaved(rng) -> None:
    queues = [cut(VALUE), cut(OTHER), cut(b"")]
    assembler, whole = expecting(VALUE, OTHER, b""), []
    while queues := [queue for queue in queues if queue]:
        value = assembler.feed(rng.choice(queues).pop(0))
        if value is not None:
            whole.append(bytes(value))
    assert sorted(whole) == sorted([VALUE, OTHER, b""])


FIRST, SECOND, THIRD = cut(VALUE)

REFUSED = {
    "nobody asked": ([cut(b"unasked")[0]], "value-unexpected"),
    "another size than promised": ([replace(FIRST, size_bytes=11)], "value-size"),
    "size changes on the way": ([FIRST, replace(SECOND, size_bytes=9)], "value-size"),
    "begins in the middle": ([SECOND], "part-offset"),
    "leaves a gap": ([FIRST, THIRD], "part-offset"),
    "comes twice": ([FIRST, FIRST], "part-offset"),
    "overlaps": ([FIRST, replace(SECOND, offset_bytes=3)], "part-offset"),
    "longer than a part": ([replace(FIRST, data=b"abcde")], "part-size"),
    "beyond the end": ([FIRST, SECOND, replace(THIRD, data=b"ijk")], "part-size"),
    "empty": ([replace(FIRST, data=b"")], "part-size"),
}


@pytest.mark.parametrize(("parts", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals_change_nothing(parts: list[ValuePart], code: str) -> None:
    assembler = expecting(VALUE)
    for part in parts[:-1]:
        assembler.feed(part)
    with pytest.raises(WireError) as refusal:
        assembler.feed(parts[-1])
    assert refusal.value.code == code
    assert assembler.outstanding_bytes == len(VALUE)
    rest = [FIRST, SECOND, THIRD][len(parts) - 1 :]
    assert [assembler.feed(part) for part in rest][-1] == VALUE


def test_a_wrong_digest_is_refused_and_forgotten() -> None:
    assembler = expecting(VALUE)
    assembler.feed(FIRST)
    assembler.feed(SECOND)
    with pytest.raises(WireError) as refusal:
        assembler.feed(replace(THIRD, data=b"iX"))
    assert refusal.value.code == "digest-mismatch"
    assert assembler.outstanding_bytes == 0
    with pytest.raises(WireError, match="nobody asked"):
        assembler.feed(FIRST)


@pytest.mark.parametrize(
    ("size_bytes", "code"),
    [(21, "value-size"), (-1, "value-size"), (11, "value-size"), (20, None), (10, None)],
)
def test_promises_are_bounded(size_bytes: int, code: str | None) -> None:
    assembler = expecting(VALUE)
    digest = digest_of(VALUE) if size_bytes == 11 else digest_of(OTHER)
    if code is None:
        assembler.expect(digest, size_bytes)
        assert assembler.outstanding_bytes == 10 + size_bytes
        return
    with pytest.raises(WireError) as refusal:
        assembler.expect(digest, size_bytes)
    assert refusal.value.code == code
    assert assembler.outstanding_bytes == 10


def test_all_promises_together_are_bounded() -> None:
    assembler = expecting(VALUE, OTHER)
    assert assembler.room_bytes == 10
    with pytest.raises(WireError) as refusal:
        assembler.expect(bytes(32), 11)
    assert refusal.value.code == "values-outstanding"
    assert assembler.outstanding_bytes == 20
    assert ValueAssembler(LIMITS).room_bytes == 20


def test_a_repeated_promise_changes_nothing() -> None:
    assembler = expecting(VALUE, VALUE)
    assert assembler.outstanding_bytes == 10
    assembler.feed(FIRST)
    assembler.expect(digest_of(VALUE), 10)
    assembler.feed(SECOND)
    assert assembler.feed(THIRD) == VALUE


@pytest.mark.parametrize("fed", [0, 1, 2])
def test_a_forgotten_value_gives_its_room_back_and_may_begin_again(fed: int) -> None:
    assembler = expecting(VALUE)
    for part in (FIRST, SECOND)[:fed]:
        assembler.feed(part)
    assembler.forget(digest_of(VALUE))
    assembler.forget(digest_of(OTHER))
    assert assembler.outstanding_bytes == 0
    assembler.expect(digest_of(VALUE), 10)
    assert [assembler.feed(part) for part in cut(VALUE)] == [None, None, VALUE]


def test_a_provider_takes_values_unasked_within_limits() -> None:
    assembler = ValueAssembler(LIMITS, unasked=True)
    assembler.feed(FIRST)
    assert assembler.outstanding_bytes == 10
    with pytest.raises(WireError) as refusal:
        assembler.feed(cut(bytes(21))[0])
    assert refusal.value.code == "value-size"
    assembler.feed(cut(OTHER)[0])
    with pytest.raises(WireError) as refusal:
        assembler.feed(cut(bytes(11))[0])
    assert refusal.value.code == "values-outstanding"
    assert [assembler.feed(part) for part in (SECOND, THIRD)] == [None, VALUE]


def test_a_refused_unasked_part_takes_no_room() -> None:
    assembler = ValueAssembler(LIMITS, unasked=True)
    with pytest.raises(WireError):
        assembler.feed(SECOND)
    assert assembler.outstanding_bytes == 0
