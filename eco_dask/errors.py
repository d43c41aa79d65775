"""Everything eco_dask raises, as one tree.

::

    EcoDaskError
    ├── ConfigurationError      a setting is missing or contradicts another
    ├── ValueCodecError         bytes that are no value, or a value that has no safe encoding
    ├── WireError               a frame or message breaks the provider protocol, with a reason code
    ├── LedgerError             an entry the books refuse
    │   ├── ConflictingEntryError   the id is taken by another entry
    │   ├── UnknownReserveError     it resolves what was never reserved
    │   ├── AlreadyResolvedError    it resolves what was resolved before
    │   └── OverdrawnReserveError   it posts more than was reserved
    ├── RegistrationError       a provider may not join, with a reason code
    └── TaskError               a task ended without an accepted result
        ├── RemoteTaskError         its code raised, and the voters agree that it does
        ├── TaskRefusedError        it cannot run on providers at all
        ├── NoEligibleProviderError nobody is left who could compute it
        ├── DisputedTaskError       the votes contradict each other for good
        └── BudgetExceededError     the job's budget does not cover it
"""

from __future__ import annotations

import builtins
import sys
from functools import cache
from typing import Any


class EcoDaskError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(EcoDaskError):
    """A setting is missing or contradicts another."""


class ValueCodecError(EcoDaskError):
    """Bytes that are no encoded value, or a value without a safe encoding."""


class WireError(EcoDaskError):
    """A frame or message breaks the provider protocol: received from a peer, or about to be sent.

    Attributes
    ----------
    code : str
        Machine-readable reason, such as ``"trailing-bytes"`` or ``"out-of-order"``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[WireError], tuple[str, str]]:
        return type(self), (self.code, str(self))


class LedgerError(EcoDaskError):
    """An entry the books refuse; they are unchanged."""


class ConflictingEntryError(LedgerError):
    """The entry's id is already taken by an entry with other content."""


class UnknownReserveError(LedgerError):
    """The entry resolves a reserve that was never made."""


class AlreadyResolvedError(LedgerError):
    """The entry resolves a reserve that was posted or voided before."""


class OverdrawnReserveError(LedgerError):
    """The entry posts more than was reserved."""


class RegistrationError(EcoDaskError):
    """A provider may not join.

    Attributes
    ----------
    code : str
        Machine-readable reason, such as ``"invite-spent"`` or ``"python-version"``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[RegistrationError], tuple[str, str]]:
        return type(self), (self.code, str(self))


class TaskError(EcoDaskError):
    """A task ended without an accepted result."""


class TaskRefusedError(TaskError):
    """The task cannot run on providers at all; the message says why and what to do."""


class NoEligibleProviderError(TaskError):
    """No provider is left that could compute the task."""


class DisputedTaskError(TaskError):
    """The answers contradict each other and no trusted worker can decide."""


class BudgetExceededError(TaskError):
    """The job's budget does not cover another attempt."""


class RemoteTaskError(TaskError):
    """The task's code raised on the providers, and the voters agree that it does.

    Where the code raised an exception whose class is imported here (builtin, a library's, or the
    recruiter's own), what is raised here is a subclass of that one too, so that ``except
    ZeroDivisionError`` or ``except numpy.linalg.LinAlgError`` goes on working. Nothing of the
    provider's exception object is ever loaded: only its name and its text arrive.

    Attributes
    ----------
    error_type : str
        Name of the exception's class on the provider.
    remote_traceback : str
        The provider's traceback, as plain text.
    """

    error_type: str
    remote_traceback: str

    def __reduce__(self) -> tuple[object, tuple[str, str, str]]:
        return remote_task_error, (self.error_type, str(self), self.remote_traceback)

    def __str__(self) -> str:
        # KeyError and OSError have their own idea of str(); the provider's text is shown as it is.
        return str(self.args[0]) if self.args else ""


def remote_task_error(error_type: str, message: str, remote_traceback: str) -> RemoteTaskError:
    """Build the error that stands for what a task raised on the providers.

    Where its class is imported in this process, the error is of a subclass of that one too.
    """
    error = _instance(_remote_class(error_type), message)
    error.error_type = error_type
    error.remote_traceback = remote_traceback
    if remote_traceback:
        error.add_note(f"Traceback on the provider:\n{remote_traceback}")
    return error


def _instance(cls: type[RemoteTaskError], message: str) -> RemoteTaskError:
    try:
        # Without __init__, which may want anything, or do anything with a stranger's text.
        return cls.__new__(cls, message)
    except TypeError:
        return RemoteTaskError(message)


def _remote_class(error_type: str) -> type[RemoteTaskError]:
    base: Any = _find_class(error_type)
    if not (isinstance(base, type) and issubclass(base, Exception)):
        return RemoteTaskError
    if issubclass(base, (UnicodeError, ExceptionGroup)):
        # Their constructors want more than a message; their nearest plain base still matches.
        base = ValueError if issubclass(base, UnicodeError) else Exception
    if base is Exception or issubclass(base, RemoteTaskError):
        return RemoteTaskError
    return _subclass(base)


def _find_class(name: str) -> object:
    """Look a name up among what this process has imported; nothing is imported to find it."""
    *path, last = name.split(".")
    if not path:
        return getattr(builtins, last, None)
    for i in range(len(path), 0, -1):
        found: object = sys.modules.get(".".join(path[:i]))
        # vars(), as a module's or a class's own __getattr__ may import or compute.
        for part in (*path[i:], last) if found is not None else ():
            found = getattr(found, "__dict__", {}).get(part)
        if found is not None:
            return found
    return None


@cache
def _subclass(base: Any) -> type[RemoteTaskError]:
    try:
        return type(f"Remote{base.__name__}", (RemoteTaskError, base), {"__module__": __name__})
    except Exception:  # noqa: BLE001  whatever keeps that class from having subclasses
        return RemoteTaskError
