"""Checks of a recruiter's own functions, beside the built-in ones.

    @eco_dask.checks.register(simulate)
    def check(call, output, seed): ...

They travel with the jobs made after that, ``with eco_dask.job(error=...)``, and are run by trusted
workers; where none is connected, answers are decided without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from eco_dask.verification.checks import (
    BUILTIN,
    Call,
    Checker,
    CheckVerdict,
    Failed,
    NotApplicable,
    Passed,
    name_of,
)

__all__ = [
    "Call",
    "CheckVerdict",
    "Checker",
    "Failed",
    "NotApplicable",
    "Passed",
    "checker_of",
    "own_checks",
    "register",
    "run_check",
    "unregister",
]

C = TypeVar("C", bound=Checker)

_registered: dict[Any, Checker] = {}


def register(function: Callable[..., Any]) -> Callable[[C], C]:
    """Give a function a check; a decorator for the checker.

    Parameters
    ----------
    function : callable
        The task's function. A check of the recruiter's own comes before a built-in one.

    Returns
    -------
    callable
        Takes the checker and returns it. A checker takes the :class:`Call`, the answer and a seed
        of 32 bytes that nobody knew when the answer was given, and returns :class:`Passed` with its
        power, :class:`Failed` or :class:`NotApplicable`. It must be pure, and should cost at most a
        tenth of the task. It runs on a trusted worker.

    Raises
    ------
    TypeError
        If either is not callable, or the function cannot be looked up (has no hash).
    ValueError
        If the function has another check already.
    """
    if not callable(function):
        raise TypeError(f"checks are registered for functions; got {function!r:.80}")

    def decorate(checker: C) -> C:
        if not callable(checker):
            raise TypeError(f"a checker is a function of call, output, seed; got {checker!r:.80}")
        if _registered.setdefault(function, checker) is not checker:
            raise ValueError(f"{name_of(function)} has a check already; unregister it first")
        return checker

    return decorate


def unregister(function: Callable[..., Any]) -> None:
    """Take a function's own check away; a built-in one stays."""
    _registered.pop(function, None)


def own_checks() -> tuple[tuple[str, bytes], ...]:
    """Return the recruiter's own checks as they travel with a job: function's name, pickle."""
    import cloudpickle

    return tuple((name_of(f), cloudpickle.dumps(check)) for f, check in _registered.items())


def run_check(
    checker: Checker, answer: Any, seed: bytes, /, *args: Any, **kwargs: Any
) -> tuple[str, float | str]:
    """Run a check where a recruiter's code may run, and say what came of it in plain data.

    Parameters
    ----------
    checker : callable
        The recruiter's own.
    answer : object
        What is checked.
    seed : bytes
        32 bytes that nobody knew when the answer was given.
    *args, **kwargs
        What the task's function was called with.

    Returns
    -------
    tuple of str and (float or str)
        ``("passed", power)``, ``("failed", reason)`` or ``("not applicable", reason)``.

    Raises
    ------
    TypeError
        If the checker returns something else.
    """
    match checker(Call(args, kwargs), answer, seed):
        case Passed(power):
            return "passed", float(power)
        case Failed(reason):
            return "failed", str(reason)
        case NotApplicable(reason):
            return "not applicable", str(reason)
        case other:
            raise TypeError(f"a check says Passed, Failed or NotApplicable; got {other!r:.80}")


def checker_of(function: Callable[..., Any]) -> Checker | None:
    """Return the check of a function, None if it has none."""
    try:
        own = _registered.get(function)
    except TypeError:  # a callable without a hash has no check
        own = None
    return own or BUILTIN.get(name_of(function))
