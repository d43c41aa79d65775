"""Names of accounts: the kind, a colon, and a name that cannot pass for another kind.

owner "ada" -> owner:ada         recruiter "ada" -> recruiter:ada
"""

from __future__ import annotations

import unicodedata
from typing import Final

from eco_dask.types import Account, OwnerId

NAME_LENGTH_MAX: Final = 128


def owner_account(owner: OwnerId) -> Account:
    """Give the account in which an owner of providers earns points.

    Raises
    ------
    ValueError
        The name is empty, too long, or holds characters that could pass for another name.
    """
    return _account("owner", owner)


def recruiter_account(name: str) -> Account:
    """Give the account from which a recruiter pays points.

    Raises
    ------
    ValueError
        The name is empty, too long, or holds characters that could pass for another name.
    """
    return _account("recruiter", name)


def _account(kind: str, name: str) -> Account:
    fault = _fault(name)
    if fault is not None:
        raise ValueError(f"{name!r} cannot name the account of a {kind}: {fault}")
    return Account(f"{kind}:{name}")


def _fault(name: str) -> str | None:
    """Say why a name is refused; two accepted names that look alike are the same name."""
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        return f"it has {len(name)} characters; use 1 to {NAME_LENGTH_MAX}"
    if ":" in name:
        return "a colon separates the kind from the name; leave it out"
    if not name.isprintable() or name != name.strip():
        return "use printable characters only, and no space at the ends"
    if name != unicodedata.normalize("NFKC", name):
        return f"write it in its normal form, {unicodedata.normalize('NFKC', name)!r}"
    return None
