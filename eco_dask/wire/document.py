"""The tables of docs/protocol.md, written from the dataclasses and the conversation's table.

::

    MESSAGE_TYPES, protocol --protocol_tables--> Markdown --refreshed--> docs/protocol.md

Run as a filter: ``python -m eco_dask.wire.document < docs/protocol.md > new && mv new docs/...``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import getdoc

from eco_dask.wire.layout import kinds_of
from eco_dask.wire.messages import MESSAGE_TYPES, Direction, Message
from eco_dask.wire.protocol import TOWARDS_GATEWAY, TOWARDS_PROVIDER, Phase

BEGIN = "<!-- begin: written by eco_dask.wire.document -->"
END = "<!-- end: written by eco_dask.wire.document -->"


def protocol_tables() -> str:
    """Write the message tables, one per direction, and the table of phases, as Markdown."""
    lines: list[str] = []
    for direction in (Direction.TO_GATEWAY, Direction.TO_PROVIDER, Direction.BOTH):
        lines += [f"### Messages {direction.value}", ""]
        lines += ["| code | message | fields in order | meaning |", "|---|---|---|---|"]
        lines += [_row(each) for each in MESSAGE_TYPES if direction is each.DIRECTION]
        lines.append("")
    return "\n".join([*lines, *_phase_lines()])


def _row(message_type: type[Message]) -> str:
    fields = "<br>".join(f"`{name}`: {kind.words}" for name, kind in kinds_of(message_type).items())
    meaning = " ".join((getdoc(message_type) or "").replace("``", "`").split())
    return f"| {message_type.TYPE_CODE} | **{message_type.__name__}** | {fields} | {meaning} |"


def _phase_lines() -> Iterator[str]:
    yield "### Phases"
    yield ""
    yield "| phase | the provider may send | the gateway may send |"
    yield "|---|---|---|"
    for phase in Phase:
        cells = [
            ", ".join(
                each.__name__ if target is phase else f"{each.__name__} → {target.value}"
                for each, target in towards[phase].items()
            )
            for towards in (TOWARDS_GATEWAY, TOWARDS_PROVIDER)
        ]
        yield f"| {phase.value} | {cells[0] or 'nothing'} | {cells[1] or 'nothing'} |"
    yield ""
    yield "A Welcome with `resumed` leads to *resuming* instead of *joined*."


def refreshed(page: str) -> str:
    """Put the current tables between the markers of ``page``.

    Raises
    ------
    ValueError
        If a marker is not there exactly once, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise ValueError(f"the page needs {BEGIN!r} and then {END!r}, once each")
    return f"{before}{begin}\n\n{protocol_tables()}\n\n{end}{after}"


if __name__ == "__main__":
    sys.stdout.write(refreshed(sys.stdin.read()))
