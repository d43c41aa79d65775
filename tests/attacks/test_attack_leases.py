"""Work that was not done, not asked for, or somebody else's; and points for it."""

from __future__ import annotations

import pickle
import select
import time
from collections.abc import Iterator

import numpy as np
import pytest
from attack_target import Target, until, works
from attack_tasks import product, ramp
from attacker import PATIENCE_S, Attacker, Hung
from blake3 import blake3

from eco_dask.errors import RemoteTaskError
from eco_dask.sketches import sketch_encoded
from eco_dask.values import EncodedValue, encode
from eco_dask.wire import messages as m
from eco_dask.wire.values import split

PART_BYTES = 1 << 20


@pytest.fixture
def pair(target: Target) -> Iterator[tuple[Attacker, Attacker]]:
    """Two attackers of two owners, each new, who alone get the jobs of ``target.submit``."""
    mallory, trudy = target.attacker("mallory"), target.attacker("trudy")
    yield mallory, trudy
    for each in (mallory, trudy):
        each.leave()


def leases(pair: tuple[Attacker, Attacker]) -> list[str]:
    return [each.expect(m.Lease).lease for each in pair]


def serve(attacker: Attacker, value: EncodedValue, digest: bytes | None = None) -> None:
    """Send the bytes of a value, under its own name or another."""
    for part in split(digest or value.digest, list(value.parts()), PART_BYTES):
        attacker.say(part)


# ------------------------------------------------------------------ somebody else's lease


def test_finishing_somebody_elses_lease(target: Target, pair) -> None:
    mallory, trudy = pair
    future = target.submit(abs, -5, quorum=2)
    hers, his = leases(pair)
    for message in (
        m.Failed(his, "E", "", "", 0.0, 0.0),
        m.Declined(his, "x", ""),
        m.ValueGone(his),
        m.Sketched(his, 1, b"x"),
        m.Missing(his, (bytes(32),)),
    ):
        mallory.say(message)
    mallory.commit(his, 666)
    assert target.struck(mallory, "protocol: foreign-lease", times=6)
    mallory.commit(hers, 5)
    trudy.commit(his, 5)
    assert future.result(25) == 5
    assert trudy.receipt(his).reason == "agreed"


def test_a_lease_of_nobodys(target: Target, pair) -> None:
    mallory, _ = pair
    for lease in ("x", "gateway/0/1", "../../x"):
        mallory.commit(lease, 1)
        assert lease in mallory.expect(m.Release).leases
    assert mallory.still_there()


# ------------------------------------------------------------------ commitments


def test_another_commitment_after_the_first(target: Target, pair) -> None:
    mallory, trudy = pair
    future = target.submit(abs, -5, quorum=2)
    hers, his = leases(pair)
    mallory.commit(hers, 4)
    mallory.commit(hers, 5)
    assert target.struck(mallory, "protocol: commitment-changed")
    trudy.commit(his, 5)
    # The first one counts: they disagree, and the ballot waits for somebody else.
    assert works(target)
    assert not future.done()


def test_an_error_after_a_commitment_and_the_reverse(target: Target, pair) -> None:
    mallory, trudy = pair
    future = target.submit(abs, -5, quorum=2)
    hers, his = leases(pair)
    mallory.say(m.Failed(hers, "E", "no", "", 0.0, 0.0))
    mallory.commit(hers, 5)
    trudy.commit(his, 5)
    trudy.say(m.Failed(his, "E", "no", "", 0.0, 0.0))
    assert target.struck(mallory, "protocol: commitment-changed")
    assert target.struck(trudy, "protocol: commitment-changed")
    assert not future.done()


def test_a_commitment_copied_from_another(target: Target, pair) -> None:
    mallory, trudy = pair
    future = target.submit(ramp, 1000, quorum=2)
    hers, his = leases(pair)
    right = encode(ramp(1000))
    # Mallory heard what trudy swears to, and has no bytes behind it.
    for each, lease in ((mallory, hers), (trudy, his)):
        each.commit(lease, right, value=b"")
    if (asked := first_fetched(pair)) is mallory:
        mallory.say(m.ValueGone(hers))
        assert target.struck(mallory, "value-withheld")
        asked = first_fetched((trudy,))
    serve(asked, right)
    np.testing.assert_array_equal(future.result(25), ramp(1000))
    assert trudy.receipt(his).reason == "agreed"


# ------------------------------------------------------------------ bytes


@pytest.fixture
def lone(target: Target) -> Iterator[Attacker]:
    """One attacker, who alone gets the jobs of ``target.submit``."""
    mallory = target.attacker("mallory")
    yield mallory
    mallory.leave()


