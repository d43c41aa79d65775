"""Whose tasks the runner gets next: recruiters take turns, as a runner serves one of them only.

waiting, busy, clock ──► recruiters in the order in which their tasks may be fed
"""

from __future__ import annotations

from collections.abc import Iterable

#: Seconds for which one recruiter's tasks go on while another's wait. Starting a runner takes some
#: 0.7 s, so shorter turns would spend much of the machine on it.
TURN_S = 3.0


class Turns:
    """Who is served, and since when others wait."""

    def __init__(self) -> None:
        self._serving: str | None = None
        self._others_since_s: float | None = None

    def order(self, waiting: Iterable[str], busy: int, at_s: float) -> list[str]:
        """Return the recruiters whose tasks may be fed now, the first one first.

        Parameters
        ----------
        waiting : iterable of str
            Recruiters of the waiting tasks, in the order in which those came.
        busy : int
            Tasks that the runner has and did not answer.
        at_s : float
            The time.
        """
        known = list(dict.fromkeys(waiting))
        others = [recruiter for recruiter in known if recruiter != self._serving]
        if not others or self._others_since_s is None:
            self._others_since_s = at_s if others else None
        over = self._others_since_s is not None and at_s - self._others_since_s >= TURN_S
        serving = [recruiter for recruiter in known if recruiter == self._serving]
        if busy:
            # Others wait until the runner is empty, which it becomes once the turn is over.
            return [] if over else serving
        return others + serving if over else serving + others

    def fed(self, recruiter: str) -> None:
        """A task was fed: this recruiter's turn begins, or goes on."""
        if recruiter != self._serving:
            self._serving, self._others_since_s = recruiter, None
