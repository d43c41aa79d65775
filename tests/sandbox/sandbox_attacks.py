"""What a recruiter's task may try. Each returns what it gained, or raises OSError if refused.

Each imports what it needs inside: nothing but this folder is added to what a runner may read.
"""

from __future__ import annotations

from typing import Any

Bait = dict[str, Any]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(1 << 16)


def read_agents_key(bait: Bait) -> object:
    return _read(bait["key"])


def read_home(bait: Bait) -> object:
    return _read(bait["home_file"])


def read_shadow(bait: Bait) -> object:
    return _read("/etc/shadow")


def read_agents_environment(bait: Bait) -> object:
    if bait["canary"].encode() in _read(f"/proc/{bait['pid']}/environ"):
        return "the agent's environment"
    raise PermissionError("another process has that number here")


def find_the_canary_in_any_process(bait: Bait) -> object:
    import os

    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if bait["canary"].encode() in _read(f"/proc/{name}/environ"):
                    return name
            except OSError:
                continue
    raise PermissionError("in no environment in sight")


def inherit_a_variable(bait: Bait) -> object:
    import os

    if bait["canary"] in os.environ.values():
        return "the agent's variable"
    raise PermissionError("not inherited")


def list_other_processes(bait: Bait) -> object:
    import os

    ours = {
        "bwrap",
        "python",
        "python3",
        "python3.11",
        "eco-agent",
        bait["python"],
    }
    seen = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            try:
                seen.append(_read(f"/proc/{name}/comm").decode().strip())
            except OSError:
                continue
    strangers = [comm for comm in seen if comm not in ours]
    if strangers or len(seen) > 4:
        return seen
    raise PermissionError("only the sandbox itself")


def signal_the_agent(bait: Bait) -> object:
    import os

    if os.getpid() == bait["pid"]:
        raise PermissionError("that number is this process")
    os.kill(bait["pid"], 0)
    return "could be signalled"


def connect_to_loopback(bait: Bait) -> object:
    import socket

    return str(socket.create_connection(("127.0.0.1", bait["port"]), 3))


def connect_to_the_machines_address(bait: Bait) -> object:
    import socket

    return str(socket.create_connection((bait["address"], bait["port"]), 3))


def send_a_datagram(bait: Bait) -> object:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", bait["port"]))


def connect_to_a_named_socket(bait: Bait) -> object:
    import socket

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(bait["socket"])
        return "connected"


def connect_to_an_abstract_socket(bait: Bait) -> object:
    import socket

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(bait["abstract"])
        return "connected"


def make_a_netlink_socket(bait: Bait) -> object:
    import socket

    return str(socket.socket(16, socket.SOCK_RAW, 0))


def make_a_vsock(bait: Bait) -> object:
    import socket

    return str(socket.socket(40, socket.SOCK_STREAM, 0))


def resolve_a_name(bait: Bait) -> object:
    import socket

    if socket.gethostbyname(socket.gethostname()) == bait["address"]:
        return "the machine's name"
    raise PermissionError("its own name only")


def write_beside_the_key(bait: Bait) -> object:
    with open(bait["key"] + ".new", "wb") as file:
        return file.write(b"x")


def write_into_the_system(bait: Bait) -> object:
    with open("/usr/eco-dask-was-here", "wb") as file:
        return file.write(b"x")


def write_into_python(bait: Bait) -> object:
    import dask

    with open(dask.__file__ + ".new", "wb") as file:
        return file.write(b"x")


def raise_the_limits(bait: Bait) -> object:
    import resource

    wanted = (1 << 20, 1 << 20)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, wanted)
    except ValueError as error:
        raise PermissionError(str(error)) from error
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def reach_the_agent_through_open_files(bait: Bait) -> object:
    import os
    import stat

    kinds = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            mode = os.fstat(int(name)).st_mode
        except OSError:
            continue
        kinds[int(name)] = (os.readlink(f"/proc/self/fd/{name}"), stat.S_ISREG(mode))
    strange = {fd: path for fd, (path, regular) in kinds.items() if regular or path[0] == "/"}
    strange = {fd: path for fd, path in strange.items() if not path.startswith(("/dev/", "/proc/"))}
    # Streams, their copies, and what the interpreter itself opened.
    sockets = [path for path, _ in kinds.values() if path.startswith("socket:")]
    if strange or len(set(sockets)) > 1:
        return kinds
    raise PermissionError("the streams only")


