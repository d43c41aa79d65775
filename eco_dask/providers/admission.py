"""Whether an invite still lets somebody in, and using it up.

::

    Invite --judge_invite--> Grant | RegistrationError      Grant --spend_invite--> one use fewer
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from eco_dask.errors import RegistrationError
from eco_dask.ledger.member_tables import invites
from eco_dask.providers.invite import Invite
from eco_dask.providers.records import Role
from eco_dask.types import OwnerId


@dataclass(frozen=True, slots=True)
class Grant:
    """What an invite gives to whoever joins with it."""

    invite_id: str
    owner: OwnerId
    role: Role


def judge_invite(connection: Connection, offered: Invite, at_s: float) -> Grant:
    """Return what ``offered`` gives at ``at_s``, seconds since 1970.

    Only the count of uses of an invite ever changes, and :func:`spend_invite` looks again.

    Raises
    ------
    RegistrationError
        With code ``"invite-unknown"``, ``"invite-wrong-secret"``, ``"invite-expired"`` or
        ``"invite-spent"``.
    """
    found = connection.execute(select(invites).where(invites.c.id == offered.id)).mappings()
    row = found.one_or_none()
    if row is None:
        raise RegistrationError(
            "invite-unknown",
            f"no invite {offered.id} is known here: check that the link is for this gateway",
        )
    if not hmac.compare_digest(bytes(row["secret_hash"]), offered.secret_hash()):
        raise RegistrationError(
            "invite-wrong-secret",
            f"the secret of invite {offered.id} is wrong: copy the whole join link again",
        )
    if row["expires_at_s"] is not None and at_s >= row["expires_at_s"]:
        raise RegistrationError(
            "invite-expired", f"invite {offered.id} has expired: ask the operator for a new one"
        )
    if row["uses"] >= row["uses_max"]:
        raise _spent(offered.id)
    return Grant(offered.id, OwnerId(row["owner"]), row["role"])


def spend_invite(connection: Connection, grant: Grant) -> None:
    """Use up one of the invite's uses within the caller's transaction.

    Raises
    ------
    RegistrationError
        Code ``"invite-spent"``: somebody else was faster.
    """
    # Test and increment in one statement: of two that come at once, one finds it spent.
    taken = connection.execute(
        update(invites)
        .where(invites.c.id == grant.invite_id, invites.c.uses < invites.c.uses_max)
        .values(uses=invites.c.uses + 1)
    )
    if taken.rowcount != 1:
        raise _spent(grant.invite_id)


def _spent(invite_id: str) -> RegistrationError:
    return RegistrationError(
        "invite-spent",
        f"invite {invite_id} was already used by as many machines as it allows: ask the operator "
        "for a new one",
    )
