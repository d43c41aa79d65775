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
        ├── BudgetExceededError     the job's budget does not cover it
        └── TaskCancelledError      the recruiter let go of it
"""

from __future__ import annotations


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


class TaskCancelledError(TaskError):
    """The recruiter let go of the task."""
