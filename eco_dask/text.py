"""Text from strangers, made fit to show: bounded, without control characters.

provider's string ──clean──► printable text
"""

from __future__ import annotations

import re

#: Control characters other than newline and tab, and the bidirectional overrides that can make a
#: log line read backwards (Unicode TR 36).
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069"
    r"\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def clean(text: str, chars_max: int = 2000) -> str:
    """Return ``text`` cut to ``chars_max`` characters, unprintable ones shown as ``?``."""
    if len(text) > chars_max:
        text = f"{text[:chars_max]}... ({len(text) - chars_max} more characters)"
    return _UNPRINTABLE.sub("?", text)


def line(text: str, chars_max: int = 200) -> str:
    """Return :func:`clean` text in one line, fit for a log: no newline begins another entry."""
    return clean(" ".join(text.split()), chars_max)
