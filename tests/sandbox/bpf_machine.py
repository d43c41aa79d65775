"""An interpreter of classic BPF: what the kernel would make of a system call filter."""

from __future__ import annotations

import struct

ALLOW, KILL, ERRNO = "allow", "kill", "errno"


def decide(program: bytes, arch: int, number: int, *arguments: int) -> tuple[str, int]:
    """Run a filter on one system call; return what becomes of it, and errno."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, arch, 0, *(a & (2**64 - 1) for a in padded))
    lines = [struct.unpack_from("<HBBI", program, i) for i in range(0, len(program), 8)]
    accumulator = at = 0
    while True:
        code, if_true, if_false, k = lines[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:
                accumulator &= k
            case 0x15:
                at += if_true if accumulator == k else if_false
            case 0x25:
                at += if_true if accumulator > k else if_false
            case 0x45:
                at += if_true if accumulator & k else if_false
            case 0x06:
                if k == 0x7FFF0000:
                    return ALLOW, 0
                if k == 0x80000000:
                    return KILL, 0
                assert k & 0xFFFF0000 == 0x00050000
                return ERRNO, k & 0xFFFF
            case _:
                raise AssertionError(f"opcode {code:#x} is not among those used here")
