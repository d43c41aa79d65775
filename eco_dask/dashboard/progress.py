"""What the scheduler sees of each job: tasks that came, that go on, that ended.

update_graph ──count──► JobProgress ◄──transition── Dask's task states
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eco_dask.dashboard.model import JobState
from eco_dask.jobs import ANNOTATION, JobSpec
from eco_dask.types import JobId

#: Jobs whose progress is remembered; older ones are still in the books.
JOBS_KEPT: Final = 1000
#: Task states in which something is still to come of a task.
_OPEN: Final = frozenset({"waiting", "no-worker", "queued", "processing"})


@dataclass(slots=True)
class JobProgress:
    """What the scheduler has seen of a job."""

    spec: JobSpec
    started_at_s: float
    tasks: int = 0
    done: int = 0
    erred: int = 0
    #: Of the last task that ended.
    ended_at_s: float | None = None
    #: Tasks of which something is still to come.
    open: int = 0
    cancelled: bool = False

    @property
    def state(self) -> JobState:
        """Whether it goes on, and if not, how it ended."""
        if self.cancelled:
            return "cancelled"
        if self.open > 0:
            return "running"
        if self.erred:
            return "failed"
        # What the client let go of before it was done is neither done nor failed.
        return "done" if self.done >= self.tasks else "cancelled"

    def left_s(self, at_s: float) -> float | None:
        """Estimate the time to its end by its pace so far; None where nothing tells."""
        left = self.tasks - self.done - self.erred
        if self.state != "running" or not self.done or left < 0:
            return None
        return left * (at_s - self.started_at_s) / self.done

    def record(self) -> dict[str, Any]:
        """Return what outlives the scheduler, as plain values."""
        spec = self.spec
        return {
            "name": spec.name,
            "recruiter": spec.recruiter,
            "state": self.state,
            "started_at_s": self.started_at_s,
            "ended_at_s": self.ended_at_s,
            "tasks": self.tasks,
            "done": self.done,
            "erred": self.erred,
            "budget_mpt": spec.budget_mpt,
            "error": spec.error,
            "quorum": spec.quorum,
        }


class Progress:
    """The progress of the latest jobs."""

    def __init__(self) -> None:
        self.jobs: dict[JobId, JobProgress] = {}
        #: Keys that finished, or failed, and that the scheduler still knows.
        self._finished: set[Any] = set()
        self._failed: set[Any] = set()
        self._changed: set[JobId] = set()

    def count(self, ts: Any, annotation: Mapping[str, Any], at_s: float) -> None:
        """Count a task to its job, unless it is known from an earlier graph."""
        progress = self.jobs.get(annotation["id"])
        if progress is None:
            spec = JobSpec.from_annotation(annotation)
            progress = self.jobs[spec.id] = JobProgress(spec, at_s)
            if len(self.jobs) > JOBS_KEPT:
                del self.jobs[next(iter(self.jobs))]
        progress.tasks += ts.state == "released" and ts.key not in self._finished
        # More work of a job that was cancelled is work again.
        progress.cancelled = False
        self._changed.add(progress.spec.id)

    def transition(self, ts: Any, key: Any, start: str, finish: str, at_s: float) -> None:
        """Follow a task; ``ts`` is None once the scheduler has forgotten it."""
        if finish == "forgotten":
            self._finished.discard(key)
            self._failed.discard(key)
        annotation = (ts.annotations or {}).get(ANNOTATION) if ts is not None else None
        progress = self.jobs.get(annotation["id"]) if annotation else None
        if progress is None:
            return
        progress.open += (finish in _OPEN) - (start in _OPEN)
        if finish in _OPEN and key in self._failed:
            # The client wants it tried again.
            self._failed.discard(key)
            progress.erred -= 1
        if start == "processing" and finish in ("memory", "erred"):
            progress.ended_at_s = at_s
            if finish == "memory":
                # What turned out wrong, or was lost, is computed again: one task all the same.
                progress.done += key not in self._finished
                self._finished.add(key)
            else:
                progress.erred += 1
                self._failed.add(key)
        if (finish in _OPEN) != (start in _OPEN):
            self._changed.add(progress.spec.id)

    def cancelled(self, job: JobId, at_s: float) -> None:
        """Somebody ended a job."""
        if (progress := self.jobs.get(job)) is not None:
            progress.cancelled, progress.ended_at_s = True, at_s
            self._changed.add(job)

    def running(self) -> list[JobId]:
        """Name the jobs that go on."""
        return [job for job, progress in self.jobs.items() if progress.state == "running"]

    def take_changed(self) -> dict[JobId, dict[str, Any]]:
        """Return the records of jobs that changed since the last call."""
        changed, self._changed = self._changed, set()
        return self.records(changed)

    def records(self, jobs: Iterable[JobId]) -> dict[JobId, dict[str, Any]]:
        """Return the records of those jobs that are remembered."""
        return {job: self.jobs[job].record() for job in jobs if job in self.jobs}
