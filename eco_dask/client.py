"""What a recruiter writes around ordinary Dask code.

with eco_dask.job(error=1e-4) as job: x.compute() ──► annotations ──► job.report()
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Unpack

import dask
from distributed import Client, get_client

from eco_dask.checks import own_checks
from eco_dask.deferring import Deferral, deferral_of, pause_s, start_from_plain
from eco_dask.display.show import card_html
from eco_dask.energy.hours import Start
from eco_dask.errors import ConfigurationError
from eco_dask.jobs import ANNOTATION, JobSpec, RareTerms
from eco_dask.providers.packages import package_tags
from eco_dask.report import JobReport, awaits_energy
from eco_dask.types import JobId
from eco_dask.values.registered import registered_references
from eco_dask.verification.rules import Compare

#: Dask's peer-to-peer methods run code inside of Dask's workers; ours are gateways, which run none.
_TASK_METHODS = {
    "array": {"rechunk": {"method": "tasks"}},
    "dataframe": {"shuffle": {"method": "tasks"}},
}


def prefer_task_methods() -> None:
    """Make Dask's task-based shuffles its default here; a user's own setting still wins."""
    dask.config.update_defaults(_TASK_METHODS)


logger = logging.getLogger(__name__)

#: Times that a report looks again for the energy of runs that ended just now, and how often.
ENERGY_TRIES, _ENERGY_PAUSE_S = 8, 0.5
UNSAFE = (
    "job(unsafe_results=True) takes pickles from providers. Calling load() on one runs code that "
    "the agreeing owners' machines chose, with your rights; two owners who conspire can do "
    "anything there. See SECURITY.md, and prefer eco_dask.values.register."
)


class UnsafeResultsWarning(UserWarning):
    """A job takes results that are dangerous to load."""


#: Rare terms that say no more once the job runs.
_NOT_SENT = frozenset({"owners_min", "deadline", "lasts"})


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, and how to let it pass; both may be made up in tests."""

    now_s: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class Job:
    """A ``with`` block whose Dask computations belong together. Made by :func:`job`."""

    def __init__(
        self, spec: JobSpec, deferral: Deferral | None = None, clock: Clock | None = None
    ) -> None:
        self.spec = spec
        self._deferral = deferral
        self._clock = clock or Clock()
        #: When a job with a deadline starts, and why then; None for others, and before the block.
        self.start: Start | None = None
        self._annotation: Any = None
        self._client: Client | None = None
        self._entered_at_s: float | None = None
        self._left_at_s: float | None = None

    @property
    def id(self) -> JobId:
        """Id of the job, unique to each block."""
        return self.spec.id

    def __enter__(self) -> Job:
        if self._annotation is not None:
            raise ConfigurationError("this job's block is open already; make another with job()")
        self._wait_for_better_hours()
        prefer_task_methods()
        if self.spec.unsafe_results:
            warnings.warn(UNSAFE, UnsafeResultsWarning, stacklevel=2)
        self._annotation = dask.annotate(**{ANNOTATION: self.spec.to_annotation()})
        self._annotation.__enter__()
        self._entered_at_s = time.time()
        try:
            self._client = get_client()
        except ValueError:
            # No client yet; report() looks again.
            self._client = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left_at_s = time.time()
        annotation, self._annotation = self._annotation, None
        annotation.__exit__(kind, error, traceback)

    def facts(self) -> dict[str, str]:
        """Return the job's terms and where it stands, by label."""
        spec = self.spec
        if self._entered_at_s is None:
            state = "not started: open its block with `with`"
        elif self._annotation is not None:
            state = f"open for {time.time() - self._entered_at_s:.1f} s"
        else:
            state = "over; report() says what became of it"
        sure = (
            f"{spec.quorum} owners agree" if spec.quorum is not None else "as the network decides"
        )
        return {
            "State": state,
            "Results": f"wrong with at most {spec.error:g}" if spec.error is not None else sure,
            "Budget": f"{spec.budget_mpt / 1000:g} points" if spec.budget_mpt else "no limit",
            "Paid by": spec.recruiter,
            "Requires": ", ".join(spec.require) or "nothing",
            "Runs on": "the operator's own workers" if spec.trusted else "any provider",
        }

    def __repr__(self) -> str:
        facts = ", ".join(f"{label.lower()}: {text}" for label, text in self.facts().items())
        return f"<Job {self.spec.name!r} {facts}>"

    def _repr_html_(self) -> str:
        return card_html("Job", f"{self.spec.name} ({self.id})", self.facts())

    def report(self, client: Client | None = None) -> Any:
        """Say what became of the job: tasks, attempts, points.

        Parameters
        ----------
        client : distributed.Client, optional
            Default: the current client.

        Returns
        -------
        JobReport
            Or a coroutine of one, with an asynchronous client.

        Raises
        ------
        ConfigurationError
            If the scheduler is none of eco_dask.
        """
        client = client or self._client or get_client()
        return client.sync(self._report, client)

    def _wait_for_better_hours(self) -> None:
        if self._deferral is None:
            return
        client = self._client or get_client()
        if client.asynchronous:
            raise ConfigurationError(
                "a job with a deadline waits, which would block this event loop: with an "
                "asynchronous client write `async with eco_dask.job(...)`"
            )
        self.start = client.sync(self._ask_start, client)
        while pause := pause_s(self.start, self._clock.now_s()):
            self._clock.sleep(pause)

    async def _ask_start(self, client: Client) -> Start:
        if self._deferral is None or client.scheduler is None:
            raise ConfigurationError("the client is closed; a job with a deadline needs one")
        now_s = self._clock.now_s()
        within_s, lasts_s = self._deferral.within_s, self._deferral.lasts_s
        found = await client.scheduler.eco_start(now_s=now_s, within_s=within_s, lasts_s=lasts_s)
        start = start_from_plain(found)
        if start.at_s > now_s:
            at = time.strftime("%a %H:%M", time.localtime(start.at_s))
            logger.warning(
                "Job %r starts on %s: %s (%.3g instead of %.3g now). Ctrl-C starts nothing.",
                self.spec.name,
                at,
                start.reason,
                start.cost or 0.0,
                start.cost_now or 0.0,
            )
        return start

    async def __aenter__(self) -> Job:
        """Enter with an asynchronous client: a job with a deadline waits without blocking."""
        if self._deferral is not None:
            start = self.start = await self._ask_start(get_client())
            while pause := pause_s(start, self._clock.now_s()):  # noqa: ASYNC110  time ends it
                await asyncio.sleep(pause)
        self._deferral = None
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    async def _report(self, client: Client) -> JobReport:
        if client.scheduler is None:
            raise ConfigurationError("the client is closed; ask for the report before closing it")
        found = await client.scheduler.eco_job(job=self.id)
        # What the last runs took is told an interval after their answers.
        for _ in range(ENERGY_TRIES):
            if found is None or not awaits_energy(found, self._left_at_s, time.time()):
                break
            await asyncio.sleep(_ENERGY_PAUSE_S)
            found = await client.scheduler.eco_job(job=self.id)
        if found is None:
            raise ConfigurationError(
                f"the scheduler at {client.scheduler.address} has no eco_dask plugin; start it by "
                "eco-dask-scheduler, or with --preload eco_dask.preload"
            )
        left_at_s = self._left_at_s or time.time()
        elapsed_s = left_at_s - self._entered_at_s if self._entered_at_s is not None else None
        return JobReport.from_plain(found, self.spec, elapsed_s)


