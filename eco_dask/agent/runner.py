"""The runner: the process that runs recruiters' tasks, and nothing else.

    ["run", lease, n_inputs] + task, inputs, constants ─► ["done" | "raised", lease, ...] + value
    once a second: ["used", [[lease, cpu_ns, wall_ns, ended], ...], gpu, more]

It holds no key and no link; it talks to the agent through its standard input and output only. The
task is the recruiter's own pickle and may do whatever the sandbox around this process allows.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pickle
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import cloudpickle
import psutil

from eco_dask.agent.pipe import Buffer, Header, pack, read
from eco_dask.energy.task_clock import TaskClock
from eco_dask.errors import ValueCodecError
from eco_dask.text import clean
from eco_dask.values import EncodedValue, encode, register
from eco_dask.values.registered import vouch
from eco_dask.values.unsafe import PickledResult

#: What of an exception travels: enough to debug, not enough to flood.
MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX = 4_000, 20_000

#: How often uses are told, and how many in a message, which must fit a header.
USES_EVERY_S, USES_PER_MESSAGE = 1.0, 2048
_GPU_LIBRARIES = frozenset({"cupy", "torch", "numba.cuda"})


class TaskRunner:
    """Runs tasks that come in from one stream and answers into another."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, slots: int) -> None:
        self._clock = TaskClock()
        self._numbers = itertools.count()
        self._incoming = incoming
        self._outgoing = outgoing
        self._slots = slots
        self._lock = threading.Lock()
        # With one slot the process is the task's own, so BLAS threads' time counts as well.
        self._cpu_clock = time.process_time if slots == 1 else time.thread_time

    def serve(self) -> None:
        """Run tasks until the agent closes the stream."""
        self._answer(["ready", os.getpid()])
        threading.Thread(target=self._tell_uses, name="eco-uses", daemon=True).start()
        with ThreadPoolExecutor(self._slots, thread_name_prefix="eco-slot") as pool:
            while (message := read(self._incoming)) is not None:
                header, buffers = message
                if self._slots == 1:
                    self._run(header, buffers)
                else:
                    pool.submit(self._run, header, buffers)

    def _run(self, header: Header, buffers: list[bytearray]) -> None:
        _, lease, n_inputs = header
        # Numbered, as a lease may come twice.
        with self._clock.running(f"{next(self._numbers)} {lease}"):
            answer, parts = self._answer_of(lease, n_inputs, buffers)
        self._answer(answer, parts)

    def _answer_of(
        self, lease: str, n_inputs: int, buffers: list[bytearray]
    ) -> tuple[Header, list[Buffer]]:
        wall_s, cpu_s = time.perf_counter(), self._cpu_clock()
        try:
            value = run_encoded(buffers[0], buffers[1 : 1 + n_inputs], buffers[1 + n_inputs :])
            digest = value.digest
        except BaseException as error:  # noqa: BLE001  whatever a task raises is its answer
            module = missing_module(error)
            answer: Header = (
                ["lacks", lease, module] if module else ["raised", lease, *_describe(error)]
            )
            parts: list[Buffer] = []
        else:
            answer = ["done", lease, digest, value.size_bytes]
            parts = list(value.parts())
        answer += [self._cpu_clock() - cpu_s, time.perf_counter() - wall_s]
        return answer, parts

    def _tell_uses(self) -> None:
        """Tell once a second what tasks used of the processor; nothing if none ran."""
        while True:
            time.sleep(USES_EVERY_S)
            drained = self._clock.drain()
            ended = set(drained.ended)
            # A GPU that such a library leaves idle costs little, so other tasks are not charged.
            gpu = not _GPU_LIBRARIES.isdisjoint(sys.modules)
            uses = [
                [it.key.partition(" ")[2], it.cpu_ns, it.overlap_ns, it.key in ended]
                for it in drained.uses
            ]
            for start in range(0, len(uses), USES_PER_MESSAGE):
                part = uses[start : start + USES_PER_MESSAGE]
                self._answer(["used", part, gpu, start + USES_PER_MESSAGE < len(uses)])

    def _answer(self, header: Header, parts: list[Buffer] | None = None) -> None:
        chunks = pack(header, parts or [])
        with self._lock:
            for chunk in chunks:
                self._outgoing.write(chunk)
            self._outgoing.flush()


