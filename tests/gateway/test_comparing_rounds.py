"""Rounds of comparison at the gateway: each sketch is told of once, and bytes must fit theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from eco_dask.engine.facts import Provider
from eco_dask.gateway.comparing import INLINE_BYTES_MAX, SKETCH_S, Comparing
from eco_dask.gateway.session import Session
from eco_dask.sketches import sketch_encoded, sketch_or_digest
from eco_dask.types import Digest
from eco_dask.values import EncodedValue, encode
from eco_dask.verification.sketch import Sketch
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import SKETCHED_BYTES_MAX, SketchAsked, Sketched

RIGHT = encode(np.linspace(0.0, 1.0, 500))
NEAR = encode(np.linspace(0.0, 1.0, 500) * (1 + 1e-15))
WRONG = encode(np.linspace(0.0, 1.5, 500))
LONG = encode([np.arange(20.0) + i for i in range(1000)])


class Sent:
    """Stands where a connection's outbox is, and keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)


class Bench:
    """A Comparing with its surroundings: a clock to set, what it told, holders to speak for."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.told: list[tuple[str, int, Sketch | None]] = []
        self._news = asyncio.Event()
        self.comparing = Comparing(self._tell, lambda: self.at_s)

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        self._news.set()

    async def hear(self, n: int) -> dict[str, Sketch | None]:
        """Wait until that much was told, and return the sketches by lease."""
        async with asyncio.timeout(20):
            while len(self.told) < n:
                self._news.clear()
                await self._news.wait()
        assert len(self.told) == n
        return {lease: sketch for lease, _, sketch in self.told}


def holder() -> Session:
    session = Session(Provider("p", "o", "provider", frozenset(), 1), WireLimits(), 1 << 20)
    session.outbox = Sent()
    return session


def question(session: Session) -> SketchAsked:
    asked = session.outbox.messages[-1]
    assert isinstance(asked, SketchAsked)
    return asked


def reply(session: Session, value: EncodedValue = RIGHT) -> Sketched:
    asked = question(session)
    return Sketched(asked.lease, asked.round, sketch_encoded(value, asked.seed).to_bytes())


def run(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await test(Bench())

    asyncio.run(main())


def test_all_of_a_round_are_sketched_with_one_seed_here_or_by_their_holder() -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        bench.comparing.ask(1, {"here": RIGHT}, {"far": far})
        assert not bench.told, "the engine is still carrying out what it decided"
        bench.comparing.take(far, reply(far))
        told = await bench.hear(2)
        assert told["here"] == told["far"] == sketch_encoded(RIGHT, question(far).seed)
        assert {number for _, number, _ in bench.told} == {1}

    run(main)


def test_each_round_has_a_seed_of_its_own() -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        seeds = set()
        for number in (1, 2, 3):
            bench.comparing.ask(number, {}, {"far": far})
            assert question(far).round == number
            seeds.add(question(far).seed)
        assert len(seeds) == 3

    run(main)


def test_a_second_a_late_and_a_strange_sketch_are_ignored() -> None:
    async def main(bench: Bench) -> None:
        far, stranger = holder(), holder()
        bench.comparing.ask(1, {}, {"far": far})
        answer = reply(far)
        bench.comparing.take(stranger, answer)
        bench.comparing.take(far, Sketched("far", 7, answer.sketch))
        bench.comparing.take(far, Sketched("unknown", 1, answer.sketch))
        assert not bench.told
        bench.comparing.take(far, answer)
        bench.comparing.take(far, answer)
        bench.at_s = SKETCH_S
        bench.comparing.give_up_late()
        assert (await bench.hear(1))["far"] is not None

    run(main)


HOSTILE = {
    "nothing": b"",
    "noise": b"EDS\x01" + bytes(range(200)),
    "cut short": sketch_encoded(RIGHT, bytes(32)).to_bytes()[:-1],
    "more than itself": sketch_encoded(RIGHT, bytes(32)).to_bytes() + b"\0",
    "claims arrays": b"EDS\x01" + bytes(32) + b"\xff\xff\xff\xff",
    "long": bytes(1 << 20),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_that_are_no_sketch_count_as_none(name: str) -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        bench.comparing.ask(1, {}, {"far": far})
        bench.comparing.take(far, Sketched("far", 1, memoryview(HOSTILE[name])))
        assert await bench.hear(1) == {"far": None}
        assert await bench.comparing.matches("far", WRONG), "nothing was said of them"

    run(main)


def test_who_does_not_answer_in_time_counts_as_withholding_once() -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        bench.comparing.ask(1, {}, {"far": far})
        bench.at_s = SKETCH_S - 0.1
        bench.comparing.give_up_late()
        assert not bench.told
        bench.at_s = SKETCH_S
        for _ in range(2):
            bench.comparing.give_up_late()
            bench.comparing.take(far, reply(far))
        assert await bench.hear(1) == {"far": None}

    run(main)


def test_an_answer_that_nobody_holds_is_told_of_after_the_asking() -> None:
    async def main(bench: Bench) -> None:
        bench.comparing.ask(1, {}, {"nobody": None})
        assert not bench.told
        assert await bench.hear(1) == {"nobody": None}

    run(main)


def test_who_resumes_is_asked_the_same_again_unless_it_answered() -> None:
    async def main(bench: Bench) -> None:
        far, other = holder(), holder()
        bench.comparing.ask(1, {}, {"far": far, "other": other})
        first, far.outbox, other.outbox = question(far), Sent(), Sent()
        bench.comparing.resend(far)
        assert question(far) == first
        assert not other.outbox.messages
        bench.comparing.take(far, reply(far))
        far.outbox = Sent()
        bench.comparing.resend(far)
        assert not far.outbox.messages

    run(main)


def test_long_sketches_are_read_beside_the_event_loop_and_dropped_if_given_up() -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        bench.comparing.ask(1, {}, {"far": far})
        answer = reply(far, LONG)
        assert len(answer.sketch) > INLINE_BYTES_MAX
        for _ in range(5):
            bench.comparing.take(far, answer)
        assert not bench.told
        assert len(bench.comparing._work) == 1, "saying it again costs the gateway nothing"
        bench.comparing.resend(far)
        assert len(far.outbox.messages) == 1
        assert (await bench.hear(1))["far"] == sketch_encoded(LONG, question(far).seed)
        bench.comparing.ask(2, {}, {"far": far})
        bench.comparing.take(far, reply(far, LONG))
        bench.comparing.forget("far")
        await asyncio.gather(*bench.comparing._work)
        assert len(bench.told) == 1
        assert await bench.comparing.matches("far", WRONG), "what was forgotten stays so"

    run(main)


@pytest.mark.parametrize(
    ("served", "fits"),
    [(RIGHT, True), (NEAR, True), (WRONG, False), (EncodedValue(b"\xc1"), False)],
)
def test_fetched_bytes_are_held_against_their_sketch(served: EncodedValue, fits: bool) -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        bench.comparing.ask(1, {}, {"far": far})
        bench.comparing.take(far, reply(far))
        await bench.hear(1)
        assert await bench.comparing.matches("far", served) is fits
        assert await bench.comparing.matches("another", served)
        bench.comparing.forget("far")
        assert await bench.comparing.matches("far", served)

    run(main)


def test_bytes_must_fit_the_sketches_of_all_rounds() -> None:
    async def main(bench: Bench) -> None:
        far = holder()
        for number, sketched in ((1, RIGHT), (2, WRONG)):
            bench.comparing.ask(number, {}, {"far": far})
            bench.comparing.take(far, reply(far, sketched))
        await bench.hear(2)
        assert not await bench.comparing.matches("far", WRONG)
        assert not await bench.comparing.matches("far", RIGHT)

    run(main)


def test_bytes_here_that_no_codec_wrote_have_no_sketch() -> None:
    async def main(bench: Bench) -> None:
        bench.comparing.ask(1, {"here": EncodedValue(b"\xc1")}, {})
        assert await bench.hear(1) == {"here": None}

    run(main)


def test_a_value_that_no_sketch_holds_is_compared_by_its_digest() -> None:
    many = encode([[float(i), "x"] for i in range(100_001)])
    few = encode([[float(i), "x"] for i in range(100)])
    seed = bytes(32)
    exact = sketch_encoded(few, seed)
    assert exact.size_bytes == len(exact.to_bytes())
    assert sketch_or_digest(many, seed, SKETCHED_BYTES_MAX) == Sketch(Digest(many.digest), ())
    assert sketch_or_digest(few, seed, SKETCHED_BYTES_MAX) == exact
    assert sketch_or_digest(few, seed, 100) == Sketch(Digest(few.digest), ())
