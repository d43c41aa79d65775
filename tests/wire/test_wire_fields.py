"""clip(): any text becomes one that may be sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.wire.fields import clip
from eco_dask.wire.frames import encode_frame
from eco_dask.wire.messages import MESSAGE_CHARS_MAX, Goodbye

anything = st.text(st.characters(exclude_categories=()), max_size=60)


@given(anything, st.integers(0, 70))
def test_clipped_text_fits_and_is_sendable(prose: str, chars_max: int) -> None:
    clipped = clip(prose, chars_max)
    assert len(clipped) <= chars_max
    assert encode_frame([Goodbye(clipped)])


@given(st.text(max_size=60))
def test_text_that_fits_is_left_alone(prose: str) -> None:
    assert clip(prose, 60) == prose


@pytest.mark.parametrize(
    ("prose", "chars_max", "clipped"),
    [
        ("0123456789" * 3, 17, "01234\n[...]\n56789"),
        ("0123456789", 3, "\n[."),
        ("a\ud800b", 9, "a?b"),
    ],
)
def test_both_ends_are_kept(prose: str, chars_max: int, clipped: str) -> None:
    assert clip(prose, chars_max) == clipped


def test_a_clipped_message_is_as_long_as_allowed() -> None:
    assert len(clip("x" * 10_000, MESSAGE_CHARS_MAX)) == MESSAGE_CHARS_MAX
