"""What this process is to the values in it: one that uses them, or one that passes them on."""

from __future__ import annotations

_kept_encoded = False


def keep_encoded(keep: bool) -> None:
    """Choose what unpickling an :class:`EncodedValue` gives in this process.

    Parameters
    ----------
    keep : bool
        True in a gateway, which only passes values on: the EncodedValue itself; and decoding one
        there builds no object of a registered class. False, the initial choice, at a recruiter's
        client and in a runner: the decoded value.
    """
    global _kept_encoded  # noqa: PLW0603  the process has one role, and unpickling takes no argument
    _kept_encoded = keep


def is_keeping_encoded() -> bool:
    """Whether unpickling an :class:`EncodedValue` gives it back encoded in this process."""
    return _kept_encoded
