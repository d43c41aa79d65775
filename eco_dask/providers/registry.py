"""Who may provide: invites, the providers enrolled with them, their strikes and revocations.

::

    invite(owner) --ID.SECRET--> admit(public key) --> ProviderRecord --strike, revoke-->
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from eco_dask.errors import RegistrationError
from eco_dask.ledger.database import writing
from eco_dask.ledger.member_tables import (
    invites,
    owners,
    providers,
    strikes,
)
from eco_dask.providers.admission import judge_invite, spend_invite
from eco_dask.providers.capability import Capability
from eco_dask.providers.identity import provider_id_of
from eco_dask.providers.incidents import IncidentLog
from eco_dask.providers.invite import Invite
from eco_dask.providers.records import ProviderRecord, Role, Strike, check_owner
from eco_dask.providers.succession import refuse_retired, rotate_key
from eco_dask.text import clean
from eco_dask.types import OwnerId, ProviderId

_REASON_CHARS_MAX = 500
_STRIKES_OF_EACH = (
    select(func.count())
    .where(strikes.c.provider == providers.c.id)
    .correlate(providers)
    .scalar_subquery()
)


class Registry:
    """Owners, invites and providers in a database shared by all gateways.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`eco_dask.ledger.database.open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: The database that it is kept in.
        self.database = engine
        #: What strangers tried.
        self.incidents = IncidentLog(engine)

    def invite(
        self,
        owner: str,
        *,
        role: Role = "provider",
        uses_max: int = 1,
        expires_at_s: float | None = None,
        at_s: float,
    ) -> str:
        """Make an invite for machines of ``owner``, who is created when new.

        Parameters
        ----------
        owner : str
            1 to 64 letters, digits or ``. _ @ -``.
        role : {"provider", "trusted"}
            What the enrolled providers will be.
        uses_max : int
            How many machines may join with it.
        expires_at_s, at_s : float
            End of validity, None for never, and now, in seconds since 1970.

        Returns
        -------
        str
            "ID.SECRET". Only the hash of the secret is kept, so it cannot be shown again.

        Raises
        ------
        RegistrationError
            Code ``"bad-owner"``: the name has another form.
        ValueError
            The role is unknown, or nobody could ever use the invite.
        """
        name = check_owner(owner)
        if role not in {"provider", "trusted"}:
            raise ValueError(f"role must be 'provider' or 'trusted'; got {role!r}")
        if uses_max < 1 or (expires_at_s is not None and expires_at_s <= at_s):
            raise ValueError(
                f"an invite needs uses_max >= 1 and an end after now, {at_s}; got {uses_max} and "
                f"{expires_at_s}"
            )
        invite = Invite.draw()
        with writing(self._engine) as connection:
            if connection.scalar(select(owners.c.name).where(owners.c.name == name)) is None:
                connection.execute(insert(owners).values(name=name, created_at_s=at_s))
            connection.execute(
                insert(invites).values(
                    id=invite.id,
                    secret_hash=invite.secret_hash(),
                    owner=name,
                    role=role,
                    uses_max=uses_max,
                    created_at_s=at_s,
                    expires_at_s=expires_at_s,
                )
            )
        return str(invite)

    def admit(self, public_key: bytes, invite: str, at_s: float) -> ProviderRecord:
        """Let in the provider that proved to hold ``public_key``; enrol it with its first invite.

        A provider already enrolled needs no invite, and spends none.

        Parameters
        ----------
        public_key : bytes
            32 bytes, whose possession the caller has verified.
        invite : str
            "ID.SECRET" as the provider sent it, hostile input.
        at_s : float
            Now, in seconds since 1970.

        Raises
        ------
        RegistrationError
            With code ``"revoked"``, ``"key-retired"``, ``"invite-unknown"``,
            ``"invite-wrong-secret"``, ``"invite-expired"`` or ``"invite-spent"``. Nothing has
            changed.
        """
        provider = provider_id_of(public_key)
        record = self.known(public_key)
        if record is None:
            refuse_retired(self._engine, public_key)
            try:
                self._enrol(public_key, Invite.parse(invite), at_s)
            except (IntegrityError, RegistrationError):
                # Unless the same machine was enrolled over another connection meanwhile.
                if self.known(public_key) is None:
                    raise
            record = self.provider(provider)
        if record.revoked:
            raise RegistrationError(
                "revoked",
                f"provider {provider} was revoked ({record.revoked_reason}): ask the operator",
            )
        return record

    def known(self, public_key: bytes) -> ProviderRecord | None:
        """Return the provider with this key, revoked or not, or None if it is not enrolled."""
        found = self._records(providers.c.public_key == public_key)
        return found[0] if found else None

    def provider(self, provider: ProviderId) -> ProviderRecord:
        """Return one provider.

        Raises
        ------
        RegistrationError
            Code ``"provider-unknown"``.
        """
        found = self._records(providers.c.id == provider)
        if not found:
            raise _unknown(provider)
        return found[0]

    def providers(self, owner: str | None = None) -> tuple[ProviderRecord, ...]:
        """Return all providers, or those of one owner, in the order of their enrolment."""
        return self._records() if owner is None else self._records(providers.c.owner == owner)

    def owners(self) -> tuple[OwnerId, ...]:
        """Return the names of all owners, sorted."""
        with self._engine.connect() as connection:
            return tuple(sorted(map(OwnerId, connection.scalars(select(owners.c.name)))))

    def record_visit(
        self,
        provider: ProviderId,
        capability_map: Mapping[str, object],
        score: float | None,
        at_s: float,
    ) -> None:
        """Keep what a provider said about its machine; a score of None keeps the older one.

        Raises
        ------
        RegistrationError
            Code ``"bad-capability"`` or ``"provider-unknown"``; nothing has changed.
        """
        changes: dict[str, Any] = {
            "capability": Capability.from_map(capability_map).to_map(),
            "seen_at_s": at_s,
        }
        if score is not None:
            changes["score"] = score
        self._change(provider, changes)

    def revoke(self, provider: ProviderId, reason: str, at_s: float) -> None:
        """Shut a provider out for good; the first reason stays.

        Raises
        ------
        RegistrationError
            Code ``"provider-unknown"``.
        """
        if self.provider(provider).revoked:
            return
        self._change(
            provider,
            {
                "revoked": True,
                "revoked_reason": clean(reason, _REASON_CHARS_MAX),
                "revoked_at_s": at_s,
            },
        )

    def revoked_among(self, ids: Collection[ProviderId]) -> tuple[ProviderId, ...]:
        """Return those of some providers that are shut out."""
        if not ids:
            return ()
        query = select(providers.c.id).where(providers.c.revoked)
        with self._engine.connect() as connection:
            revoked = set(connection.scalars(query))
        return tuple(provider for provider in ids if provider in revoked)

    def rotate_key(self, provider: ProviderId, new_key: bytes, at_s: float) -> None:
        """Let a provider be known by another key from now on, and refuse the old one.

        Raises
        ------
        RegistrationError
            Code ``"provider-unknown"`` or ``"key-taken"``.
        """
        rotate_key(self._engine, provider, new_key, at_s)

    def strike(self, provider: ProviderId, reason: str, at_s: float) -> int:
        """Note one thing that a provider did wrong; return how many it has now.

        Raises
        ------
        RegistrationError
            Code ``"provider-unknown"``.
        """
        self.provider(provider)
        row = {"provider": provider, "reason": clean(reason, _REASON_CHARS_MAX), "at_s": at_s}
        with writing(self._engine) as connection:
            connection.execute(insert(strikes).values(row))
        return self.provider(provider).strikes

    def strikes(self, provider: ProviderId) -> tuple[Strike, ...]:
        """Return a provider's strikes, oldest first."""
        query = (
            select(strikes.c.provider, strikes.c.reason, strikes.c.at_s)
            .where(strikes.c.provider == provider)
            .order_by(strikes.c.seq)
        )
        with self._engine.connect() as connection:
            return tuple(Strike(*row) for row in connection.execute(query))

    def _enrol(self, public_key: bytes, offered: Invite, at_s: float) -> None:
        with self._engine.connect() as connection:
            # Before taking the writers' turn, so that strangers cannot keep it busy.
            grant = judge_invite(connection, offered, at_s)
        with writing(self._engine) as connection:
            spend_invite(connection, grant)
            connection.execute(
                insert(providers).values(
                    id=provider_id_of(public_key),
                    public_key=public_key,
                    owner=grant.owner,
                    role=grant.role,
                    invite=grant.invite_id,
                    enrolled_at_s=at_s,
                )
            )

    def _change(self, provider: ProviderId, changes: dict[str, Any]) -> None:
        with writing(self._engine) as connection:
            done = connection.execute(
                update(providers).where(providers.c.id == provider).values(changes)
            )
            if done.rowcount != 1:
                raise _unknown(provider)

    def _records(self, *conditions: ColumnElement[bool]) -> tuple[ProviderRecord, ...]:
        p = providers.c
        query = (
            select(
                p.id, p.owner, p.role, p.public_key, p.enrolled_at_s, p.seen_at_s, p.revoked,
                p.revoked_reason, p.score, p.capability, _STRIKES_OF_EACH,
            )
            .where(*conditions)
            .order_by(p.enrolled_at_s, p.id)
        )  # fmt: skip
        with self._engine.connect() as connection:
            return tuple(ProviderRecord(*row) for row in connection.execute(query))


def _unknown(provider: ProviderId) -> RegistrationError:
    return RegistrationError("provider-unknown", f"no provider {clean(provider, 80)!r} is enrolled")