def one_lease(target: Target, lone: Attacker, function=ramp, *args) -> tuple[object, str]:
    future = target.submit(function, *(args or (1000,)), quorum=1)
    return future, lone.expect(m.Lease).lease


def test_the_right_digest_with_other_bytes_along(target: Target, lone: Attacker) -> None:
    future, lease = one_lease(target, lone, abs, -5)
    lone.commit(lease, 5, value=b"".join(encode(6).parts()))
    assert lone.receipt(lease).amount_mpt == 0
    assert target.struck(lone, "value-mismatch")
    assert not future.done()


def test_the_right_digest_with_other_bytes_later(target: Target, lone: Attacker) -> None:
    future, lease = one_lease(target, lone)
    right, wrong = encode(ramp(1000)), encode(ramp(1000) + 1)
    lone.commit(lease, right, value=b"")
    lone.expect(m.Fetch)
    serve(lone, wrong, right.digest)
    assert lone.receipt(lease).reason == "value-mismatch"
    assert target.struck(lone, "value-mismatch")
    assert not future.done()


def test_a_value_of_another_size_than_sworn(target: Target, lone: Attacker) -> None:
    future, lease = one_lease(target, lone)
    right = encode(ramp(1000))
    lone.commit(lease, right, value=b"", size_bytes=10**6)
    lone.expect(m.Fetch)
    serve(lone, right)
    lone.line.closed()
    assert target.struck(lone, "protocol: value-size")
    assert not future.done()


def test_a_value_in_parts_that_overlap_or_leave_gaps(target: Target, lone: Attacker) -> None:
    future, lease = one_lease(target, lone)
    right = encode(ramp(1000))
    data = b"".join(right.parts())
    lone.commit(lease, right, value=b"")
    lone.expect(m.Fetch)
    lone.say(m.ValuePart(right.digest, len(data), 0, data[:100]))
    lone.say(m.ValuePart(right.digest, len(data), 50, data[50:]))
    lone.line.closed()
    assert target.struck(lone, "protocol: part-offset")
    assert not future.done()


def test_a_result_larger_than_anybody_may_send(target: Target, lone: Attacker) -> None:
    future, lease = one_lease(target, lone)
    lone.commit(lease, ramp(3), value=b"", size_bytes=1 << 40)
    lone.line.closed()
    assert target.struck(lone, "protocol: value-size")
    assert not future.done()


def test_bytes_that_are_no_value(target: Target, lone: Attacker) -> None:
    for data in (b"", b"x" * 500, pickle.dumps(1), b"\x00" * 500, bytes(range(256)) * 2):
        future, lease = one_lease(target, lone, abs, -1)
        digest = blake3(data).digest()
        lone.say(m.Committed(lease, digest, len(data), 0.1, 0.1, data))
        if not data:
            # Nothing came along, so it is asked for.
            lone.expect(m.Fetch)
            lone.say(m.ValuePart(digest, 0, 0, b""))
        assert lone.receipt(lease).amount_mpt == 0
        assert not future.done()
    until(lambda: len(target.strikes(lone)) == 5, "a strike for each")
    assert set(target.strikes(lone)) == {"value-mismatch"}


# ------------------------------------------------------------------ sketches


def disagree(target: Target, pair) -> tuple[object, list[str], list[m.SketchAsked]]:
    """Make both commit to floats that differ in the last bits, and be asked for sketches."""
    mallory, trudy = pair
    future = target.submit(product, 20, quorum=2, compare="close")
    held = leases(pair)
    right = product(20)
    trudy.commit(held[1], right, value=b"")
    mallory.commit(held[0], np.nextafter(right, 2 * right), value=b"")
    asked = [
        each.expect(m.SketchAsked, where=lambda a, held=held: a.lease in held) for each in pair
    ]
    return future, held, asked


def sketch_of(value: np.ndarray, asked: m.SketchAsked) -> bytes:
    return sketch_encoded(encode(value), asked.seed).to_bytes()


def test_the_right_sketch_with_other_bytes(target: Target, pair) -> None:
    future, (hers, his), asked = disagree(target, pair)
    right = product(20)
    # Both sketch the right value; neither serves it.
    for each, lease, about in zip(pair, (hers, his), asked, strict=True):
        each.say(m.Sketched(lease, about.round, sketch_of(right, about)))
    first = {"mallory": np.nextafter(right, 2 * right), "trudy": right}
    for each in pair:
        each.line.socket.settimeout(25)
    fetched = first_fetched(pair)
    serve(fetched, encode(np.ones((20, 20))), encode(first[owner_of(fetched)]).digest)
    assert target.struck(fetched, "value-mismatch")
    assert not future.done()


