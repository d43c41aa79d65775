"""The agent between gateway and runner: what it gives back, runs again, and hears."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from eco_dask.agent.agent import Agent
from eco_dask.agent.dialling import PATH, Connection, Introduction
from eco_dask.agent.runner_process import Done, Raised, RunnerRule
from eco_dask.providers.detect import detect
from eco_dask.providers.identity import Identity
from eco_dask.providers.invite import Invite
from eco_dask.providers.link import JoinLink
from eco_dask.sketches import sketch_encoded
from eco_dask.values import encode
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame, encode_frame
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import Direction

LIMITS = WireLimits()


def introduction(folder: Path, port: int = 1) -> Introduction:
    capability = detect(1, None)
    link = JoinLink(f"ws://127.0.0.1:{port}", str(Invite.draw()))
    return Introduction(link, Identity.load_or_create(folder), capability, 1, 1 << 20, LIMITS)


def lease(name: str, **fields) -> m.Lease:
    plain = {"kind": "k", "recruiter": "r", "deadline_s": 9.0, "inputs": (), "constants": ()}
    return m.Lease(lease=name, result_bytes_max=100, task=b"task", **(plain | fields))


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(introduction(tmp_path), RunnerRule(slots=2))


# ------------------------------------------------------------------ a runner that dies


def test_only_what_may_have_killed_the_runner_is_given_back(agent: Agent) -> None:
    for name in "abcd":
        agent._on_message(lease(name))
    agent._runner._fed.clear()
    agent._on_runner_death(list("abcd"), "exit status 9")
    # Two slots: a and b had started, c and d stood in line and are fed to the next runner.
    assert agent.tally.declined == 2
    assert list(agent._runner._fed) == ["c", "d"]


def test_the_task_that_the_runner_was_ended_for_is_the_only_suspect(agent: Agent) -> None:
    for name in "abc":
        agent._on_message(lease(name))
    agent._runner._fed.clear()
    agent._abandoned.add("b")
    agent._on_runner_death(list("abc"), "ended")
    assert agent.tally.declined == 1
    assert list(agent._runner._fed) == ["a", "c"]


# ------------------------------------------------------------------ what is said


def test_a_recall_gives_back_what_waits_for_its_values(agent: Agent) -> None:
    agent._on_message(lease("a", inputs=(bytes(32),)))
    agent._on_message(m.Recall(("a", "unknown")))
    assert agent.tally.declined == 1
    assert not agent._leases


def test_an_answer_nobody_waits_for_is_dropped(agent: Agent) -> None:
    agent._on_answer(Raised("unknown", "ValueError", "", "", 0.0, 0.0))
    assert agent.tally.answered == 0


def test_a_result_beyond_the_network_s_limit_is_an_error_that_says_so(tmp_path: Path) -> None:
    agent = Agent(introduction(tmp_path), RunnerRule())
    agent._on_message(lease("a"))
    size = agent._about.limits.value_bytes_max + 1

    class Huge(bytes):
        def __len__(self) -> int:
            return size

    agent._on_answer(Done("a", bytes(32), (Huge(),), 0.1, 0.2))
    answer = agent._answers["a"]
    assert answer.error_type == "ValueError"
    assert "smaller chunks" in answer.message


# ------------------------------------------------------------------ sketches


class Heard:
    """Stands where the connection is, and keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[m.Message] = []

    def say(self, message: m.Message) -> None:
        self.messages.append(message)


SEED = bytes(range(32))
VALUE = encode({"a": np.linspace(0, 1, 1000), "b": np.arange(5)})
PARTS = tuple(map(bytes, VALUE.parts()))


def asked(agent: Agent, *rounds: int, **answers: Done | Raised) -> list[m.Message]:
    """What an agent with these answers says when it is asked for the sketch of ``a``."""

    async def ask() -> list[m.Message]:
        agent._line.connection = heard = Heard()
        agent._answers.update(answers)
        for number in rounds:
            agent._on_message(m.SketchAsked("a", number, SEED))
        await asyncio.gather(*agent._sketching)
        return heard.messages

    return asyncio.run(ask())


