"""BlobCache and CacheMirror: budget and pins hold, and the gateway is not fooled for long."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.wire.cache import BlobCache, CacheMirror

DIGESTS = {letter: letter.encode() * 32 for letter in "abcdefgh"}
#: Sizes are facts of a digest, as blobs are content-addressed.
SIZES = {letter: 2 + index for index, letter in enumerate(DIGESTS)}
BUDGET = 20

#: What is done, and to which blob: ``+`` add, ``?`` get, ``!`` pin, ``.`` unpin.
steps = st.lists(
    st.tuples(st.sampled_from("++++???!."), st.sampled_from("abcdefgh")), min_size=5, max_size=60
)


class Oracle:
    """The same promises, as naively as possible: a list, oldest first."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.pins: Counter[str] = Counter()

    def add(self, letter: str) -> list[str]:
        if letter in self.held:
            self.touch(letter)
            return []
        kept = [each for each in self.held if self.pins[each]]
        if sum(SIZES[each] for each in [*kept, letter]) > BUDGET:
            return [letter]
        left = []
        while sum(SIZES[each] for each in [*self.held, letter]) > BUDGET:
            oldest = next(each for each in self.held if not self.pins[each])
            self.held.remove(oldest)
            left.append(oldest)
        self.held.append(letter)
        return left

    def touch(self, letter: str) -> None:
        self.held.remove(letter)
        self.held.append(letter)


def blob(letter: str) -> bytes:
    return letter.encode() * SIZES[letter]


@given(steps)
def test_the_cache_agrees_with_the_oracle(script: list[tuple[str, str]]) -> None:
    cache, oracle = BlobCache(BUDGET), Oracle()
    for operation, letter in script:
        digest = DIGESTS[letter]
        pinned = {each for each in oracle.held if oracle.pins[each]}
        match operation:
            case "+":
                expected = [DIGESTS[each] for each in oracle.add(letter)]
                assert cache.add(digest, blob(letter)) == expected
            case "?":
                held = letter in oracle.held
                assert cache.get(digest) == (blob(letter) if held else None)
                if held:
                    oracle.touch(letter)
            case "!":
                cache.pin([digest])
                oracle.pins[letter] += 1
            case "." if oracle.pins[letter]:
                cache.unpin([digest])
                oracle.pins[letter] -= 1
        assert {each for each in DIGESTS if DIGESTS[each] in cache} == set(oracle.held)
        assert pinned <= set(oracle.held)
        assert cache.size_bytes == sum(SIZES[each] for each in oracle.held) <= BUDGET
        assert len(cache) == len(oracle.held)


@given(steps)
def test_the_mirror_equals_the_cache_when_told_at_once(script: list[tuple[str, str]]) -> None:
    cache, mirror = BlobCache(BUDGET), CacheMirror(BUDGET)
    for operation, letter in script:
        digest = DIGESTS[letter]
        match operation:
            case "+":
                mirror.sent(digest, SIZES[letter])
                mirror.evicted(cache.add(digest, blob(letter)))
            case "?":
                cache.get(digest)
            case "!":
                cache.pin([digest])
        assert [mirror.holds(each) for each in DIGESTS.values()] == [
            each in cache for each in DIGESTS.values()
        ]
        assert mirror.size_bytes == cache.size_bytes


@given(st.lists(st.sampled_from([*DIGESTS, "deliver", "deliver", "tell", "tell"]), max_size=80))
def test_what_the_mirror_claims_is_there_once_all_is_told(script: list[str]) -> None:
    """Values and evictions cross on the way: ``deliver`` and ``tell`` move one message each."""
    cache, mirror = BlobCache(BUDGET), CacheMirror(BUDGET)
    down: deque[str] = deque()
    up: deque[list[bytes]] = deque()
    for word in [*script, *["deliver"] * len(script), *["tell"] * len(script)]:
        match word:
            case "deliver":
                if down:
                    letter = down.popleft()
                    up.append(cache.add(DIGESTS[letter], blob(letter)))
            case "tell":
                if up:
                    mirror.evicted(up.popleft())
            case letter:
                mirror.sent(DIGESTS[letter], SIZES[letter])
                down.append(letter)
    assert not down
    assert not up
    assert all(each in cache for each in DIGESTS.values() if mirror.holds(each))


