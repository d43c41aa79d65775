"""How fast bytes pass, and what a machine remembers of its work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.agent.diary import DAYS_KEPT, TASKS_KEPT, Diary
from eco_dask.agent.toll import DOWN_WAIT_S_MAX, Pace, Toll


def test_without_a_limit_nobody_waits() -> None:
    assert Pace().take(10**12, 0.0) == 0


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=50), st.integers(10**4, 10**7))
def test_who_waits_as_told_keeps_the_rate_on_average(sizes: list[int], rate: int) -> None:
    pace, at_s = Pace(rate), 100.0
    for size in sizes:
        at_s += pace.take(size, at_s)
    # One second's worth may pass at once.
    assert sum(sizes) <= rate * (at_s - 100.0 + 1) * 1.000001


def test_a_pause_is_no_credit_beyond_the_burst() -> None:
    pace = Pace(1000.0)
    assert pace.take(1000, 0.0) == 0
    assert pace.take(3000, 1000.0) == pytest.approx(2.0)


def test_reading_never_pauses_so_long_that_the_gateway_takes_us_for_gone() -> None:
    seen = []
    toll = Toll(Pace(1000.0), Pace(1000.0), lambda up, down: seen.append((up, down)))
    assert toll.going_up(100_000, 0.0) == pytest.approx(99.0)
    assert toll.came_down(100_000, 0.0) == DOWN_WAIT_S_MAX
    assert seen == [(100_000, 0), (0, 100_000)]


# ------------------------------------------------------------------ the diary


def test_answers_are_pending_until_their_receipts_come() -> None:
    diary = Diary(day=lambda: "2026-03-01")
    for lease in "abc":
        diary.answered(lease, "sum", 0.5, 1.0)
    assert diary.pending == (3, None)
    diary.receipted("a", "agreed", 40)
    diary.receipted("b", "dissented", 0)
    assert diary.pending == (1, 20)
    assert diary.paid_mpt == 40
    assert [(t.lease, t.reason, t.amount_mpt) for t in diary.tasks] == [
        ("c", "", 0), ("b", "dissented", 0), ("a", "agreed", 40),
    ]  # fmt: skip


def test_days_are_the_owner_s_and_survive_a_restart(tmp_path: Path) -> None:
    day = ["2026-03-01"]
    diary = Diary(tmp_path / "diary.json", lambda: day[0])
    diary.answered("a", "sum", 0.5, 1.0)
    diary.transferred(10, 20)
    day[0] = "2026-03-02"
    diary.receipted("a", "agreed", 40)
    assert diary.transferred_bytes == 0
    diary.save()
    again = Diary(tmp_path / "diary.json", lambda: day[0])
    assert again.to_plain() == diary.to_plain()
    assert (again.days["2026-03-01"].tasks, again.now.paid_mpt) == (1, 40)


def test_what_is_kept_is_bounded() -> None:
    day = [0]
    diary = Diary(day=lambda: f"{day[0]:06}")
    for n in range(DAYS_KEPT + 50):
        day[0] = n
        diary.answered(str(n), "sum", 0.5, 1.0)
    assert len(diary.days) == DAYS_KEPT
    assert len(diary.tasks) == TASKS_KEPT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"days": {"x": {"y": 1}}, "tasks": []}', "\x00"])
def test_a_diary_that_cannot_be_read_is_put_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "diary.json"
    path.write_text(text)
    diary = Diary(path)
    assert diary.paid_mpt == 0
    assert (tmp_path / "diary.unreadable").read_text() == text
    diary.transferred(1, 1)
    diary.save()
    assert json.loads(path.read_text())["version"] == 1
