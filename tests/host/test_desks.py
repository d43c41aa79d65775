"""Who sits at a machine: each system's answers read, Linux's own asked for real."""

from __future__ import annotations

import math
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest

from eco_dask.host.desk import desk
from eco_dask.host.desk_linux import LinuxDesk, X11Idle
from eco_dask.host.desk_macos import MacDesk
from eco_dask.host.desk_windows import WindowsDesk
from eco_dask.host.presence import PresenceRule
from eco_dask.host.senses import Senses, gpu_used


def says(answers: dict[str, str]):
    """A system that knows some commands, by a word in them."""
    return lambda command: next((a for word, a in answers.items() if word in command), None)


WAYLAND = {"WAYLAND_DISPLAY": "wayland-0"}
#: Stands for the time of fifteen minutes ago.
LONG_AGO = "t AGO"
LINUX = {
    "no screen, no terminal": ({}, {}, [], math.inf),
    "a terminal": ({}, {}, [30.0, 700.0], 30.0),
    "GNOME": (WAYLAND, {"GetIdletime": "t 61000\n"}, [], 61.0),
    "GNOME and a terminal": (WAYLAND, {"GetIdletime": "t 61000\n"}, [5.0], 5.0),
    "logind says idle": (WAYLAND, {"IdleHint": f"b true\n{LONG_AGO}\n"}, [], 900.0),
    "logind says in use": (WAYLAND, {"IdleHint": f"b false\n{LONG_AGO}\n"}, [], 0.0),
    "a desktop that never tells logind": (WAYLAND, {"IdleHint": "b false\nt 0\n"}, [], None),
    "a screen of which nothing is told": (WAYLAND, {}, [3.0], None),
}


@pytest.mark.parametrize(("environment", "answers", "ttys", "idle_s"), LINUX.values(), ids=LINUX)
def test_linux(environment, answers, ttys, idle_s) -> None:
    at_s = time.time()
    ago = str(int((at_s - 900) * 1e6))
    answers = {word: said.replace("AGO", ago) for word, said in answers.items()}
    found = LinuxDesk(says(answers), environment, lambda: [at_s - t for t in ttys]).idle_s()
    assert found == (idle_s if idle_s is None else pytest.approx(idle_s, abs=5))


@pytest.mark.parametrize(
    ("said", "metered"),
    [("u 1\n", True), ("u 3", True), ("u 2", False), ("u 4", False), ("u 0", None), (None, None)],
)
def test_networkmanager(said, metered) -> None:
    assert LinuxDesk(lambda _: said).metered() is metered


def test_macos() -> None:
    text = '    | |   "HIDIdleTime" = 12500000000\n    | |   "Other" = 3\n'
    assert MacDesk(says({"IOHIDSystem": text})).idle_s() == 12.5
    assert MacDesk(says({})).idle_s() is None


@pytest.mark.parametrize(
    ("now_ms", "last_ms", "idle_s"), [(9000, 4000, 5.0), (1000, 2**32 - 1000, 2)]
)
def test_windows(now_ms, last_ms, idle_s) -> None:
    def last_input(reference) -> int:
        reference._obj.tick_ms = last_ms
        return 1

    windll = SimpleNamespace(
        user32=SimpleNamespace(GetLastInputInfo=last_input),
        kernel32=SimpleNamespace(GetTickCount=lambda: now_ms),
    )
    assert WindowsDesk(says({}), windll).idle_s() == idle_s


@pytest.mark.parametrize(
    ("said", "metered"), [("Fixed\n", True), ("Unrestricted\r\n", False), ("Unknown", None)]
)
def test_windows_network_cost(said, metered) -> None:
    assert WindowsDesk(lambda _: said, SimpleNamespace()).metered() is metered


# ------------------------------------------------------------------ for real


