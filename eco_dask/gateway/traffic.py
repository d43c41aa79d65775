"""What a provider that has joined says: answers, values, comings and goings.

Committed, Failed, Declined, ValuePart, ... ──Traffic──► Gateway
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from eco_dask.errors import WireError
from eco_dask.gateway.arrivals import checked_value, decodable
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.session import Granted, Session
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.text import line
from eco_dask.types import Digest, LeaseId
from eco_dask.verification.attempt import ErrorAnswer, ValueAnswer
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)


class Traffic:
    """One session on one connection.

    Parameters
    ----------
    spawn : callable
        Runs a coroutine until it is done, or until the connection is gone.
    """

    def __init__(
        self,
        gateway: Gateway,
        session: Session,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._spawn = spawn

    def take(self, message: m.Message) -> bool:
        """Take in a message, Goodbye excepted; say whether somebody waited for it.

        Raises
        ------
        WireError
            It is none that an honest provider sends.
        """
        session = self._session
        lease = getattr(message, "lease", None)
        if lease is not None and lease not in session.leases and self._is_anothers(lease):
            self._gateway.offences.by_provider(session.provider.id, "foreign-lease")
        match message:
            case m.Committed() | m.Failed():
                return self._on_answer(message)
            case m.Declined(lease, reason, text):
                if reason == m.MISSING_MODULE:
                    self._gateway.lacks_module(session, lease, text)
                return self._on_declined(lease)
            case m.ValuePart():
                self._on_part(message)
                return True
            case m.ValueGone(lease):
                return self._on_value_gone(lease)
            case m.Sketched():
                return self._gateway.comparing.take(session, message)
            case m.Metered() | m.Unmetered():
                return self._gateway.energy.take(session, message)
            case m.Missing(lease, digests):
                if lease in session.leases:
                    session.resend(lease, digests)
            case m.Evicted(digests):
                session.mirror.evicted(digests)
            case m.Slots(slots, reason):
                shown = line(reason, 100)
                # Not for the log of an ordinary day: it may come as often as the rate allows.
                logger.debug("Provider %s: %d slots (%s)", session.provider.id, slots, shown)
                allowed = min(slots, self._gateway.rule.guard.slots_max)
                self._gateway.change_slots(session, allowed)
        return False

    def _on_answer(self, message: m.Committed | m.Failed) -> bool:
        session, lease = self._session, message.lease
        granted = session.leases.get(lease)
        if granted is None:
            session.send(m.Release((lease,)))
            return False
        if granted.answered:
            if getattr(message, "digest", None) != granted.digest:
                # The same one again is no offence: it may have been lost with a connection.
                self._gateway.offences.by_provider(session.provider.id, "commitment-changed")
            return False
        granted.answered = True
        cost_s = (message.cpu_s, message.wall_s)
        if isinstance(message, m.Failed):
            error = ErrorAnswer(message.error_type, message.message, message.traceback)
            self._gateway.answer(session, lease, error, cost_s)
            return True
        self._require_allowed(message, granted)
        granted.digest, granted.size_bytes = message.digest, message.size_bytes
        if len(message.value):
            value = checked_value(message.value, message.digest, unsafe=granted.unsafe_results)
            if value is None or value.size_bytes != message.size_bytes:
                session.forget(lease)
                self._gateway.strike(session.provider.id, ReceiptReason.VALUE_MISMATCH)
                self._gateway.decline(lease)
                return True
            self._gateway.keep_value(lease, value)
        answer = ValueAnswer(message.digest, message.size_bytes)
        self._gateway.answer(session, lease, answer, cost_s)
        return True

    def _is_anothers(self, lease: LeaseId) -> bool:
        holder = self._gateway.holder_of(lease)
        return holder is not None and holder.provider.id != self._session.provider.id

    def _require_allowed(self, message: m.Committed, granted: Granted) -> None:
        """Refuse a result of more bytes than allowed, before any of them is read."""
        if message.size_bytes > granted.result_bytes_max:
            raise WireError(
                "value-size",
                f"result of {message.size_bytes} bytes; the lease allows "
                f"{granted.result_bytes_max} at most",
            )
        if len(message.value) > self._gateway.rule.inline_bytes_max:
            raise WireError(
                "inline-size",
                f"{len(message.value)} bytes along with a commitment; at most "
                f"{self._gateway.rule.inline_bytes_max} are taken",
            )

    def _on_declined(self, lease: LeaseId) -> bool:
        granted = self._session.leases.get(lease)
        if granted is None:
            return False
        if granted.digest is not None:
            # It has answered: what it can still take back is the promise of the bytes.
            return self._on_value_gone(lease)
        self._session.forget(lease)
        self._gateway.decline(lease)
        return True

    def _on_value_gone(self, lease: LeaseId) -> bool:
        session = self._session
        granted = session.leases.get(lease)
        if granted is None or not granted.fetching:
            return False
        session.forget(lease)
        self._gateway.value_failed(lease, mismatch=False)
        return True

    def _on_part(self, part: m.ValuePart) -> None:
        session = self._session
        try:
            data = session.assembler.feed(part)
        except WireError as error:
            if error.code != "digest-mismatch":
                raise
            self._fail_arriving(part.digest)
            return
        self._gateway.fetching.go_on()
        session.progress(part.digest, self._gateway.now_s())
        if data is not None:
            self._spawn(self._take_value(part.digest, data))

    async def _take_value(self, digest: Digest, data: bytearray) -> None:
        """Accept a fetched value once it is known to decode: a client would choke on it later."""
        session = self._session
        waiting = [session.leases[lease] for lease in session.arriving.get(digest, ())]
        unsafe = bool(waiting) and all(granted.unsafe_results for granted in waiting)
        value = await asyncio.to_thread(decodable, data, unsafe=unsafe)
        if value is None:
            self._fail_arriving(digest)
            return
        for lease in tuple(session.arriving.get(digest, ())):
            matches = await self._gateway.comparing.matches(lease, value)
            if lease not in session.arriving.get(digest, ()):
                continue  # it ended meanwhile
            session.arriving[digest].remove(lease)
            session.leases[lease].fetching = False
            if matches:
                self._gateway.value_arrived(lease, value)
            else:
                self._gateway.value_failed(lease, mismatch=True)
        if not session.arriving.get(digest):
            session.arriving.pop(digest, None)

    def _fail_arriving(self, digest: Digest) -> None:
        leases: list[LeaseId] = self._session.arriving.pop(digest, [])
        for lease in leases:
            self._gateway.value_failed(lease, mismatch=True)
