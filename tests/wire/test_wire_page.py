"""docs/protocol.md is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eco_dask.wire.document import BEGIN, END, protocol_tables, refreshed
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import MESSAGE_TYPES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text()


def test_the_page_is_current() -> None:
    assert refreshed(PAGE) == PAGE, (
        "stale: python -m eco_dask.wire.document < docs/protocol.md > new; mv new docs/protocol.md"
    )


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_every_message_has_one_row(kind: type) -> None:
    assert protocol_tables().count(f"| {kind.TYPE_CODE} | **{kind.__name__}** |") == 1


def test_every_reason_code_is_explained() -> None:
    sources = (path.read_text() for path in (ROOT / "eco_dask" / "wire").glob("*.py"))
    raised = {
        code
        for source in sources
        for code in re.findall(r'(?:WireError|_within|_coded)\([^"]*?"([a-z-]+)"', source)
    }
    explained = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", PAGE))
    assert len(raised) > 15
    assert raised <= explained


def test_the_limits_on_the_page_are_the_defaults() -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+(?: [MG]iB)?) \|", PAGE, re.MULTILINE))
    units = {"": 1, "MiB": 2**20, "GiB": 2**30}
    read = {}
    for name, text in shown.items():
        number, _, unit = text.replace(",", "").partition(" ")
        read[name] = int(number) * units[unit]
    assert read == {name: getattr(WireLimits(), name) for name in WireLimits.__slots__}


@pytest.mark.parametrize("page", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        refreshed(page)
