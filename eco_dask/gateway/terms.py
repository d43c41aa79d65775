"""The terms of each job as its tasks carry them, read once and held against the operator's rules.

annotation ──of──► JobSpec, Rule, and what is allowed of its results
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eco_dask.config import unsafe_results_allowed, verification_rule
from eco_dask.errors import TaskRefusedError
from eco_dask.gateway.submission import NO_JOB
from eco_dask.jobs import JobSpec
from eco_dask.types import JobId
from eco_dask.verification.rules import QuorumRule, Rule

#: Of tasks that belong to no job.
DEFAULT_JOB = JobSpec(NO_JOB, "tasks outside of any job")
#: Distinct owners that must agree on a pickle.
_UNSAFE_OWNERS_MIN = 2
_KEPT = 256


class Terms:
    """Jobs and the rules that decide their ballots; the latest are remembered."""

    def __init__(self) -> None:
        self._known: dict[JobId, tuple[JobSpec, Rule]] = {}
        self._unsafe_allowed = unsafe_results_allowed()

    def of(self, annotation: Any) -> tuple[JobSpec, Rule]:
        """Return a job and its rule.

        Raises
        ------
        ConfigurationError
            The annotation is none of ours.
        TaskRefusedError
            The job asks for unsafe results, and the operator refuses them.
        """
        job_id = annotation.get("id") if isinstance(annotation, dict) else DEFAULT_JOB.id
        terms = self._known.get(job_id)  # type: ignore[arg-type]
        if terms is None:
            job = JobSpec.from_annotation(annotation) if annotation else DEFAULT_JOB
            terms = self._known[job.id] = (job, self._rule(job))
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
        return terms

    def _rule(self, job: JobSpec) -> Rule:
        if not job.unsafe_results:
            return verification_rule(
                quorum=job.quorum,
                error=job.error,
                flow_error=job.flow_error,
                compare=job.compare,
            )
        if not self._unsafe_allowed:
            raise TaskRefusedError(
                "this job asks for unsafe results, pickles from providers, and the operator of "
                "this network refuses them (eco-dask.verification.unsafe-results); return data "
                "that has a safe encoding, or register its class with eco_dask.values.register."
            )
        # Byte for byte, and never on one owner's word, whatever the network's default is.
        rule = verification_rule(quorum=job.quorum or _UNSAFE_OWNERS_MIN, compare="exact")
        if isinstance(rule, QuorumRule) and rule.owners_min < _UNSAFE_OWNERS_MIN:
            return replace(rule, owners_min=_UNSAFE_OWNERS_MIN)
        return rule
