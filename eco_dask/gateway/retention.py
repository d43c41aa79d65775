"""What is kept of accepted tasks so that they can be done again, up to a number of bytes.

keep(ballot, submission) ──► find, forget        excess() ──► the oldest, to be settled now
"""

from __future__ import annotations

from collections import Counter

from eco_dask.gateway.submission import Submission
from eco_dask.types import BallotId, Digest


class Retention:
    """Packages and accepted values of tasks that are not settled yet.

    Parameters
    ----------
    bytes_max : int
        What they may take together, in bytes; a blob that many of them share counts once.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._kept: dict[BallotId, dict[Digest, int]] = {}
        self._submissions: dict[BallotId, Submission] = {}
        self._uses: Counter[Digest] = Counter()
        self.size_bytes = 0
        #: Asked to be settled already, with what that will free at least.
        self._leaving: dict[BallotId, int] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, ballot: BallotId, submission: Submission) -> None:
        """Keep a task that was accepted."""
        sizes = _sizes(submission)
        self._kept[ballot] = sizes
        self._submissions[ballot] = submission
        for digest, size_bytes in sizes.items():
            self._uses[digest] += 1
            if self._uses[digest] == 1:
                self.size_bytes += size_bytes

    def find(self, ballot: BallotId) -> Submission | None:
        """Return a task that is kept."""
        return self._submissions.get(ballot)

    def forget(self, ballot: BallotId) -> Submission | None:
        """Return a task and keep it no longer."""
        for digest, size_bytes in self._kept.pop(ballot, {}).items():
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest]
                self.size_bytes -= size_bytes
        self._leaving.pop(ballot, None)
        return self._submissions.pop(ballot, None)

    def excess(self) -> tuple[BallotId, ...]:
        """Return the oldest tasks that have to go for the rest to fit, each of them once."""
        over_bytes = self.size_bytes - self._bytes_max - sum(self._leaving.values())
        leaving: list[BallotId] = []
        for ballot, sizes in self._kept.items() if over_bytes > 0 else ():
            if ballot in self._leaving:
                continue
            alone_bytes = sum(size for digest, size in sizes.items() if self._uses[digest] == 1)
            self._leaving[ballot] = alone_bytes
            leaving.append(ballot)
            over_bytes -= alone_bytes
            if over_bytes <= 0:
                break
        return tuple(leaving)


def _sizes(submission: Submission) -> dict[Digest, int]:
    """Return the bytes of what a task keeps, by digest."""
    sizes = {Digest(value.digest): value.size_bytes for value in submission.values.values()}
    if submission.package is not None:
        for digest, parts in submission.package.blobs.items():
            sizes[digest] = sum(memoryview(part).nbytes for part in parts)
        # The pickle is the task's own; its key stands for a digest.
        sizes[Digest(repr(submission.key).encode())] = len(submission.package.task)
    return sizes
