"""What a recruiter reads when a task ends without a result.

engine's Failure ──failure_error──► TaskError with a message: what was asked, found, what to do
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from eco_dask.engine.actions import (
    CapabilityMissing,
    Disagreement,
    Failure,
    LostTooOften,
    NobodyEligible,
    OverBudget,
)
from eco_dask.errors import (
    BudgetExceededError,
    DisputedTaskError,
    NoEligibleProviderError,
    TaskError,
    remote_task_error,
)
from eco_dask.gateway.environments import missing_module_text
from eco_dask.text import clean
from eco_dask.types import LeaseId
from eco_dask.values import EncodedValue
from eco_dask.verification.attempt import Attempt, ErrorAnswer
from eco_dask.verification.difference import WAYS_OUT, describe_difference

#: Values larger than this are not compared for the sake of a message.
_SHOWN_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Lacking:
    """What providers lack that a task needs."""

    #: Who lacks which needed packages, as a sentence's part; empty if nobody does.
    packages: str = ""
    #: Providers by the module that they could not import when they ran the task.
    modules: Mapping[str, Iterable[str]] = field(default_factory=dict)


def failure_error(
    key: object,
    failure: Failure,
    values: Mapping[LeaseId, EncodedValue] | None = None,
    lacking: Lacking | None = None,
) -> TaskError:
    """Build the error that a task of that key fails with.

    Parameters
    ----------
    key : object
        The task's.
    failure : Failure
        Why it ended.
    values : mapping, optional
        Bytes of answers that are here; where answers contradict each other, the message says how.
    lacking : Lacking, optional
        What providers lack. A task that they lost for want of a module ends as it would have at
        home, with a ModuleNotFoundError that is a RemoteTaskError, too.
    """
    lacking = lacking or Lacking()
    if lacking.modules and isinstance(failure, LostTooOften | NobodyEligible):
        text = missing_module_text(key, lacking.modules)
        return remote_task_error("ModuleNotFoundError", text, "")
    who = f" Who lacks what: {lacking.packages}." if lacking.packages else ""
    match failure:
        case Disagreement():
            return DisputedTaskError(
                f"task {key!r}: {len(failure.attempts)} answers contradict each other "
                f"({_votes(failure.attempts)}) and no trusted worker is connected to decide. "
                "Start one (eco-dask-scheduler --trusted-workers 1) or allow more attempts "
                "(eco-dask.quorum.attempts-max)." + _how_they_differ(failure.attempts, values)
            )
        case NobodyEligible():
            return NoEligibleProviderError(
                _nobody(key, failure) + _how_they_differ(failure.attempts, values) + who
            )
        case CapabilityMissing():
            missing = ", ".join(sorted(failure.missing)) or "all of them together"
            return NoEligibleProviderError(
                f"task {key!r} needs a provider with {', '.join(sorted(failure.require))}; "
                f"nobody connected has {missing}. See `eco-dask providers` for what there is." + who
            )
        case OverBudget():
            return BudgetExceededError(
                f"task {key!r}: another attempt costs about {failure.price_mpt / 1000:g} points, "
                f"but of the job's budget of {failure.budget_mpt / 1000:g} points "
                f"{failure.committed_mpt / 1000:g} are spent or held. Finished results are kept; "
                "raise budget= and compute again."
            )
        case LostTooOften():
            return NoEligibleProviderError(
                f"task {key!r} was lost by providers {failure.losses} times: they left, gave it "
                "back, or it killed their runner. Look for memory use and os._exit in its code; "
                "`eco-dask receipts` shows each reason."
            )
        case _:
            assert_never(failure)


def _nobody(key: object, failure: NobodyEligible) -> str:
    asked = "trusted worker" if failure.trusted_only else "provider of a new owner"
    return (
        f"task {key!r}: no {asked} could be asked for {failure.waited_s:.0f} s. "
        f"{_needs(failure)}; {failure.owners_left} able owners are connected; "
        f"votes so far: {_votes(failure.attempts)}. "
    ) + (
        "It reads or writes storage, which only the operator's own workers may: start "
        "one (eco-dask-scheduler --trusted-workers 1)."
        if failure.trusted_only
        else "Invite more owners (eco-dask invite --owner NAME), or start a trusted "
        "worker (eco-dask-scheduler --trusted-workers 1)."
    )


def _needs(failure: NobodyEligible) -> str:
    if failure.owners_min > 1:
        return f"It needs {failure.owners_min} agreeing owners"
    if failure.attempts:
        return "What is known of who answered is not enough for the accepted error (job(error=))"
    return "It needs one owner's answer"


def claimed_error(answer: ErrorAnswer) -> Exception:
    """Build the error that providers agree that a task raised; its text is theirs."""
    return remote_task_error(
        clean(answer.error_type, 200), clean(answer.message, 4000), clean(answer.traceback, 20000)
    )


def _how_they_differ(
    attempts: Sequence[Attempt], values: Mapping[LeaseId, EncodedValue] | None
) -> str:
    """Help with a task that never gives the same answer twice; empty if that is not what it is."""
    if len({a.digest for a in attempts}) < min(len(attempts), 2) or len(attempts) < 2:  # noqa: PLR2004
        return ""
    here = [
        values[a.lease]
        for a in attempts
        if values and a.lease in values and values[a.lease].size_bytes <= _SHOWN_BYTES_MAX
    ]
    first = next(iter(here), None)
    other = next((v for v in here if first is not None and v.digest != first.digest), None)
    if first is None or other is None:
        return f" If no provider lies, the task gives another answer each time: {WAYS_OUT}."
    return f" Two answers: {describe_difference(first.decode(), other.decode())}."


def _votes(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "none"
    counts = Counter(
        f"error {a.answer.error_type}" if isinstance(a.answer, ErrorAnswer) else a.digest.hex()[:8]
        for a in attempts
    )
    return ", ".join(f"{count} x {answer}" for answer, count in counts.most_common())
