"""Conversation: both sides tell legal from illegal alike, and an illegal word changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import SAMPLES

from eco_dask.errors import WireError
from eco_dask.wire import messages as m
from eco_dask.wire.messages import Direction
from eco_dask.wire.protocol import Conversation, Phase, Side, require_version

BY_NAME = {type(each).__name__: each for each in SAMPLES}
BY_NAME["Resuming"] = BY_NAME["Welcome"]
BY_NAME["Welcome"] = replace(BY_NAME["Welcome"], resumed=False, leases=())

#: How to get there: ``<`` the gateway speaks, ``>`` the provider does.
PATHS = {
    Phase.CONNECTED: "",
    Phase.CHALLENGED: "<Challenge",
    Phase.GREETED: "<Challenge >Hello",
    Phase.PROVEN: "<Challenge >Hello >Proof",
    Phase.BENCHMARKING: "<Challenge >Hello >Proof <BenchmarkAsked",
    Phase.RESUMING: "<Challenge >Hello >Proof <Resuming",
    Phase.JOINED: "<Challenge >Hello >Proof <BenchmarkAsked >BenchmarkDone <Resuming >Resumed",
    Phase.CLOSED: "<Challenge >Goodbye",
}

#: All that is legal, written apart from the table under test.
LEGAL = {
    Phase.CONNECTED: "<Challenge",
    Phase.CHALLENGED: ">Hello >Goodbye <Refused <Goodbye",
    Phase.GREETED: ">Proof >Goodbye <Refused <Goodbye",
    Phase.PROVEN: ">Goodbye <BenchmarkAsked <Welcome <Resuming <Refused <Goodbye",
    Phase.BENCHMARKING: ">BenchmarkDone >Goodbye <Refused <Goodbye",
    Phase.RESUMING: ">Resumed >Goodbye <Goodbye",
    Phase.JOINED: (
        ">Committed >Failed >Declined >Missing >ValueGone >Evicted >Slots >Sketched >NewKey "
        ">Metered >Unmetered >ValuePart >Goodbye <Lease <Fetch <Release <Recall <Receipted "
        "<Outlook <SketchAsked <KeyTaken <ValuePart <Goodbye"
    ),
    Phase.CLOSED: "",
}

WORDS = [way + name for way in "<>" for name in BY_NAME]


def say(gateway: Conversation, provider: Conversation, word: str) -> None:
    speaker, listener = (gateway, provider) if word[0] == "<" else (provider, gateway)
    speaker.sent(BY_NAME[word[1:]])
    listener.received(BY_NAME[word[1:]])


def after(path: str) -> tuple[Conversation, Conversation]:
    sides = Conversation(Side.GATEWAY), Conversation(Side.PROVIDER)
    for word in path.split():
        say(*sides, word)
    return sides


@pytest.mark.parametrize("phase", Phase)
def test_each_phase_is_reached_by_both_sides(phase: Phase) -> None:
    assert [side.phase for side in after(PATHS[phase])] == [phase, phase]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("word", WORDS)
def test_legal_words_pass_and_others_change_nothing(phase: Phase, word: str) -> None:
    gateway, provider = after(PATHS[phase])
    if word in LEGAL[phase].split():
        say(gateway, provider, word)
        assert gateway.phase is provider.phase
        return
    message = BY_NAME[word[1:]]
    speaker, listener = (gateway, provider) if word[0] == "<" else (provider, gateway)
    for refuse in (speaker.sent, listener.received):
        with pytest.raises(WireError) as refusal:
            refuse(message)
        assert refusal.value.code == "out-of-order"
    assert (gateway.phase, provider.phase) == (phase, phase)


@pytest.mark.parametrize(
    ("path", "phase"),
    [
        ("<Challenge >Hello >Proof <Welcome", Phase.JOINED),
        ("<Challenge >Hello <Refused", Phase.CLOSED),
        ("<Challenge >Hello >Proof <Refused", Phase.CLOSED),
        ("<Challenge >Hello >Proof <BenchmarkAsked >BenchmarkDone", Phase.PROVEN),
        ("<Challenge >Hello >Proof <BenchmarkAsked <Refused", Phase.CLOSED),
        ("<Challenge >Hello >Proof <Welcome >Goodbye", Phase.CLOSED),
        ("<Challenge >Hello >Proof <Welcome <Lease >Missing <ValuePart >Committed", Phase.JOINED),
    ],
)
def test_conversations_end_where_expected(path: str, phase: Phase) -> None:
    assert [side.phase for side in after(path)] == [phase, phase]


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_nobody_joins_without_proof(words: list[str]) -> None:
    sides, said = after(""), []
    for word in words:
        try:
            say(*sides, word)
        except WireError:
            continue
        said.append(word)
    if sides[0].phase is Phase.JOINED:
        assert said[:3] == ["<Challenge", ">Hello", ">Proof"]


def test_every_message_is_legal_somewhere_in_its_direction_only() -> None:
    legal = {word for words in LEGAL.values() for word in words.split()}
    for name, message in BY_NAME.items():
        ways = {word[0] for word in legal if word[1:] == name}
        assert (
            ways
            == {
                Direction.TO_GATEWAY: {">"},
                Direction.TO_PROVIDER: {"<"},
                Direction.BOTH: {"<", ">"},
            }[message.DIRECTION]
        )


def test_the_refusal_says_what_was_expected() -> None:
    gateway, _ = after("<Challenge")
    with pytest.raises(WireError, match="Committed to the gateway while challenged; expected Good"):
        gateway.received(m.Committed("a", bytes(32), 0, 0.0, 0.0, b""))


@pytest.mark.parametrize(("peer", "older"), [(1, "the peer"), (3, "this side")])
def test_other_versions_are_refused_with_both_named(peer: int, older: str) -> None:
    with pytest.raises(
        WireError, match=f"speaks protocol 2, the peer {peer}; .* on {older}"
    ) as refusal:
        require_version(peer, ours=2)
    assert refusal.value.code == "protocol-version"


def test_the_same_version_is_welcome() -> None:
    assert require_version(m.PROTOCOL) is None
