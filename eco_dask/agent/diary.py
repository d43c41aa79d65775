"""What this machine did and earned, kept across restarts for its owner.

answered, receipted, transferred ──► Diary ──► days, latest tasks, what is pending; a file
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

TASKS_KEPT, DAYS_KEPT = 200, 400
_PENDING_MAX = 10_000


def today() -> str:
    """Return the owner's day, such as ``2026-03-01``."""
    return time.strftime("%Y-%m-%d")


@dataclass(slots=True)
class Day:
    """One day of the owner's."""

    tasks: int = 0
    paid_mpt: int = 0
    up_bytes: int = 0
    down_bytes: int = 0


@dataclass(slots=True)
class DoneTask:
    """One task that was answered, or given back."""

    lease: str
    kind: str
    at_s: float
    wall_s: float
    #: Empty until its receipt comes.
    reason: str = ""
    amount_mpt: int = 0


class Diary:
    """One provider's memory of its own work.

    Parameters
    ----------
    path : Path, optional
        Where it is kept; nowhere by default.
    day : callable
        Names the present day.
    """

    def __init__(self, path: Path | None = None, day: Callable[[], str] = today) -> None:
        self._path = path
        self._day = day
        self._changed = False
        self.days: dict[str, Day] = {}
        self.tasks: deque[DoneTask] = deque(maxlen=TASKS_KEPT)
        #: Answered, and without a receipt so far.
        self._pending: dict[str, DoneTask] = {}
        self._load()

    @property
    def now(self) -> Day:
        """Today."""
        found = self.days.get(self._day())
        if found is None:
            found = self.days[self._day()] = Day()
            while len(self.days) > DAYS_KEPT:
                del self.days[min(self.days)]
        return found

    @property
    def transferred_bytes(self) -> int:
        """Up and down, today."""
        return self.now.up_bytes + self.now.down_bytes

    def answered(self, lease: str, kind: str, wall_s: float, at_s: float) -> None:
        """A task was answered."""
        self._changed = True
        self.now.tasks += 1
        task = DoneTask(lease, kind, at_s, wall_s)
        self.tasks.appendleft(task)
        self._pending[lease] = task
        if len(self._pending) > _PENDING_MAX:
            del self._pending[next(iter(self._pending))]

    def receipted(self, lease: str, reason: str, amount_mpt: int) -> None:
        """A receipt came, with what it pays and why."""
        self._changed = True
        self.now.paid_mpt += amount_mpt
        task = self._pending.pop(lease, None)
        if task is not None:
            task.reason, task.amount_mpt = reason, amount_mpt

    def transferred(self, up_bytes: int, down_bytes: int) -> None:
        """Bytes passed."""
        self._changed = True
        self.now.up_bytes += up_bytes
        self.now.down_bytes += down_bytes

    @property
    def pending(self) -> tuple[int, int | None]:
        """Tasks without a receipt, and what they may pay by the mean of the latest, millipoints."""
        paid = [task.amount_mpt for task in self.tasks if task.reason]
        expected = round(len(self._pending) * sum(paid) / len(paid)) if paid else None
        return len(self._pending), expected

    @property
    def paid_mpt(self) -> int:
        """All of the days kept."""
        return sum(day.paid_mpt for day in self.days.values())

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "version": 1,
            "days": {name: asdict(day) for name, day in self.days.items()},
            "tasks": [asdict(task) for task in self.tasks],
        }

    def save(self) -> None:
        """Write it down, if anything changed."""
        if self._path is None or not self._changed:
            return
        self._changed = False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self.to_plain()), encoding="utf-8")
        fresh.replace(self._path)

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            plain = json.loads(self._path.read_text(encoding="utf-8"))
            self.days = {name: Day(**day) for name, day in plain["days"].items()}
            self.tasks.extend(DoneTask(**task) for task in plain["tasks"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            aside = self._path.with_suffix(".unreadable")
            logger.warning("%s cannot be read (%s); it is moved to %s", self._path, error, aside)
            self._path.replace(aside)
            self.days, self.tasks = {}, deque(maxlen=TASKS_KEPT)
