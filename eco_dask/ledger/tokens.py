"""Tokens by which screens and programs ask the coordinator's HTTP API, and what each may see.

::

    new(scope) ──"eco_ID.SECRET"──► Authorization: Bearer ... ──scope_of──► Scope | None

Only a hash of the secret is kept, so a token cannot be shown again.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from blake3 import blake3
from sqlalchemy import Engine, insert, select, update

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.accounts import owner_account, recruiter_account
from eco_dask.ledger.database import writing
from eco_dask.ledger.tables import tokens
from eco_dask.text import clean
from eco_dask.types import OwnerId

ScopeKind = Literal["public", "owner", "recruiter", "operator"]

_SHAPE: Final = re.compile(r"eco_([a-z0-9]{4,32})\.([A-Za-z0-9_-]{16,128})", re.ASCII)
_LABEL: Final = b"eco_dask token\x00"
_NOTE_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see: the public summary, an owner's own, a recruiter's jobs, or all.

    A recruiter without a name sees the jobs of all recruiters.
    """

    kind: ScopeKind
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read ``operator``, ``recruiter``, ``recruiter:NAME`` or ``owner:NAME``.

        Raises
        ------
        ConfigurationError
            It is none of these.
        """
        kind, colon, name = text.partition(":")
        try:
            if kind == "owner" and colon:
                owner_account(OwnerId(name))
                return cls("owner", name)
            if kind == "recruiter":
                if colon:
                    recruiter_account(name)
                return cls("recruiter", name if colon else None)
        except ValueError as error:
            raise ConfigurationError(f"a token's scope: {error}") from error
        if text == "operator":
            return cls("operator")
        raise ConfigurationError(
            "a token's scope is operator, recruiter, recruiter:NAME or owner:NAME; got "
            f"{clean(text, 80)!r}"
        )

    def __str__(self) -> str:
        return self.kind if self.name is None else f"{self.kind}:{self.name}"


PUBLIC: Final = Scope("public")


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the operator sees it: without its secret."""

    id: str
    scope: str
    note: str
    #: Unix times in seconds; None for never.
    created_at_s: float
    expires_at_s: float | None
    revoked_at_s: float | None

    def is_valid(self, at_s: float) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at_s is None and (self.expires_at_s is None or at_s < self.expires_at_s)


class TokenStore:
    """The tokens of a coordinator.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`~eco_dask.ledger.database.open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def new(
        self, scope: Scope, at_s: float, expires_at_s: float | None = None, note: str = ""
    ) -> str:
        """Make a token; it is returned once and cannot be shown again.

        Raises
        ------
        ConfigurationError
            It would be of no use: its end is not after now, or its scope needs none.
        """
        if scope.kind == "public":
            raise ConfigurationError("what is public needs no token")
        if expires_at_s is not None and expires_at_s <= at_s:
            raise ConfigurationError(
                f"a token's end is after now, {at_s:.0f}; got {expires_at_s:.0f}"
            )
        identity, secret = secrets.token_hex(6), secrets.token_urlsafe(24)
        text = f"eco_{identity}.{secret}"
        with writing(self._engine) as connection:
            connection.execute(
                insert(tokens).values(
                    id=identity,
                    secret_hash=_hash(text),
                    scope=str(scope),
                    note=clean(note, _NOTE_CHARS_MAX),
                    created_at_s=at_s,
                    expires_at_s=expires_at_s,
                )
            )
        return text

    def scope_of(self, text: str, at_s: float) -> Scope | None:
        """Return what a token opens; None if it is unknown, wrong, expired or revoked."""
        match = _SHAPE.fullmatch(text)
        if match is None:
            return None
        query = select(tokens).where(tokens.c.id == match[1])
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not hmac.compare_digest(row.secret_hash, _hash(text)):
            return None
        if row.revoked_at_s is not None:
            return None
        if row.expires_at_s is not None and at_s >= row.expires_at_s:
            return None
        return Scope.parse(row.scope)

    def list(self) -> Sequence[Token]:
        """Return all tokens, the latest first."""
        c = tokens.c
        query = select(
            c.id, c.scope, c.note, c.created_at_s, c.expires_at_s, c.revoked_at_s
        ).order_by(c.created_at_s.desc(), c.id)
        with self._engine.connect() as connection:
            return [Token(*row) for row in connection.execute(query)]

    def revoke(self, identity: str, at_s: float) -> None:
        """End a token; doing it again changes nothing.

        Raises
        ------
        ConfigurationError
            There is none of that id.
        """
        known = {token.id for token in self.list()}
        if identity not in known:
            raise ConfigurationError(
                f"there is no token {clean(identity, 40)!r}; `eco-dask token list` shows all"
            )
        with writing(self._engine) as connection:
            connection.execute(
                update(tokens)
                .where(tokens.c.id == identity, tokens.c.revoked_at_s.is_(None))
                .values(revoked_at_s=at_s)
            )


def _hash(text: str) -> bytes:
    # The secret is 192 random bits, so it needs neither salt nor a slow hash.
    return blake3(_LABEL + text.encode()).digest()
