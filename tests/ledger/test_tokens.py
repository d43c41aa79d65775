"""Tokens of the HTTP API: what opens what, until when; secrets are not kept."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tables import tokens
from eco_dask.ledger.tokens import PUBLIC, Scope, TokenStore


@pytest.fixture
def store(url: str):
    engine = open_database(url)
    yield TokenStore(engine)
    engine.dispose()


SCOPES = {
    "operator": Scope("operator"),
    "recruiter": Scope("recruiter"),
    "recruiter:eve": Scope("recruiter", "eve"),
    "owner:ada": Scope("owner", "ada"),
}


@pytest.mark.parametrize("text", SCOPES)
def test_a_token_opens_its_scope_and_says_so(text: str, store: TokenStore) -> None:
    assert Scope.parse(text) == SCOPES[text]
    assert str(SCOPES[text]) == text
    made = store.new(Scope.parse(text), 100.0, 200.0)
    assert store.scope_of(made, 150.0) == SCOPES[text]


@pytest.mark.parametrize(
    "text", ["", "root", "owner", "owner:", "owner:a:b", "operator:x", "recruiter:", "owner:\x07"]
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="scope"):
        Scope.parse(text)


def test_wrong_expired_and_revoked_tokens_open_nothing(store: TokenStore) -> None:
    made = store.new(Scope("operator"), 100.0, 200.0, note="mine")
    other = store.new(Scope("recruiter"), 100.0)
    (token,) = [t for t in store.list() if t.note == "mine"]
    wrong = [
        "", "eco_", made[4:], f"{made}x", made[:-1], made.upper(), f" {made}", "Bearer " + made,
        f"{made.split('.')[0]}.{other.split('.')[1]}", "eco_deadbeef.AAAAAAAAAAAAAAAAAAAAAAAA",
    ]  # fmt: skip
    assert [store.scope_of(text, 150.0) for text in wrong] == [None] * len(wrong)
    assert store.scope_of(made, 199.9) == Scope("operator")
    assert store.scope_of(made, 200.0) is None
    assert store.scope_of(other, 1e12) == Scope("recruiter")
    store.revoke(token.id, 160.0)
    store.revoke(token.id, 170.0)
    assert store.scope_of(made, 165.0) is None
    (token,) = [t for t in store.list() if t.note == "mine"]
    assert token.revoked_at_s == 160.0
    assert not token.is_valid(150.0)


def test_no_secret_is_in_the_database(store: TokenStore) -> None:
    made = store.new(Scope("operator"), 100.0, note="a\x1bnote")
    with store._engine.connect() as connection:
        dumped = str(connection.execute(select(tokens)).all())
    assert made.split(".")[1] not in dumped
    assert made not in str(store.list())
    assert store.list()[0].note == "a?note"


def test_useless_tokens_are_not_made(store: TokenStore) -> None:
    with pytest.raises(ConfigurationError, match="after now"):
        store.new(Scope("operator"), 100.0, 100.0)
    with pytest.raises(ConfigurationError, match="public"):
        store.new(PUBLIC, 100.0)
    with pytest.raises(ConfigurationError, match="no token 'nobody'"):
        store.revoke("nobody", 1.0)
    assert store.list() == []
