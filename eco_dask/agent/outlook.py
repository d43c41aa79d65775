"""Why does this machine get no work? An answer in a sentence, from what both sides know.

the owner's order, reasons to pause, the gateway's outlook ──► words
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from eco_dask.text import clean

#: What a gateway may say of an idle provider's prospects, and what it means for its owner.
OUTLOOKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "no-demand": "no recruiter has work now",
        "tags": "the tasks that wait need what this machine does not offer: {detail}",
        "witnessed": (
            "the tasks that wait were given to another machine of yours already, and one owner "
            "is one witness"
        ),
        "probation": (
            "the tasks that wait have an answer of yours, and your machines' record is too short "
            "for it to count alone: another owner must confirm it, which adds to your record"
        ),
        "lost": "the tasks that wait were given up or lost by this machine before",
        "price": (
            "the recruiters of the tasks that wait have set a budget, and all of its points are "
            "held for tasks that run now"
        ),
        "barred": (
            "answers of your machines were wrong, so the network gives you nothing until the "
            "operator lets you in again: ask there"
        ),
        "soon": "work is about to come",
    }
)


@dataclass(frozen=True, slots=True)
class Idle:
    """What is known of an idle provider."""

    order: str
    #: Reasons to pause, in words.
    paused_by: tuple[str, ...]
    #: The gateway's code and detail; None if it said nothing.
    outlook: tuple[str, str] | None


def why_no_work(idle: Idle) -> str:
    """Answer the question."""
    if idle.order == "pause":
        return "you paused it; resume it to get work"
    if idle.order in {"finish", "stop"}:
        return "you asked it to take nothing new"
    if idle.paused_by:
        return "it is paused: " + "; ".join(idle.paused_by)
    if idle.outlook is None:
        return "the gateway has not said yet; this takes some seconds after joining"
    code, detail = idle.outlook
    words = OUTLOOKS.get(code)
    return words.format(detail=clean(detail, 200)) if words else clean(f"{code}: {detail}", 300)