def owner_of(attacker: Attacker) -> str:
    return attacker.welcome.owner


def first_fetched(pair) -> Attacker:
    """Wait until one of two is asked for its bytes."""
    deadline_s = time.monotonic() + PATIENCE_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        ready, _, _ = select.select([each.line.socket for each in pair], [], [], left_s)
        for each in pair:
            if each.line.socket in ready and each.heard(m.Fetch):
                return each
    raise Hung("nobody is asked for its bytes")


def test_a_sketch_of_an_earlier_seed_replayed(target: Target, pair) -> None:
    mallory, trudy = pair
    future, (hers, his), asked = disagree(target, pair)
    right = product(20)
    # Made under a seed that was revealed for another task: it is that of another value now.
    replayed = sketch_encoded(encode(right), bytes(32)).to_bytes()
    mallory.say(m.Sketched(hers, asked[0].round, replayed))
    mallory.say(m.Sketched(hers, asked[0].round, sketch_of(right, asked[0])))
    trudy.say(m.Sketched(his, asked[1].round, sketch_of(right, asked[1])))
    assert mallory.still_there()
    # It does not agree with trudy's: no majority, and a trusted worker has to decide.
    assert not future.done()
    assert target.paid_mpt("mallory") == target.paid_mpt("mallory")


def test_committing_after_the_seed_was_revealed(target: Target, pair) -> None:
    mallory, trudy = pair
    future, (hers, his), asked = disagree(target, pair)
    # Now that it knows the seed it could aim at the sketch with any value.
    mallory.commit(hers, product(20), value=b"")
    assert target.struck(mallory, "protocol: commitment-changed")
    trudy.say(m.Sketched(his, asked[1].round, sketch_of(product(20), asked[1])))
    mallory.say(m.Sketched(hers, asked[0].round, b"nonsense"))
    assert not future.done()


# ------------------------------------------------------------------ points


def test_one_answer_is_paid_once(target: Target) -> None:
    greedy = target.attacker("greedy")
    before = target.paid_mpt("greedy")
    future, lease = one_lease(target, greedy, abs, -5)
    for _ in range(3):
        greedy.commit(lease, 5)
    assert future.result(25) == 5
    price = greedy.receipt(lease).amount_mpt
    assert price > 0
    # Again: after its receipt, on the same connection, on another, and as a new session.
    greedy.commit(lease, 5)
    resumed = greedy.again()
    resumed.commit(lease, 5)
    fresh = greedy.again(session=b"")
    fresh.commit(lease, 5)
    assert fresh.still_there()
    assert target.paid_mpt("greedy") - before == price
    receipts = [r for r in target.ledger.receipts(owner="greedy", limit=100) if r.lease == lease]
    assert len(receipts) == 1
    for each in (greedy, resumed, fresh):
        each.leave()


def test_time_that_it_claims_earns_nothing_beyond_what_others_measured(target: Target) -> None:
    greedy = target.attacker("greedy")
    amounts = []
    for cpu_s in (0.001, 0.001, 0.001, 1e9, 1e9):
        future, lease = one_lease(target, greedy, abs, -5)
        greedy.commit(lease, 5, cpu_s=cpu_s, wall_s=cpu_s)
        assert future.result(25) == 5
        amounts.append(greedy.receipt(lease).amount_mpt)
    assert max(amounts) <= 100 * min(amounts) + 1000, amounts
    greedy.leave()


def test_machines_of_one_owner_do_not_agree_with_each_other(target: Target) -> None:
    gang = [target.attacker("gang") for _ in range(3)]
    future = target.submit(abs, -5, quorum=2)
    ready, _, _ = select.select([each.line.socket for each in gang], [], [], 25)
    for each in gang:
        while each.line.socket in ready and (lease := each.heard(m.Lease)):
            each.commit(lease.lease, 666)
    assert works(target)
    assert not future.done()
    for each in gang:
        each.leave()


def test_two_who_agree_on_an_error_fail_their_own_task_only(target: Target, pair) -> None:
    future = target.submit(abs, -5, quorum=2)
    for each, lease in zip(pair, leases(pair), strict=True):
        each.say(m.Failed(lease, "os.system", "x", "", 0.0, 0.0))
    with pytest.raises(RemoteTaskError) as error:
        future.result(25)
    assert error.type.__mro__[1] is RemoteTaskError or error.type is RemoteTaskError
