"""Who recruits here: one-time links, the certificates they were turned into, and revocations.

invite(name) ──ID.SECRET──► redeem ──► certificate issued ──record──► revoke ──► revoked()
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from sqlalchemy import (
    Engine,
    insert,
    select,
    update,
)

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.ledger.database import writing
from eco_dask.ledger.member_tables import recruiter_certificates, recruiter_links
from eco_dask.providers.invite import Invite
from eco_dask.recruiters.authority import Issued, check_recruiter
from eco_dask.text import clean

_REASON_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Grant:
    """What a recruiter's link gives."""

    recruiter: str
    scheduler: str
    #: How long the certificate is valid.
    days: float


@dataclass(frozen=True, slots=True)
class RecruiterCertificate:
    """One certificate that was issued."""

    serial: str
    recruiter: str
    #: Seconds since 1970.
    issued_at_s: float
    expires_at_s: float
    revoked_at_s: float | None
    revoked_reason: str


class Roll:
    """Recruiters in the coordinator's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def invite(self, grant: Grant, at_s: float, expires_at_s: float) -> str:
        """Make a link's one-time word, "ID.SECRET"; only the hash of the secret is kept.

        Raises
        ------
        ConfigurationError
            The name is none.
        """
        check_recruiter(grant.recruiter)
        invite = Invite.draw()
        with writing(self._engine) as connection:
            connection.execute(
                insert(recruiter_links).values(
                    id=invite.id,
                    secret_hash=invite.secret_hash(),
                    recruiter=grant.recruiter,
                    scheduler=grant.scheduler,
                    days=grant.days,
                    created_at_s=at_s,
                    expires_at_s=expires_at_s,
                )
            )
        return str(invite)

    def redeem(self, word: str, at_s: float) -> Grant:
        """Use up a link; it is worth nothing afterwards.

        Parameters
        ----------
        word : str
            "ID.SECRET" as it was sent, hostile input.

        Raises
        ------
        RegistrationError
            With code ``"invite-unknown"``, ``"invite-wrong-secret"``, ``"invite-expired"`` or
            ``"invite-spent"``. Nothing has changed.
        """
        offered = Invite.parse(word)
        with self._engine.connect() as connection:
            query = select(recruiter_links).where(recruiter_links.c.id == offered.id)
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise RegistrationError("invite-unknown", f"no link {offered.id} is known here")
        if not hmac.compare_digest(bytes(row["secret_hash"]), offered.secret_hash()):
            raise RegistrationError("invite-wrong-secret", "the link's secret is wrong")
        if at_s >= row["expires_at_s"]:
            raise RegistrationError("invite-expired", "the link has expired: ask for a new one")
        with writing(self._engine) as connection:
            # Test and set in one statement: of two that come at once, one finds it spent.
            taken = connection.execute(
                update(recruiter_links)
                .where(recruiter_links.c.id == offered.id, recruiter_links.c.used_at_s.is_(None))
                .values(used_at_s=at_s)
            )
            if taken.rowcount != 1:
                raise RegistrationError(
                    "invite-spent",
                    "the link was used already: if not by you, have the operator revoke "
                    f"{row['recruiter']}; ask for a new one",
                )
        return Grant(row["recruiter"], row["scheduler"], row["days"])

    def record(self, recruiter: str, issued: Issued, at_s: float) -> None:
        """Note a certificate that was issued."""
        with writing(self._engine) as connection:
            connection.execute(
                insert(recruiter_certificates).values(
                    serial=issued.serial,
                    recruiter=recruiter,
                    issued_at_s=at_s,
                    expires_at_s=issued.expires_at_s,
                )
            )

    def certificates(self) -> tuple[RecruiterCertificate, ...]:
        """Return all certificates, the latest first."""
        c = recruiter_certificates.c
        columns = (
            c.serial, c.recruiter, c.issued_at_s, c.expires_at_s, c.revoked_at_s, c.revoked_reason,
        )  # fmt: skip
        query = select(*columns).order_by(c.issued_at_s.desc(), c.serial)
        with self._engine.connect() as connection:
            return tuple(RecruiterCertificate(*row) for row in connection.execute(query))

    def revoke(self, recruiter: str, reason: str, at_s: float) -> int:
        """Revoke all certificates and unused links of a recruiter; return how many there were.

        Raises
        ------
        ConfigurationError
            Nobody of that name recruits here.
        """
        c, links = recruiter_certificates.c, recruiter_links.c
        with writing(self._engine) as connection:
            certificates = connection.execute(
                update(recruiter_certificates)
                .where(c.recruiter == recruiter, c.revoked_at_s.is_(None))
                .values(revoked_at_s=at_s, revoked_reason=clean(reason, _REASON_CHARS_MAX))
            ).rowcount
            unused = connection.execute(
                update(recruiter_links)
                .where(links.recruiter == recruiter, links.used_at_s.is_(None))
                .values(used_at_s=at_s)
            ).rowcount
        if certificates + unused == 0:
            raise ConfigurationError(
                f"{clean(recruiter, 80)!r} holds no certificate and no link here; see "
                "eco-dask recruiters"
            )
        return certificates + unused

    def revoked(self) -> frozenset[str]:
        """Return the serial numbers of all revoked certificates."""
        query = select(recruiter_certificates.c.serial).where(
            recruiter_certificates.c.revoked_at_s.is_not(None)
        )
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(query))