def done(*parts: bytes) -> Done:
    return Done("a", bytes(32), parts, 0.1, 0.2)


@pytest.mark.parametrize(
    "parts", [PARTS, (b"".join(PARTS),), (PARTS[0][:9], PARTS[0][9:], *PARTS[1:])], ids=len
)
def test_a_kept_answer_is_sketched_however_it_is_cut(agent: Agent, parts) -> None:
    expected = sketch_encoded(VALUE, SEED).to_bytes()
    assert asked(agent, 3, 4, a=done(*parts)) == [
        m.Sketched("a", 3, expected),
        m.Sketched("a", 4, expected),
    ]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"b": done(*PARTS)},
        {"a": done(b"no value")},
        {"a": done()},
        {"a": done(PARTS[0])},
        {"a": Raised("a", "ValueError", "", "", 0.0, 0.0)},
    ],
    ids=["unknown", "another", "no value", "no bytes", "cut short", "an error"],
)
def test_where_there_is_no_value_the_sketch_is_empty(agent: Agent, answers) -> None:
    assert asked(agent, 3, **answers) == [m.Sketched("a", 3, b"")]


def test_no_sketch_is_made_before_the_commitment(agent: Agent) -> None:
    agent._on_message(lease("a"))
    assert asked(agent, 1) == [m.Sketched("a", 1, b"")]


# ------------------------------------------------------------------ the door


class Door(WebSocketHandler):
    """Lets everybody in, and sends the first lease in the same frame as the welcome."""

    def check_origin(self, origin: str) -> bool:
        return True

    async def open(self) -> None:
        await self._send(m.Challenge(m.PROTOCOL, bytes(32)))

    async def on_message(self, frame: bytes) -> None:
        for message in decode_frame(frame, Direction.TO_GATEWAY, LIMITS):
            if isinstance(message, m.Proof):
                welcome = m.Welcome(
                    provider="p", owner="o", session=bytes(32), grace_s=1.0, inline_bytes_max=10,
                    value_bytes_max=10, resumed=False, leases=(),
                )  # fmt: skip
                await self._send(welcome, lease("first"))

    async def _send(self, *messages: m.Message) -> None:
        await self.write_message(encode_frame(messages), binary=True)


def test_leases_in_the_frame_of_the_welcome_are_heard(tmp_path: Path) -> None:
    async def dial() -> list[m.Message]:
        server = HTTPServer(Application([(PATH, Door)]))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        connection = await Connection.dial(introduction(tmp_path, sockets[0].getsockname()[1]))
        writer = asyncio.create_task(connection.outbox.run())
        try:
            async with asyncio.timeout(10):
                welcome = await connection.join(b"")
                async for message in connection.messages():
                    return [welcome, message]
        finally:
            writer.cancel()
            await connection.close()
            server.stop()

    welcome, first = asyncio.run(dial())
    assert isinstance(welcome, m.Welcome)
    assert first.lease == "first"


# ------------------------------------------------------------------ whose task is next


def test_the_runner_gets_one_recruiter_s_tasks_and_those_of_the_next_once_it_is_empty(
    agent: Agent,
) -> None:
    for name, recruiter in zip("abcd", "rsrs", strict=True):
        agent._on_message(lease(name, recruiter=recruiter))
    assert list(agent._runner._fed) == ["a", "c"]
    for name in "ac":
        agent._runner._fed.pop(name)
        agent._on_answer(Raised(name, "ValueError", "", "", 0.0, 0.0))
    assert list(agent._runner._fed) == ["b", "d"]
    assert agent._runner._outgoing.qsize() == 4


def test_while_one_recruiter_s_values_are_not_here_another_s_tasks_run(agent: Agent) -> None:
    agent._on_message(lease("a", recruiter="r", inputs=(bytes(32),)))
    agent._on_message(lease("b", recruiter="s"))
    assert list(agent._runner._fed) == ["b"]
    assert [w.lease for w in agent._waiting] == ["a"]