def test_this_machine_answers() -> None:
    here = desk()
    idle_s = here.idle_s()
    assert idle_s is None or idle_s >= 0
    assert here.metered() in {True, False, None}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An X server without a monitor."""
    if sys.platform != "linux" or not (shutil.which("Xvfb") and shutil.which("xdotool")):
        pytest.skip("needs Xvfb, xdotool and libxss1")
    reads, writes = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writes), "-nolisten", "tcp"], pass_fds=(writes,),
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writes)
    with os.fdopen(reads) as told:
        display = f":{told.readline().strip()}"
    monkeypatch.setenv("DISPLAY", display)
    yield display
    server.terminate()
    server.wait(10)


def test_x11_tells_when_the_mouse_was_moved(screen: str) -> None:
    idle = X11Idle(screen)
    deadline_s = time.monotonic() + 20
    while idle.idle_s() < 1.0:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    before_s = idle.idle_s()
    subprocess.run(["xdotool", "mousemove_relative", "7", "7"], check=True, timeout=10)
    assert idle.idle_s() < before_s
    assert LinuxDesk(environment={"DISPLAY": screen}, ttys=list).idle_s() < before_s


def test_where_x11_is_not_the_answer_is_unknown() -> None:
    assert X11Idle(":987").idle_s() is None


def test_a_terminal_notes_what_is_typed() -> None:
    if sys.platform != "linux":
        pytest.skip("Linux's terminals")
    inside, outside = pty.openpty()
    try:
        os.write(inside, b"x\n")
        os.read(outside, 10)
        heard_s = os.fstat(outside).st_atime
    finally:
        os.close(inside)
        os.close(outside)
    # The kernel rounds to eight seconds.
    assert 0 <= LinuxDesk(says({}), {}, lambda: [heard_s]).idle_s() < 60


def test_a_listed_program_is_seen_and_others_load_is_not_our_own() -> None:
    mine = psutil.Process()
    senses = Senses(lambda: (), lambda: 7, LinuxDesk(says({}), {}, list))
    rule = PresenceRule(programs=("x",), load_max=0.5, temperature_max_c=90, idle_s_min=1)
    senses.look(rule)
    began_s, used_s = time.monotonic(), sum(mine.cpu_times()[:2])
    while time.monotonic() < began_s + 1.2:
        pass
    seen = senses.look(rule)
    ours = (sum(mine.cpu_times()[:2]) - used_s) / (time.monotonic() - began_s) / psutil.cpu_count()
    assert mine.name() in seen.programs
    assert seen.transferred_bytes == 7
    # This very process was busy as well, which is not others' load.
    assert ours > 0
    assert 0 <= seen.other_load <= 1.1 - ours
    assert seen.idle_s == math.inf


class Nvml:
    """A driver with one GPU and what its processes did of late."""

    NVMLError = OSError

    def __init__(self, *samples: tuple[int, int], works: bool = True) -> None:
        self.samples = [SimpleNamespace(pid=pid, smUtil=percent) for pid, percent in samples]
        self.works = works

    def nvmlInit(self) -> None:
        if not self.works:
            raise OSError("no driver")

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetProcessUtilization(self, handle: int, since_us: int) -> list:
        return self.samples


@pytest.mark.parametrize(
    ("samples", "used"),
    [([], False), ([("other", 90)], True), ([("other", 3)], False), ([("ours", 99)], False)],
)
def test_the_gpu_is_used_by_whom_it_is_not_lent_to(monkeypatch, samples, used) -> None:
    me = os.getpid()
    pids = {"ours": me, "other": os.getppid()}
    nvml = Nvml(*((pids[who], percent) for who, percent in samples))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert gpu_used(frozenset({me})) is used


def test_without_a_driver_the_gpu_s_use_is_unknown(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(works=False))
    assert gpu_used(frozenset()) is None


def test_who_lends_no_gpu_does_not_mind_who_uses_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml((os.getppid(), 99)))
    at_desk = LinuxDesk(says({}), {}, list)
    for offers, used in ((True, True), (False, None)):
        senses = Senses(lambda: (), lambda: 0, at_desk, offers_gpu=offers)
        assert senses.look(PresenceRule()).gpu_used is used
