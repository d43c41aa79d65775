"""The seccomp filter, assembled as classic BPF.

FilterRule, architecture ──assemble──► bytes of struct sock_filter ──► bwrap --seccomp, or prctl

The program is a chain of comparisons; ``tests/sandbox`` runs it on an interpreter of BPF for both
architectures.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from eco_dask.errors import ConfigurationError
from eco_dask.sandbox.syscalls import NUMBER_MAX, NUMBERS, SPECIAL

#: AUDIT_ARCH_* of linux/audit.h, and the column of the tables.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT = 1, 38, 93, 97

#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWTIME.
CLONE_NEW = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000
CLONE_NEW |= 0x40000000 | 0x00000080
#: Typing into the terminal that the owner's shell reads.
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5
_WORD = 0xFFFFFFFF
_X32 = 0x40000000

# Offsets into struct seccomp_data, and the opcodes of linux/bpf_common.h.
_NR, _ARCH, _ARGS = 0, 4, 16
_LOAD, _AND, _EQUAL, _ABOVE, _SET, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06


@dataclass(frozen=True, slots=True)
class FilterRule:
    """What a filter allows beyond the fixed list of refusals."""

    #: AF_UNIX sockets: harmless where no socket of the machine is in sight.
    unix_sockets: bool = True
    #: Memory without a name, which escapes RLIMIT_DATA; needed by CUDA.
    memfd: bool = True
    #: New sessions and process groups, which escape a kill of the group.
    sessions: bool = True


@dataclass(frozen=True, slots=True)
class _Argument:
    """A call is refused when its masked argument is (or is not) one of some values."""

    call: str
    index: int
    mask: int
    values: tuple[int, ...]
    refused_if_among: bool
    errno: int


_ARGUMENTS = (
    # That glibc takes clone3's refusal as "use clone", whose flags a filter can see.
    _Argument("clone", 0, CLONE_NEW, (0,), refused_if_among=False, errno=EPERM),
    _Argument("ioctl", 1, _WORD, (TIOCSTI, TIOCLINUX), refused_if_among=True, errno=EPERM),
    _Argument("socketpair", 0, _WORD, (_AF_UNIX,), refused_if_among=False, errno=EAFNOSUPPORT),
    # A pair of datagram sockets can send to any named socket without a call to socket().
    _Argument(
        "socketpair",
        1,
        0xF,
        (_SOCK_STREAM, _SOCK_SEQPACKET),
        refused_if_among=False,
        errno=EPROTONOSUPPORT,
    ),
)
_UNIX_ONLY = _Argument("socket", 0, _WORD, (_AF_UNIX,), False, EAFNOSUPPORT)

_Line = tuple[int, int, int, int]


def filter_obstacle(system: str, machine: str) -> str | None:
    """Say why no filter can be loaded on such a machine; None if one can."""
    if system != "linux":
        return f"it needs Linux; this is {system}"
    if machine not in ARCHITECTURES:
        return f"there is no system call filter for {machine}"
    return None


def assemble(rule: FilterRule, machine: str) -> bytes:
    """Return the filter's program, eight bytes for each instruction.

    Parameters
    ----------
    rule : FilterRule
        What it allows.
    machine : str
        ``"x86_64"`` or ``"aarch64"``.

    Raises
    ------
    ConfigurationError
        For another architecture.
    """
    if machine not in ARCHITECTURES:
        raise ConfigurationError(
            f"there is a system call filter for {' and '.join(ARCHITECTURES)}; "
            f"this machine is {machine!r}"
        )
    audit, column = ARCHITECTURES[machine]
    lines: list[_Line] = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, audit), _end(KILL)]
    lines.append((_LOAD, 0, 0, _NR))
    if machine == "x86_64":
        # The x32 numbers of the same kernel would pass a list of the usual ones.
        lines += [(_SET, 0, 1, _X32), _end(KILL)]
    lines += [(_ABOVE, 0, 1, NUMBER_MAX), _refuse(ENOSYS)]
    for number, errno in _refused(rule, column).items():
        lines += [(_EQUAL, 0, 1, number), _refuse(errno)]
    arguments = (*_ARGUMENTS, *((_UNIX_ONLY,) if rule.unix_sockets else ()))
    for argument in arguments:
        block = _block(argument)
        lines += [(_EQUAL, 0, len(block), SPECIAL[argument.call][column]), *block]
    lines.append(_end(ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def _refused(rule: FilterRule, column: int) -> dict[int, int]:
    """Return errno by number of the calls that are refused whatever their arguments."""
    refused = {pair[column]: EPERM for pair in NUMBERS.values()}
    special = {"clone3": ENOSYS}
    if not rule.memfd:
        special["memfd_create"] = ENOSYS
    if not rule.unix_sockets:
        special["socket"] = EAFNOSUPPORT
        special |= dict.fromkeys(("connect", "bind", "listen", "accept", "accept4"), EPERM)
    if not rule.sessions:
        special |= dict.fromkeys(("setsid", "setpgid"), EPERM)
    refused |= {SPECIAL[name][column]: errno for name, errno in special.items()}
    return {number: errno for number, errno in refused.items() if number is not None}


def _block(argument: _Argument) -> list[_Line]:
    """Return what follows when the call is this one; the number is loaded again at its end."""
    # Arguments are 64 bits, little-endian; the kernel itself looks at the low half of these.
    head: list[_Line] = [
        (_LOAD, 0, 0, _ARGS + 8 * argument.index),
        (_AND, 0, 0, argument.mask),
    ]
    n = len(argument.values)
    if argument.refused_if_among:
        tests = [(_EQUAL, n - 1 - i, int(i == n - 1), v) for i, v in enumerate(argument.values)]
    else:
        tests = [(_EQUAL, n - i, 0, v) for i, v in enumerate(argument.values)]
    return [*head, *tests, _refuse(argument.errno), (_LOAD, 0, 0, _NR)]


def _end(action: int) -> _Line:
    return (_RETURN, 0, 0, action)


def _refuse(errno: int) -> _Line:
    return _end(ERRNO | errno)