def system_call(name: str, *arguments: int):
    """An attack that is one call of the kernel, by its number."""

    def attempt(bait: Bait) -> object:
        import ctypes
        import os

        libc = ctypes.CDLL(None, use_errno=True)
        words = [ctypes.c_long(bait["pid"] if a == "pid" else a) for a in arguments]
        result = libc.syscall(ctypes.c_long(bait["numbers"][name]), *words)
        if result == -1:
            errno = ctypes.get_errno()
            if errno not in {1, 3, 13, 38, 95}:
                return f"errno {errno}: the kernel looked at its arguments"
            raise OSError(errno, os.strerror(errno))
        return result

    return attempt


ATTACKS = {
    attack.__name__: attack
    for attack in (
        read_agents_key,
        read_home,
        read_shadow,
        read_agents_environment,
        find_the_canary_in_any_process,
        inherit_a_variable,
        list_other_processes,
        signal_the_agent,
        connect_to_loopback,
        connect_to_the_machines_address,
        send_a_datagram,
        connect_to_a_named_socket,
        connect_to_an_abstract_socket,
        make_a_netlink_socket,
        make_a_vsock,
        resolve_a_name,
        write_beside_the_key,
        write_into_the_system,
        write_into_python,
        raise_the_limits,
        reach_the_agent_through_open_files,
    )
} | {
    name: system_call(name, *arguments)
    for name, arguments in {
        "ptrace": (16, "pid", 0, 0),
        "process_vm_readv": ("pid", 0, 0, 0, 0, 0),
        "mount": (0, 0, 0, 0, 0),
        "unshare": (0x10000000,),
        "setns": (0, 0),
        "bpf": (0, 0, 0),
        "keyctl": (0, -3, 0),
        "add_key": (0, 0, 0, 0, -3),
        "userfaultfd": (0,),
        "io_uring_setup": (1, 0),
        "perf_event_open": (0, 0, 0, 0, 0),
        "kexec_load": (0, 0, 0, 0),
        "init_module": (0, 0, 0),
        "open_by_handle_at": (0, 0, 0),
        "kcmp": ("pid", "pid", 0, 0, 0),
        "personality": (0xFFFFFFFF,),
        "sched_setaffinity": (0, 8, 0),
    }.items()
}
#: Attempts that an unconfined task succeeds with on any machine: that they work is shown first.
HARMLESS_CONTROLS = (
    "read_agents_key",
    "read_home",
    "find_the_canary_in_any_process",
    "inherit_a_variable",
    "list_other_processes",
    "signal_the_agent",
    "connect_to_loopback",
    "send_a_datagram",
    "connect_to_a_named_socket",
    "connect_to_an_abstract_socket",
    "make_a_netlink_socket",
    "write_beside_the_key",
    "personality",
    "sched_setaffinity",
)


def attempt(name: str, bait: Bait) -> str:
    """Try one; return what came of it, in words that begin with "refused" or "gained"."""
    import os

    try:
        gained = ATTACKS[name](bait)
    except OSError as error:
        return f"refused: {error.strerror or error}"
    except Exception as error:
        return f"gained an unexpected {type(error).__name__}: {error} ({os.getpid()})"
    return f"gained {gained!r}"[:300]


def memory_bomb() -> int:
    held = []
    for _ in range(200):
        held.append(b"x" * (16 << 20))
    return len(held)


def unnamed_memory_bomb() -> int:
    import os

    descriptor = os.memfd_create("bomb")
    for _ in range(200):
        os.write(descriptor, b"x" * (16 << 20))
    return os.fstat(descriptor).st_size


def fork_bomb() -> int:
    import os
    import time

    for n in range(400):
        try:
            pid = os.fork()
        except OSError:
            return n
        if pid == 0:
            time.sleep(60)
            os._exit(0)
    return 400


def fill(folder: str) -> int:
    import os

    written = 0
    path = os.path.join(folder, "fill")
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(1024):
                written += file.write(b"x" * (1 << 20))
    except OSError:
        pass
    finally:
        os.remove(path)
    return written