def run_encoded(task: Buffer, inputs: list[bytearray], constants: list[bytearray]) -> EncodedValue:
    """Run one task and encode its value; as a pickle where it has no safe encoding and may be one.

    Raises
    ------
    ValueCodecError
        It has no safe encoding, and the job takes no pickles.
    """
    value, unsafe = _run(task, inputs, constants)
    try:
        return encode(value)
    except ValueCodecError:
        if not unsafe:
            raise
        return encode(PickledResult(cloudpickle.dumps(value)))


def run_task(task: Buffer, inputs: list[bytearray], constants: list[bytearray]) -> object:
    """Run one task in this process and return its value.

    Inputs are decoded afresh for each task, so that one which changes them in place harms nobody.
    """
    return _run(task, inputs, constants)[0]


def _run(task: Buffer, inputs: list[bytearray], constants: list[bytearray]) -> tuple[object, bool]:
    if not task:
        # Too large for a lease: it came by digest, as the first constant.
        task, *constants = constants
    run_spec, keys, by_value, classes, vouched, unsafe = pickle.loads(task, buffers=constants)  # noqa: S301  the recruiter's code, in its sandbox
    for cls in classes:
        register(cls)
    vouch(vouched)
    data: dict[Any, object] = dict(by_value)
    for key, encoded in zip(keys, inputs, strict=True):
        value = EncodedValue.from_bytes(encoded).decode()
        # The job's own: it takes such results, and this is its sandbox.
        data[key] = value.load() if unsafe and isinstance(value, PickledResult) else value
    return run_spec(data), unsafe


def missing_module(error: BaseException) -> str:
    """Name the module that this environment lacks, if that is what an error is about."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    try:
        found = importlib.util.find_spec(error.name.partition(".")[0])
    except (ImportError, ValueError):
        # A module of the task's own making, or a finder of its own that fails: its error stands.
        return ""
    # Something of a package that is here is missing at every provider of that version.
    return clean(error.name, 100) if found is None else ""


def _describe(error: BaseException) -> list[str]:
    kind = type(error)
    builtin = kind.__module__ == "builtins"
    name = kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception as unprintable:  # noqa: BLE001  a recruiter's __str__ may do anything
        message = f"<no message: str() raised {type(unprintable).__name__}>"
    # The frame of this module is of no interest to anybody.
    frames = traceback.extract_tb(error.__traceback__)[2:]
    text = "".join(traceback.format_list(frames)) + f"{name}: {message}"
    return [
        clean(name, 200),
        clean(message, MESSAGE_CHARS_MAX),
        clean(text, TRACEBACK_CHARS_MAX),
    ]


def _end_with_agent() -> None:
    """End this process within a second of the agent's end, also in the middle of a task."""
    parent = os.getppid()
    # Where parents are not replaced when they end, as on Windows, ask whether it runs.
    agent = psutil.Process(parent) if os.name == "nt" else None

    def watch() -> None:
        while os.getppid() == parent and (agent is None or agent.is_running()):
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="eco-agent", daemon=True).start()


def main() -> None:
    """Serve on the standard streams; what tasks print goes to standard error."""
    slots = int(sys.argv[1])
    _end_with_agent()
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    import dask
    import dask.array

    # A task that computes a collection itself uses its own slot, not threads of the whole machine.
    dask.config.set(scheduler="sync")
    with os.fdopen(incoming, "rb", 1 << 20) as source, os.fdopen(outgoing, "wb", 1 << 16) as sink:
        TaskRunner(source, sink, slots).serve()


if __name__ == "__main__":
    main()
