"""What strangers' bytes go through, as functions that may only refuse in the expected way.

    seeds ──mutate──► bytes ──target──► read, or refused        (anything else has escaped)

Run as ``python fuzz_targets.py TARGET SEED COUNT`` it does COUNT mutants and prints a JSON line;
with ``--guided SECONDS`` in place of COUNT, Atheris chooses them by the code that they reach.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from eco_dask.agent.energy import parse_used
from eco_dask.errors import EcoDaskError, WireError
from eco_dask.providers.link import JoinLink
from eco_dask.sketches import sketch
from eco_dask.values import CodecLimits, EncodedValue, encode
from eco_dask.verification.compare import agree
from eco_dask.verification.sketch import Sketch
from eco_dask.wire.frames import decode_frame, encode_frame
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import Direction

_TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(_TESTS / "values"), str(_TESTS / "wire")]

_VALUE_LIMITS = CodecLimits(nodes_max=100_000, size_bytes_max=64 << 20)
_WIRE_LIMITS = WireLimits()


def read_frame(data: bytes) -> None:
    """Read a frame as a provider and as a gateway would: both ends must survive the other."""
    refusal: WireError | None = None
    for direction in (Direction.TO_GATEWAY, Direction.TO_PROVIDER):
        try:
            decode_frame(data, direction, _WIRE_LIMITS)
            return
        except WireError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def read_value(data: bytes) -> None:
    """Take an encoded value apart and decode it."""
    encoded = EncodedValue.from_bytes(data, _VALUE_LIMITS)
    str(encoded)
    encoded.decode(_VALUE_LIMITS)


def read_sketch(data: bytes) -> None:
    """Read a sketch and compare it, with itself and with an honest one."""
    read = Sketch.from_bytes(data)
    agree(read, read, 1e-9)
    agree(read, _HONEST, 1e-9)


def read_uses(data: bytes) -> None:
    """Read what a runner says of its tasks' processor time, as the agent would."""
    try:
        header = msgpack.unpackb(data, strict_map_key=True)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        # The pipe refuses these before; see eco_dask.agent.pipe.
        raise WireError("header", str(error)) from error
    parse_used(header if isinstance(header, list) else [header], frozenset({"gpu:GPU-1"}))


def read_link(data: bytes) -> None:
    """Read a join link that somebody was sent."""
    JoinLink.parse(data.decode("utf-8", "replace"))


_HONEST = sketch({"a": np.arange(100.0), "b": [1.5, "x"]}, bytes(32))
TARGETS: dict[str, Callable[[bytes], None]] = {
    "frame": read_frame,
    "value": read_value,
    "sketch": read_sketch,
    "link": read_link,
    "uses": read_uses,
}


def seeds(target: str) -> list[bytes]:
    """Return well-formed bytes that the mutants are made of."""
    match target:
        case "frame":
            from wire_samples import SAMPLES

            both = [m for m in SAMPLES if m.DIRECTION is Direction.TO_GATEWAY]
            return [encode_frame([m]) for m in SAMPLES] + [encode_frame(both[:6])]
        case "value":
            from values_corpus import CORPUS

            return [encode(value).to_bytes() for value in CORPUS.values()]
        case "sketch":
            values: list[Any] = [np.arange(100.0), np.ones((9, 9), "f4"), [1.0, 2, np.nan], "text"]
            return [sketch(value, bytes(32)).to_bytes() for value in values]
        case "uses":
            uses = [["lease-1", 10**9, 10**9, True], ["lease-2", 5, 7, False]]
            told = [["used", uses, False, False], ["used", [], True, True]]
            return [msgpack.packb(it) for it in told]
        case _:
            invite = f"{'i' * 16}.{'s' * 43}"
            return [
                f"eco-dask://{place}/{invite}{tls}".encode()
                for place in ("127.0.0.1:8790", "[::1]:1", "example.org:443")
                for tls in ("", f"?tls={'ab' * 32}", f".{'a2' * 13}", ".ca")
            ]


def mutate(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Change a few bytes, lengths, or the order of parts."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        i = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0:
                data[i : i + 1] = bytes([rng.randrange(256)])
            case 1:
                data[i : i + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
            case 2:
                del data[i:]
            case 3:
                other = rng.choice(others)
                data[i:] = other[rng.randrange(len(other)) :]
            case 4:
                data[i:i] = rng.randbytes(rng.choice([1, 2, 8, 64]))
            case 5:
                # MessagePack's own marks: containers, extensions, numbers, texts.
                data[i : i + 1] = bytes([rng.choice(range(0x80, 0x100))])
            case _:
                j = rng.randrange(len(data) + 1)
                data[i:i] = data[j : j + rng.choice([1, 4, 32])]
    return bytes(data)


def run(target: str, seed: int, count: int) -> dict[str, Any]:
    """Read ``count`` mutants; say how many were read, refused, and what escaped."""
    rng, made = random.Random(seed), seeds(target)
    read_fully, escaped = TARGETS[target], []
    counts = {"read": 0, "refused": 0}
    for data in made:
        _try(read_fully, data, {}, [])
    warm = count // 10
    used_kib = 0
    for i in range(count):
        if i == warm:
            used_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _try(read_fully, mutate(bytearray(rng.choice(made)), rng, made), counts, escaped)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used_kib
    return {**counts, "escaped": escaped[:20], "uncaught": len(escaped), "grown_kib": grown_kib}


def _try(
    read: Callable[[bytes], None], data: bytes, counts: dict[str, int], escaped: list[str]
) -> None:
    try:
        read(data)
        outcome = "read"
    except EcoDaskError:
        outcome = "refused"
    except BaseException:  # noqa: BLE001  that is what is looked for
        escaped.append(f"{data[:200]!r}\n{traceback.format_exc()[-800:]}")
        return
    counts[outcome] = counts.get(outcome, 0) + 1


def run_guided(target: str, seconds: int) -> None:
    """Let Atheris look for bytes that escape; it ends the process with what it found."""
    import atheris

    read = TARGETS[target]
    atheris.instrument_all()

    def one_input(data: bytes) -> None:
        try:
            read(data)
        except EcoDaskError:
            return

    folder = Path(tempfile.mkdtemp(prefix="eco-fuzz-"))
    for i, seed in enumerate(seeds(target)):
        (folder / str(i)).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-rss_limit_mb=2048",
        "-max_len=4096",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/escaped-",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[2] == "--guided":
        run_guided(sys.argv[1], int(sys.argv[3]))
    else:
        print(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
