"""What a recruiter asks for, as it travels with each task in Dask's annotations.

eco_dask.job(...) ──to_annotation──► ts.annotations["eco"] ──from_annotation──► gateway
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypedDict, get_args

from eco_dask.energy.preference import Prefer
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.accounts import recruiter_account
from eco_dask.types import Account, JobId
from eco_dask.verification.rules import FLOW_ERROR_MAX, Compare, credibility_rule

#: Name of the annotation that carries a job.
ANNOTATION = "eco"
#: ... and of the one that the scheduler plugin puts on tasks whose results a client asked for.
WANTED = "eco-wanted"
#: ... and of the one that it puts on every task: who sent it, as Dask knows the client.
RECRUITER = "eco-recruiter"

PREFERENCES: tuple[Prefer, ...] = get_args(Prefer)
COMPARISONS: tuple[Compare, ...] = ("auto", "exact", "close")
#: Fields that travel even at their default.
_ALWAYS_SENT = frozenset({"id", "name", "recruiter", "require", "classes"})


class RareTerms(TypedDict, total=False):
    """Terms of :func:`eco_dask.job` that few jobs need."""

    #: Another name of ``quorum``.
    owners_min: int | None
    #: Most that one task's result may have, in bytes. A larger one is refused before it is read,
    #: and the task fails. Default: ``eco-dask.gateway.value-bytes-max``.
    result_bytes_max: int | None
    #: DANGEROUS. Also take results that have no safe encoding, as pickles that two distinct owners
    #: or more agreed on byte for byte. They arrive as :class:`~eco_dask.values.PickledResult`;
    #: whoever calls its ``load()`` runs what those owners' machines put into it. Two owners who
    #: conspire, or one person behind two, can then do in your notebook whatever you can. Prefer
    #: ``eco_dask.values.register``. The operator may refuse such jobs.
    unsafe_results: bool
    #: Which providers are drawn more often: those that need less energy for the work ("energy"),
    #: cause less CO2e ("carbon"), or are faster ("speed"). It is a weight and no rank, so that
    #: nobody can be sure to meet a task. "price": points per unit of work are the same at every
    #: provider now, so it changes nothing.
    prefer: Prefer | None
    #: When results are needed, in seconds from now or such as "6 h": until then the job may wait
    #: for hours in which energy costs less, as the operator's eco-dask.energy.hourly says. Entering
    #: the block then takes as long.
    deadline: float | str | None
    #: How long the job is expected to run, likewise; default: a quarter of the time that is left.
    lasts: float | str | None


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
    #: Accepted probability of a wrong result, instead of a quorum.
    error: float | None = None
    #: ... of a wrong result that further tasks of the job already use.
    flow_error: float | None = None
    #: Which answers are the same, or None for the network's default.
    compare: Compare | None = None
    #: Most that the job may spend.
    budget_mpt: int | None = None
    #: Most that one result may have, or None for what the network takes.
    result_bytes_max: int | None = None
    #: Whether results without safe encoding may come as pickles.
    unsafe_results: bool = False
    #: Tags that a provider must have.
    require: tuple[str, ...] = ()
    #: Which providers to draw more often.
    prefer: Prefer | None = None
    #: Only the operator's own workers may run it.
    trusted: bool = False
    #: References to the classes whose values may travel, ``module:qualname``.
    classes: tuple[str, ...] = ()
    #: Checks of the recruiter's own: name of the task's function, and the pickled checker.
    checks: tuple[tuple[str, bytes], ...] = ()

    def __post_init__(self) -> None:
        if self.quorum is not None and self.error is not None:
            raise ConfigurationError("give a job either quorum= or error=, not both")
        if self.quorum is not None and self.quorum < 1:
            raise ConfigurationError(f"a quorum is at least 1; got {self.quorum}")
        if self.compare is not None and self.compare not in COMPARISONS:
            raise ConfigurationError(
                f"compare= is one of {', '.join(COMPARISONS)}; got {self.compare!r}"
            )
        _require_error(self.error, self.flow_error)
        if self.prefer is not None and self.prefer not in PREFERENCES:
            raise ConfigurationError(
                f"prefer= is one of {', '.join(PREFERENCES)}; got {self.prefer!r}"
            )
        if self.unsafe_results:
            self._require_agreement()
        if self.result_bytes_max is not None and self.result_bytes_max < 1:
            raise ConfigurationError(
                f"result_bytes_max= is a number of bytes, at least 1; got {self.result_bytes_max}"
            )
        if self.budget_mpt is not None and self.budget_mpt <= 0:
            raise ConfigurationError(
                f"a budget is more than 0 points; got {self.budget_mpt / 1000:g}"
            )

    def _require_agreement(self) -> None:
        """Refuse pickles that a single owner could make."""
        if self.error is not None or (self.quorum is not None and self.quorum < 2):  # noqa: PLR2004
            raise ConfigurationError(
                "unsafe_results=True takes pickles, on which two distinct owners or more must "
                "agree: give quorum= of 2 or more, and no error="
            )
        if self.compare not in (None, "exact"):
            raise ConfigurationError("unsafe_results=True compares bytes: leave compare= out")

    @property
    def payer(self) -> Account:
        """The account that pays."""
        return recruiter_account(self.recruiter)

    def to_annotation(self) -> dict[str, Any]:
        """Return it as plain values, those left at their default omitted."""
        defaults = {
            field.name: field.default for field in fields(self) if field.name not in _ALWAYS_SENT
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
        given = dict(annotation)
        given["require"] = tuple(given.get("require") or ())
        given["classes"] = tuple(given.get("classes") or ())
        given["checks"] = tuple((name, checker) for name, checker in given.get("checks") or ())
        try:
            return cls(**given)
        except TypeError as error:
            raise ConfigurationError(
                f"the annotation {ANNOTATION!r} is set by eco_dask.job() of this version: {error}"
            ) from error


def _require_error(error: float | None, flow_error: float | None) -> None:
    """Refuse what is no accepted error before any task is sent."""
    if error is None:
        if flow_error is not None:
            raise ConfigurationError(
                f"flow_error= goes with error=, which it relaxes; got {flow_error} alone"
            )
        return
    if not 0 < error <= FLOW_ERROR_MAX:
        raise ConfigurationError(
            f"error= is a probability between 0 and {FLOW_ERROR_MAX}, such as 1e-4; got {error}"
        )
    try:
        credibility_rule(error, flow_error)
    except ValueError as wrong:
        raise ConfigurationError(
            f"flow_error= lies between error= and {FLOW_ERROR_MAX}; got {flow_error} with "
            f"error={error}"
        ) from wrong
