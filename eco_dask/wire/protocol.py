"""Who may say what, when: the order of the conversation as a table.

::

    connected ─Challenge─► challenged ─Hello─► greeted ─Proof─► proven ─Welcome─► joined
                                                               │  ▲   └─Welcome(resumed)─► resuming
                                                 BenchmarkAsked│  │BenchmarkDone              │
                                                               ▼  │               joined ◄─Resumed
                                                           benchmarking
    closed: after Refused, and after Goodbye, which is legal from challenged on
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from eco_dask.errors import WireError
from eco_dask.wire import messages as m
from eco_dask.wire.messages import PROTOCOL, Direction, Message


class Phase(Enum):
    """How far a conversation has come."""

    CONNECTED = "connected"
    CHALLENGED = "challenged"
    GREETED = "greeted"
    PROVEN = "proven"
    BENCHMARKING = "benchmarking"
    RESUMING = "resuming"
    JOINED = "joined"
    CLOSED = "closed"


class Side(Enum):
    """Whose conversation it is; the value is the direction in which it sends."""

    GATEWAY = Direction.TO_PROVIDER
    PROVIDER = Direction.TO_GATEWAY


_Moves: TypeAlias = Mapping[type[Message], Phase]

_LEAVE: _Moves = {m.Goodbye: Phase.CLOSED}

#: In each phase, what may travel towards the gateway, and the phase it leads to.
TOWARDS_GATEWAY: Mapping[Phase, _Moves] = {
    Phase.CONNECTED: {},
    Phase.CHALLENGED: {m.Hello: Phase.GREETED, **_LEAVE},
    Phase.GREETED: {m.Proof: Phase.PROVEN, **_LEAVE},
    Phase.PROVEN: _LEAVE,
    Phase.BENCHMARKING: {m.BenchmarkDone: Phase.PROVEN, **_LEAVE},
    Phase.RESUMING: {m.Resumed: Phase.JOINED, **_LEAVE},
    Phase.JOINED: {
        m.Committed: Phase.JOINED,
        m.Failed: Phase.JOINED,
        m.Declined: Phase.JOINED,
        m.Missing: Phase.JOINED,
        m.ValueGone: Phase.JOINED,
        m.Evicted: Phase.JOINED,
        m.Slots: Phase.JOINED,
        m.Sketched: Phase.JOINED,
        m.NewKey: Phase.JOINED,
        m.Metered: Phase.JOINED,
        m.Unmetered: Phase.JOINED,
        m.ValuePart: Phase.JOINED,
        **_LEAVE,
    },
    Phase.CLOSED: {},
}

#: In each phase, what may travel towards the provider, and the phase it leads to. A Welcome that
#: resumes leads to RESUMING instead.
TOWARDS_PROVIDER: Mapping[Phase, _Moves] = {
    Phase.CONNECTED: {m.Challenge: Phase.CHALLENGED},
    Phase.CHALLENGED: {m.Refused: Phase.CLOSED, **_LEAVE},
    Phase.GREETED: {m.Refused: Phase.CLOSED, **_LEAVE},
    Phase.PROVEN: {
        m.BenchmarkAsked: Phase.BENCHMARKING,
        m.Welcome: Phase.JOINED,
        m.Refused: Phase.CLOSED,
        **_LEAVE,
    },
    Phase.BENCHMARKING: {m.Refused: Phase.CLOSED, **_LEAVE},
    Phase.RESUMING: _LEAVE,
    Phase.JOINED: {
        m.Lease: Phase.JOINED,
        m.Fetch: Phase.JOINED,
        m.Release: Phase.JOINED,
        m.Recall: Phase.JOINED,
        m.Receipted: Phase.JOINED,
        m.Outlook: Phase.JOINED,
        m.SketchAsked: Phase.JOINED,
        m.KeyTaken: Phase.JOINED,
        m.ValuePart: Phase.JOINED,
        **_LEAVE,
    },
    Phase.CLOSED: {},
}

_TOWARDS: Mapping[Direction, Mapping[Phase, _Moves]] = {
    Direction.TO_GATEWAY: TOWARDS_GATEWAY,
    Direction.TO_PROVIDER: TOWARDS_PROVIDER,
}


class Conversation:
    """One side's view of one connection; mutated only by :meth:`sent` and :meth:`received`.

    Both sides run the same table, so they agree on the phase once nothing is under way.

    Parameters
    ----------
    side
        Whose view it is: ``sent`` then means what this side says, ``received`` what it hears.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self._outgoing: Direction = side.value
        self._incoming = Direction.TO_GATEWAY if side is Side.GATEWAY else Direction.TO_PROVIDER
        self._enter(Phase.CONNECTED)

    @property
    def phase(self) -> Phase:
        """How far the conversation has come."""
        return self._phase

    def sent(self, message: Message) -> None:
        """Take note of what this side is about to say.

        Raises
        ------
        WireError
            ``"out-of-order"`` if it may not say so now; the phase is unchanged.
        """
        self._move(message, self._may_send, self._outgoing)

    def received(self, message: Message) -> None:
        """Take in what the peer said.

        Raises
        ------
        WireError
            ``"out-of-order"`` if it may not say so now; the phase is unchanged.
        """
        self._move(message, self._may_receive, self._incoming)

    def _move(self, message: Message, moves: _Moves, direction: Direction) -> None:
        phase = moves.get(type(message))
        if phase is None:
            legal = ", ".join(sorted(each.__name__ for each in moves)) or "nothing"
            raise WireError(
                "out-of-order",
                f"{type(message).__name__} {direction.value} while {self._phase.value}; "
                f"expected {legal}",
            )
        if isinstance(message, m.Welcome) and message.resumed:
            phase = Phase.RESUMING
        if phase is not self._phase:
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        # The two tables of the phase are looked up here, as nearly every message keeps the phase.
        self._phase = phase
        self._may_send = _TOWARDS[self._outgoing][phase]
        self._may_receive = _TOWARDS[self._incoming][phase]


def require_version(peer: int, *, ours: int = PROTOCOL) -> None:
    """Refuse a peer of another protocol version, naming both.

    Raises
    ------
    WireError
        ``"protocol-version"`` if the versions differ.
    """
    if peer != ours:
        older = "the peer" if peer < ours else "this side"
        raise WireError(
            "protocol-version",
            f"this side speaks protocol {ours}, the peer {peer}; upgrade eco_dask on {older}",
        )
