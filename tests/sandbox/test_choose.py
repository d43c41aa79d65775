"""Which sandbox is chosen, and what the owner is told when none is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eco_dask.errors import ConfigurationError
from eco_dask.sandbox import choose as choosing
from eco_dask.sandbox.bare import Unconfined
from eco_dask.sandbox.cgroups import Bounds
from eco_dask.sandbox.choose import NAMES, choose, try_out
from eco_dask.sandbox.launch import GpuFiles, SandboxRule
from eco_dask.sandbox.start import Sandbox


class Profile(Unconfined):
    """One that holds, or has an obstacle."""

    def __init__(self, name: str, obstacle: str | None = None) -> None:
        self.name = name
        self._obstacle = obstacle

    def obstacle(self, machine, plan) -> str | None:
        return self._obstacle


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch):
    """Three profiles in place of the real ones: absent, leaking, good."""
    listed = (Profile("bwrap", "it is absent"), Profile("container"), Profile("landlock"))
    monkeypatch.setattr(choosing, "PROFILES", listed)
    monkeypatch.setattr(choosing, "find_bounds", lambda limits: Bounds("", "no systemd"))


def leaking(*names: str):
    return lambda sandbox, home: "it leaks" if sandbox.profile.name in names else None


@pytest.mark.usefixtures("profiles")
def test_auto_takes_the_strongest_that_holds_and_says_why_not_a_stronger_one() -> None:
    chosen = choose(SandboxRule(), Path("unused"), leaking("container"))
    assert chosen.profile.name == "landlock"
    absent, leaks, weakness = chosen.notes
    assert absent == "bwrap does not work: it is absent"
    assert leaks == "container does not work: it leaks"
    assert "no systemd" in weakness


@pytest.mark.usefixtures("profiles")
def test_without_a_sandbox_nothing_starts_unless_the_owner_trusts() -> None:
    nothing_holds = leaking("container", "landlock")
    with pytest.raises(ConfigurationError) as caught:
        choose(SandboxRule(), Path("unused"), nothing_holds)
    told = str(caught.value)
    assert "it is absent" in told
    assert "landlock does not work: it leaks" in told
    assert "--i-trust-the-recruiters" in told
    trusting = choose(SandboxRule(trust=True), Path("unused"), nothing_holds)
    assert trusting.profile.name == "none"
    assert len(trusting.notes) == 3


@pytest.mark.usefixtures("profiles")
def test_trust_does_not_weaken_what_works() -> None:
    chosen = choose(SandboxRule(trust=True), Path("unused"), leaking())
    assert chosen.profile.name == "container"


@pytest.mark.usefixtures("profiles")
def test_one_that_was_asked_for_by_name_is_not_replaced() -> None:
    assert choose(SandboxRule("landlock"), Path("unused"), leaking()).profile.name == "landlock"
    with pytest.raises(ConfigurationError, match="it is absent"):
        choose(SandboxRule("bwrap", trust=True), Path("unused"), leaking())


@pytest.mark.usefixtures("profiles")
def test_better_a_sandbox_without_the_gpu_than_a_gpu_without_a_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = replace(choosing.look(), gpu=GpuFiles(("/dev/nvidiactl", "/dev/nvidia0")))
    monkeypatch.setattr(choosing, "look", lambda: machine)
    chosen = choose(SandboxRule(), Path("unused"), leaking())
    assert (chosen.profile.name, chosen.gpu) == ("container", True)
    no_gpu = choose(SandboxRule(), Path("unused"), lambda s, _: "no CUDA" if s.gpu else None)
    assert (no_gpu.profile.name, no_gpu.gpu) == ("container", False)
    assert "container with the GPU does not work: no CUDA" in no_gpu.notes
    assert not choose(SandboxRule(gpu=False), Path("unused"), leaking()).gpu


@pytest.mark.usefixtures("profiles")
def test_none_needs_trust() -> None:
    with pytest.raises(ConfigurationError, match="--i-trust-the-recruiters"):
        choose(SandboxRule("none"), Path("unused"))
    assert choose(SandboxRule("none", trust=True), Path("unused")).profile.name == "none"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        choose(SandboxRule("chroot"), Path("unused"))
    assert all(name in str(caught.value) for name in (*NAMES, "chroot"))


def test_the_self_test_sees_through_no_sandbox_at_all(tmp_path: Path) -> None:
    fault = try_out(Sandbox(), tmp_path)
    for reached in ("read files of yours", "connect to this machine", "inherit"):
        assert reached in fault
    # The bait is gone.
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_that_does_not_start_is_at_fault(tmp_path: Path) -> None:
    class Broken(Profile):
        def command(self, machine, plan):
            launch = super().command(machine, plan)
            return type(launch)(("/nowhere/bwrap", *launch.argv), launch.environment)

    assert "/nowhere/bwrap" in try_out(Sandbox(Broken("broken")), tmp_path)


def test_other_packages_inside_are_a_fault() -> None:
    inside = {"python": "2.7", "numpy": "1.0"}
    fault = choosing._difference(inside)
    assert "python 2.7 inside" in fault
    assert "numpy 1.0 inside" in fault