@pytest.mark.parametrize(
    ("touch", "leaves"),
    [
        (lambda cache: None, "a"),
        (lambda cache: cache.get(DIGESTS["a"]), "b"),
        (lambda cache: cache.add(DIGESTS["a"], bytes(4)), "b"),
        (lambda cache: DIGESTS["a"] in cache, "a"),
    ],
    ids=["nothing", "get", "add again", "look"],
)
def test_the_least_recently_used_leaves_first(touch, leaves: str) -> None:
    cache = BlobCache(10)
    for letter in "ab":
        cache.add(DIGESTS[letter], bytes(4))
    touch(cache)
    assert cache.add(DIGESTS["c"], bytes(4)) == [DIGESTS[leaves]]


def test_a_blob_may_be_pinned_before_it_arrives() -> None:
    cache = BlobCache(10)
    cache.pin([DIGESTS["a"]])
    cache.add(DIGESTS["a"], bytes(6))
    assert cache.add(DIGESTS["b"], bytes(6)) == [DIGESTS["b"]]
    cache.unpin([DIGESTS["a"]])
    assert cache.add(DIGESTS["b"], bytes(6)) == [DIGESTS["a"]]


def test_pins_are_counted() -> None:
    cache = BlobCache(10)
    cache.add(DIGESTS["a"], bytes(6))
    cache.pin([DIGESTS["a"], DIGESTS["a"]])
    cache.unpin([DIGESTS["a"]])
    assert cache.add(DIGESTS["b"], bytes(6)) == [DIGESTS["b"]]


def test_unpinning_is_all_or_nothing() -> None:
    cache = BlobCache(10)
    cache.add(DIGESTS["a"], bytes(6))
    cache.pin([DIGESTS["a"]])
    with pytest.raises(ValueError, match="pinned 0 times; cannot unpin 1"):
        cache.unpin([DIGESTS["a"], DIGESTS["b"]])
    assert cache.add(DIGESTS["b"], bytes(6)) == [DIGESTS["b"]]


def test_a_blob_beyond_the_budget_evicts_nothing() -> None:
    cache = BlobCache(10)
    cache.add(DIGESTS["a"], bytes(10))
    assert cache.add(DIGESTS["b"], bytes(11)) == [DIGESTS["b"]]
    assert DIGESTS["a"] in cache


def test_sizes_are_bytes_not_elements() -> None:
    cache = BlobCache(100)
    cache.add(DIGESTS["a"], memoryview(bytes(40)).cast("d"))
    assert cache.size_bytes == 40


def test_a_provider_that_never_tells_cannot_grow_the_mirror() -> None:
    mirror = CacheMirror(10)
    for number in range(100):
        mirror.sent(number.to_bytes(32, "big"), 6)
    assert mirror.size_bytes == 18
    assert [mirror.holds(number.to_bytes(32, "big")) for number in (96, 97, 99)] == [
        False,
        True,
        True,
    ]


def test_sending_again_counts_once() -> None:
    mirror = CacheMirror(10)
    mirror.sent(DIGESTS["a"], 6)
    mirror.sent(DIGESTS["a"], 6)
    assert mirror.size_bytes == 6


def test_clearing_forgets_everything() -> None:
    mirror = CacheMirror(10)
    mirror.sent(DIGESTS["a"], 6)
    mirror.clear()
    assert (mirror.holds(DIGESTS["a"]), mirror.size_bytes) == (False, 0)


@pytest.mark.parametrize("kind", [BlobCache, CacheMirror])
def test_negative_budgets_are_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="must not be negative; got -1"):
        kind(-1)
