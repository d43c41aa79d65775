"""Decode thousands of mutated encodings in a process of its own and print what came of it.

    corpus --encode--> bytes --mutate--> bytes --decode--> a value, or ValueCodecError

Run as ``python hostile_values.py SEED COUNT``.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import traceback
import warnings
from collections import Counter

import values_corpus as corpus

from eco_dask.errors import ValueCodecError
from eco_dask.values import CodecLimits, EncodedValue, encode
from eco_dask.values.limits import DEFAULT_LIMITS
from eco_dask.values.stream import pack, unpack

LIMITS = CodecLimits(nodes_max=100_000, size_bytes_max=64 << 20)
NASTY = [
    *(None, True, False, 0, 1, -1, 2, 3, 64, 65, 127, 255, 1000, 2**31 - 1, 2**31, 2**32, 2**40),
    *(2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.0, 1.5, float("nan"), float("inf"), -1e308),
    *("", "x", "\0", "O", "|O", "<f8", "|S0", "|V0", "<U268435455", "|S2147483647", "<M8[7ns]"),
    *("<M8[999999999Y]", "O8", "f8,O", "object", "os", "datetime64[ns]", "period[M]", "MS", "C"),
    *("../../etc/passwd", "Europe/Berlin", "a/b/c", "tzdata", "int64[pyarrow]", "left", "python"),
    *(b"", b"x", b"\0" * 8, b"\xff" * 8, b"os.system", b"pandas.read_pickle", b"scipy.sparse.x"),
    *(b"xarray.Dataset", b"pandas.DataFrame", b"pandas.Index", b"pyarrow.Table", b"cupy.ndarray"),
    *(b"A", b"O", b"T", b"n", b"L", b"D", b"S", b"F", b"t", b"s", b"r", b"I", b"U", b"{", b"("),
    *(b"masked", b"dtype", b"registered", b"datetime", b"zone", b"type", b"schema", b"arrow"),
    *(b"pandas.array", b"pandas.RangeIndex", b"pandas.MultiIndex", b"xarray.Variable"),
]


def flip(data, rng, others):
    for _ in range(rng.choice([1, 1, 2, 8])):
        i = rng.randrange(len(data))
        data[i] ^= 1 << rng.randrange(8)
    return data


def overwrite(data, rng, others):
    i = rng.randrange(len(data))
    data[i : i + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"])
    return data


def truncate(data, rng, others):
    return data[: rng.randrange(len(data))]


def splice(data, rng, others):
    other = rng.choice(others)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def edit_header(encoded, rng, others):
    """Change tokens of the header; everything else stays well-formed."""
    tokens = unpack(encoded.header, DEFAULT_LIMITS)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        i = rng.randrange(len(tokens))
        match rng.randrange(5):
            case 0 | 1:
                tokens[i] = rng.choice(NASTY)
            case 2:
                tokens.insert(i, rng.choice(NASTY))
            case 3:
                del tokens[i : i + rng.choice([1, 2, 5])]
                tokens = tokens or [None]
            case _:
                other = unpack(rng.choice(others).header, DEFAULT_LIMITS)
                j = rng.randrange(len(other))
                tokens[i : i + rng.choice([0, 1, 3])] = other[j : j + rng.choice([1, 3, 20])]
    return EncodedValue(pack(tokens), encoded.buffers)


def edit_buffer(encoded, rng, others):
    """Change the raw data, inlined or not."""
    tokens = unpack(encoded.header, DEFAULT_LIMITS)
    raw = [i for i, t in enumerate(tokens) if type(t) is bytes and tokens[:i]]
    buffers = [bytearray(b) for b in encoded.buffers]
    if raw:
        i = rng.choice(raw)
        tokens[i] = bytes(flip(bytearray(tokens[i]), rng, others)) if tokens[i] else b"\xff"
    for buffer in buffers:
        flip(buffer, rng, others)
        if not rng.randrange(3):
            del buffer[rng.randrange(len(buffer)) :]
    return EncodedValue(pack(tokens), buffers)


def mutants(rng, count):
    encodings = [encode(value) for value in corpus.CORPUS.values()]
    raw = [e.to_bytes() for e in encodings]
    for i in range(count):
        k = i % len(encodings)
        mutate = rng.choice([flip, overwrite, truncate, splice, *[edit_header, edit_buffer] * 3])
        if mutate in {edit_header, edit_buffer}:
            yield mutate.__name__, mutate(encodings[k], rng, encodings).to_bytes()
        else:
            yield mutate.__name__, bytes(mutate(bytearray(raw[k]), rng, raw))


def main(seed, count):
    warnings.simplefilter("ignore")
    for value in corpus.CORPUS.values():
        encode(value).decode()
    known, used_kib = set(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes, escaped = Counter(), []
    for name, data in mutants(random.Random(seed), count):
        try:
            encoded = EncodedValue.from_bytes(data, LIMITS)
            str(encoded), encoded.python_type
            encoded.decode(LIMITS)
            outcomes[f"{name} decoded"] += 1
        except ValueCodecError:
            outcomes[f"{name} refused"] += 1
        except BaseException:
            escaped.append(traceback.format_exc()[-600:])
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used_kib
    new = sorted(set(sys.modules) - known)
    found = {"outcomes": outcomes, "escaped": escaped, "grown_kib": grown_kib, "new": new}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
