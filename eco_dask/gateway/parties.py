"""What providers are told of who recruits them: that two tasks are one recruiter's, and no more.

annotations ──► a name that means nothing outside of this life of this gateway
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from blake3 import blake3

from eco_dask.jobs import RECRUITER
from eco_dask.types import JobId

_NAME_CHARS = 16


class Parties:
    """Names of recruiters for providers, who keep their tasks in processes apart."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        # Bound to this object, whose life is the gateway's.
        self._name = lru_cache(1024)(self._hash)

    def of(self, annotations: Mapping[str, Any], job: JobId) -> str:
        """Return the name of a task's recruiter.

        Where no scheduler plugin says who sent it, each job counts as a recruiter of its own.
        """
        return self._name(
            f"recruiter {annotations[RECRUITER]}" if RECRUITER in annotations else f"job {job}"
        )

    def _hash(self, identity: str) -> str:
        return blake3(identity.encode(), key=self._key).hexdigest()[:_NAME_CHARS]
