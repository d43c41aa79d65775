"""The system call filter, run on an interpreter for both architectures."""

from __future__ import annotations

import errno

import pytest
from bpf_machine import ALLOW, ERRNO, KILL, decide

from eco_dask.errors import ConfigurationError
from eco_dask.sandbox.seccomp import ARCHITECTURES, FilterRule, assemble
from eco_dask.sandbox.syscalls import NUMBER_MAX, NUMBERS, SPECIAL

MACHINES = sorted(ARCHITECTURES)
RULES = {
    "namespaces": FilterRule(),
    "namespaces without control group": FilterRule(memfd=False),
    "landlock": FilterRule(unix_sockets=False, memfd=False, sessions=False),
}
AF_UNIX, AF_INET, AF_NETLINK, AF_VSOCK = 1, 2, 16, 40
STREAM, DGRAM, SEQPACKET, CLOEXEC, NONBLOCK = 1, 2, 5, 0o2000000, 0o4000
CLONE_THREAD, CLONE_NEWUSER, CLONE_NEWTIME = 0x3D0F00, 0x10000000, 0x80


def calls(machine: str, rule: FilterRule):
    """A function from a call's name and arguments to what becomes of it."""
    program = assemble(rule, machine)
    audit, column = ARCHITECTURES[machine]

    def call(name: str | int, *arguments: int) -> tuple[str, int]:
        number = name if isinstance(name, int) else (NUMBERS | SPECIAL)[name][column]
        return decide(program, audit, number, *arguments)

    return call


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_call_is_refused_if_listed_and_allowed_if_not(machine: str, rule: FilterRule) -> None:
    call, (_, column) = calls(machine, rule), ARCHITECTURES[machine]
    listed = {pair[column] for pair in NUMBERS.values()}
    special = {pair[column] for pair in SPECIAL.values()}
    for number in range(NUMBER_MAX + 1):
        if number not in special:
            expected = (ERRNO, errno.EPERM) if number in listed else (ALLOW, 0)
            assert call(number) == expected, number


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_younger_than_the_list_do_not_exist(machine: str) -> None:
    call = calls(machine, FilterRule())
    assert call(NUMBER_MAX + 1) == call(0x3FFFFFFF) == (ERRNO, errno.ENOSYS)


def test_other_architectures_and_x32_are_killed() -> None:
    program = assemble(FilterRule(), "x86_64")
    i386, native = 0x40000003, ARCHITECTURES["x86_64"][0]
    assert decide(program, i386, 1) == (KILL, 0)
    assert decide(program, ARCHITECTURES["aarch64"][0], 1) == (KILL, 0)
    # x32's ptrace, 0x40000000 + 521, would do what ptrace does.
    assert decide(program, native, 0x40000000 + 521) == (KILL, 0)


ARGUMENTS = {
    "a new thread": (("clone", CLONE_THREAD), (ALLOW, 0)),
    "a child": (("clone", 17), (ALLOW, 0)),
    "a child in a user namespace": (("clone", CLONE_NEWUSER | 17), (ERRNO, errno.EPERM)),
    "a child in a time namespace": (("clone", CLONE_NEWTIME | 17), (ERRNO, errno.EPERM)),
    "clone3, whose flags cannot be seen": (("clone3", 0, 88), (ERRNO, errno.ENOSYS)),
    "terminal size": (("ioctl", 0, 0x5413), (ALLOW, 0)),
    "typing into a terminal": (("ioctl", 0, 0x5412), (ERRNO, errno.EPERM)),
    "the same, high bits set": (("ioctl", 0, 0x5412 | 1 << 32), (ERRNO, errno.EPERM)),
    "pasting into a console": (("ioctl", 0, 0x541C), (ERRNO, errno.EPERM)),
    "a stream pair": (("socketpair", AF_UNIX, STREAM | CLOEXEC | NONBLOCK), (ALLOW, 0)),
    "a packet pair": (("socketpair", AF_UNIX, SEQPACKET), (ALLOW, 0)),
    "a datagram pair": (("socketpair", AF_UNIX, DGRAM), (ERRNO, errno.EPROTONOSUPPORT)),
    "a pair of another family": (("socketpair", AF_INET, STREAM), (ERRNO, errno.EAFNOSUPPORT)),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_decide(machine: str, case: str) -> None:
    (call, expected) = ARGUMENTS[case]
    for rule in RULES.values():
        assert calls(machine, rule)(*call) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets_are_of_the_family_that_the_profile_allows(machine: str) -> None:
    inside, fallback = calls(machine, RULES["namespaces"]), calls(machine, RULES["landlock"])
    assert inside("socket", AF_UNIX, STREAM) == (ALLOW, 0)
    assert inside("connect", 3) == (ALLOW, 0)
    for family in (AF_INET, AF_NETLINK, AF_VSOCK):
        assert inside("socket", family, STREAM) == (ERRNO, errno.EAFNOSUPPORT)
    for family in (AF_UNIX, AF_INET):
        assert fallback("socket", family, STREAM) == (ERRNO, errno.EAFNOSUPPORT)
    for name in ("connect", "bind", "listen", "accept", "accept4", "setsid", "setpgid"):
        assert fallback(name, 3) == (ERRNO, errno.EPERM)


@pytest.mark.parametrize("machine", MACHINES)
def test_unnamed_memory_needs_a_control_group(machine: str) -> None:
    assert calls(machine, FilterRule())("memfd_create") == (ALLOW, 0)
    assert calls(machine, FilterRule(memfd=False))("memfd_create") == (ERRNO, errno.ENOSYS)


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(ConfigurationError, match="riscv64"):
        assemble(FilterRule(), "riscv64")
