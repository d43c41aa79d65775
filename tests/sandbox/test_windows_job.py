"""The order in which a job, a token and a process are put together, on a fake of Windows."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from eco_dask.sandbox.windows import JobSettings, main, run_in_job


class FakeWindows:
    """Remembers what was asked of it."""

    def __init__(self, *, refuses: str = "") -> None:
        self.calls: list[tuple] = []
        self._refuses = refuses

    def _note(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))
        if name == self._refuses:
            raise OSError(5, f"{name} was refused")

    def create_job(self, settings: JobSettings) -> int:
        self._note("create_job", settings)
        return 1

    def create_token(self) -> int:
        self._note("create_token")
        return 2

    def start(self, token: int, command: Sequence[str]) -> tuple[int, int]:
        self._note("start", token, tuple(command))
        return 3, 4

    def assign(self, job: int, process: int) -> None:
        self._note("assign", job, process)

    def resume(self, thread: int) -> None:
        self._note("resume", thread)

    def wait(self, process: int) -> int:
        self._note("wait", process)
        return 42

    def terminate(self, process: int) -> None:
        self._note("terminate", process)


SETTINGS = JobSettings(1 << 30, 64, 5000)


def test_a_process_is_in_its_job_before_its_first_instruction() -> None:
    api = FakeWindows()
    assert run_in_job(api, SETTINGS, ["python", "-c", "pass"]) == 42
    assert api.calls == [
        ("create_job", SETTINGS),
        ("create_token",),
        ("start", 2, ("python", "-c", "pass")),
        ("assign", 1, 3),
        ("resume", 4),
        ("wait", 3),
    ]


def test_a_process_that_gets_no_job_never_runs() -> None:
    api = FakeWindows(refuses="assign")
    with pytest.raises(OSError, match="assign"):
        run_in_job(api, SETTINGS, ["python"])
    assert [name for name, *_ in api.calls][-1] == "terminate"
    assert "resume" not in {name for name, *_ in api.calls}


@pytest.mark.parametrize("step", ["create_job", "create_token", "start"])
def test_what_windows_refuses_starts_nothing(step: str) -> None:
    api = FakeWindows(refuses=step)
    with pytest.raises(OSError, match=step):
        run_in_job(api, SETTINGS, ["python"])
    assert "resume" not in {name for name, *_ in api.calls}


def test_the_command_line_names_settings_and_command() -> None:
    api = FakeWindows()
    words = json.dumps({"memory_bytes": 1, "processes": 2, "cpu_rate": 3})
    assert main([words, "--", "python", "x"], api) == 42
    assert api.calls[0] == ("create_job", JobSettings(1, 2, 3))
    with pytest.raises(SystemExit, match="usage"):
        main([words, "--"], api)
