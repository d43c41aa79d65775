"""Account names: readable, and never taken for one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.ledger.accounts import NAME_LENGTH_MAX, owner_account, recruiter_account
from eco_dask.types import OwnerId


def test_the_kind_stands_before_the_name() -> None:
    assert owner_account(OwnerId("ada")) == "owner:ada"
    assert recruiter_account("ada@example.org") == "recruiter:ada@example.org"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "recruiter:ada",
        ":",
        " ada",
        "ada\t",
        "a\nda",
        "a\x00da",
        "a\u202eda",
        "\ud800",
        "e\u0301milie",
        "\uff41da",
        "a" * (NAME_LENGTH_MAX + 1),
    ],
)
def test_a_name_that_could_pass_for_another_is_refused(name: str) -> None:
    for account in (owner_account, recruiter_account):
        with pytest.raises(ValueError, match="cannot name the account of"):
            account(OwnerId(name))


@given(st.text(max_size=10), st.text(max_size=10))
def test_accounts_of_different_kinds_never_collide(owner: str, recruiter: str) -> None:
    try:
        accounts = owner_account(OwnerId(owner)), recruiter_account(recruiter)
    except ValueError:
        return
    assert accounts[0] != accounts[1]
    assert [account.count(":") for account in accounts] == [1, 1]