def job(
    name: str | None = None,
    *,
    error: float | None = None,
    flow_error: float | None = None,
    compare: Compare | None = None,
    budget: float | None = None,
    require: Iterable[str] | Mapping[str, Any] | None = None,
    quorum: int | None = None,
    trusted: bool = False,
    recruiter: str | None = None,
    **rare: Unpack[RareTerms],
) -> Job:
    """Group the Dask computations of a ``with`` block, and say how they are to be run.

    Parameters
    ----------
    name : str, optional
        What people read in lists.
    error : float, optional
        Accepted probability that a result is wrong, more than 0 and at most 0.05.
    flow_error : float, optional
        The same of results that only further tasks use. Default: ten times ``error``.
    compare : {"auto", "exact", "close"}, optional
        Which answers are the same: of the same bits, or but for rounding. "auto": as fits.
    budget : float, optional
        Most that the block may spend, in points. At the cap, further tasks fail.
    require : iterable of str or mapping, optional
        Tags that a provider must have, ``{"gpu"}``; installed: ``{"packages": {"xarray": ">=2"}}``.
    quorum : int, optional
        Distinct owners that must agree, instead of ``error``.
    trusted : bool
        Run on the operator's own workers only.
    recruiter : str, optional
        Account that pays. Default: the name of the user.
    **rare : see :class:`~eco_dask.jobs.RareTerms`

    Raises
    ------
    ConfigurationError
        If the terms contradict each other.
    """
    job_id = JobId(f"job-{secrets.token_hex(6)}")
    spec = JobSpec(
        job_id,
        name or str(job_id),
        recruiter=recruiter or _user(),
        quorum=_either(quorum, rare.get("owners_min")),
        error=error,
        flow_error=flow_error,
        compare=compare,
        budget_mpt=round(budget * 1000) if budget is not None else None,
        require=_tags(require or ()),
        trusted=trusted,
        classes=registered_references(),
        checks=own_checks(),
    )
    deferral = deferral_of(rare.get("deadline"), rare.get("lasts"))
    others: dict[str, Any] = {k: v for k, v in rare.items() if k not in _NOT_SENT}
    return Job(replace(spec, **others), deferral)


def _either(quorum: int | None, owners_min: int | None) -> int | None:
    if quorum is not None and owners_min is not None and quorum != owners_min:
        raise ConfigurationError(
            f"owners_min= is another name of quorum=; got {owners_min} and {quorum}"
        )
    return quorum if quorum is not None else owners_min


def _tags(require: Iterable[str] | Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(require, str):
        raise ConfigurationError(f"require= is a set of tags such as {{'gpu'}}; got {require!r}")
    packages: tuple[str, ...] = ()
    if isinstance(require, Mapping):
        require = dict(require)
        packages = package_tags(require.pop("packages", {}))
        unknown = {k: v for k, v in require.items() if v is not True}
        if unknown:
            raise ConfigurationError(
                f"require= maps tags to True, and 'packages' to what must be installed; got "
                f"{unknown!r}. For amounts of memory or cores "
                "there are no tags yet: see `eco-dask providers --tags`"
            )
    return tuple(sorted({*require, *packages}))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container without a user database.
        return "recruiter"
