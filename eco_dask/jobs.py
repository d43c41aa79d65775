"""What a recruiter asks for, as it travels with each task in Dask's annotations.

eco_dask.job(...) ──to_annotation──► ts.annotations["eco"] ──from_annotation──► gateway
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.accounts import recruiter_account
from eco_dask.types import Account, JobId
from eco_dask.verification.rules import FLOW_ERROR_MAX, Compare

#: Name of the annotation that carries a job.
ANNOTATION = "eco"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job: who pays, how much at most, how sure, and what providers need."""

    id: JobId
    #: What people read in lists.
    name: str
    #: Name of the account that pays.
    recruiter: str = "recruiter"
    #: Distinct owners that must agree, or None for the network's default.
    quorum: int | None = None
    #: Accepted probability of a wrong result per task, instead of a quorum.
    error: float | None = None
    #: Which answers are the same: those of equal bytes (``"exact"``), those equal but for rounding
    #: (``"close"``), or whichever fits the kind of task (``"auto"``).
    compare: Compare = "auto"
    #: Most that the job may spend.
    budget_mpt: int | None = None
    #: Tags that a provider must have.
    require: tuple[str, ...] = ()
    #: Only the operator's own workers may run it.
    trusted: bool = False
    #: References to the classes whose values may travel, ``module:qualname``.
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.quorum is not None and self.error is not None:
            raise ConfigurationError("give a job either quorum= or error=, not both")
        if self.compare not in get_args(Compare):
            raise ConfigurationError(
                f"compare= is one of {', '.join(get_args(Compare))}; got {self.compare!r}"
            )
        if self.quorum is not None and self.quorum < 1:
            raise ConfigurationError(f"a quorum is at least 1; got {self.quorum}")
        if self.error is not None and not 0 < self.error <= FLOW_ERROR_MAX:
            raise ConfigurationError(
                "error= is the probability of a wrong result that you accept, more than 0 and at "
                f"most {FLOW_ERROR_MAX}; got {self.error}"
            )
        if self.budget_mpt is not None and self.budget_mpt <= 0:
            raise ConfigurationError(
                f"a budget is more than 0 points; got {self.budget_mpt / 1000:g}"
            )

    @property
    def payer(self) -> Account:
        """The account that pays."""
        return recruiter_account(self.recruiter)

    def to_annotation(self) -> dict[str, Any]:
        """Return it as plain values, those left at their default omitted."""
        defaults = {
            "quorum": None,
            "error": None,
            "compare": "auto",
            "budget_mpt": None,
            "trusted": False,
        }
        plain = {k: v for k, v in asdict(self).items() if k not in defaults or v != defaults[k]}
        return plain | {"require": list(self.require), "classes": list(self.classes)}

    @classmethod
    def from_annotation(cls, annotation: object) -> JobSpec:
        """Read what :meth:`to_annotation` wrote.

        Raises
        ------
        ConfigurationError
            If it is of another form.
        """
        if not isinstance(annotation, Mapping):
            raise ConfigurationError(
                f"the annotation {ANNOTATION!r} is set by eco_dask.job(); got {annotation!r}"
            )
        fields = dict(annotation)
        fields["require"] = tuple(fields.get("require") or ())
        fields["classes"] = tuple(fields.get("classes") or ())
        try:
            return cls(**fields)
        except TypeError as error:
            raise ConfigurationError(
                f"the annotation {ANNOTATION!r} is set by eco_dask.job() of this version: {error}"
            ) from error
