"""Messages for tests: one sample of each type, and strategies written apart from the kinds."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import strategies as st

from eco_dask.wire import messages as m

D = bytes(range(32))

_words = st.text(max_size=20)
_whole = st.integers(0, 2**63 - 1)
_seconds = st.floats(0, 1e9) | st.integers(0, 10**9)
_octets32 = st.binary(min_size=32, max_size=32)
_lease = st.text(min_size=1, max_size=128)
_buffer = st.binary(max_size=60)
_fact = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _words
    | st.lists(_words, max_size=4)
)
_key = st.text(min_size=1, max_size=64)

#: By field name; the few that differ between messages are named ``Type.field``.
STRATEGIES = {
    "protocol": st.integers(1, 65535),
    **dict.fromkeys(["public_key", "nonce", "seed", "digest"], _octets32),
    **dict.fromkeys(["invite", "message", "traceback", "kind"], _words),
    **dict.fromkeys(["elapsed_s", "cpu_s", "wall_s", "grace_s", "deadline_s"], _seconds),
    **dict.fromkeys(["inline_bytes_max", "value_bytes_max", "result_bytes_max"], _whole),
    **dict.fromkeys(["cache_bytes", "size_bytes", "offset_bytes", "amount_mpt"], _whole),
    **dict.fromkeys(["value", "data", "task", "sketch"], _buffer),
    **dict.fromkeys(["provider", "owner", "lease"], _lease),
    **dict.fromkeys(["code", "reason"], st.text(min_size=1, max_size=64)),
    **dict.fromkeys(["digests", "inputs", "constants"], st.lists(_octets32, max_size=5).map(tuple)),
    "software": st.dictionaries(_key, _words, max_size=5),
    "energy": st.dictionaries(_key, _fact, max_size=5),
    **dict.fromkeys(["marginal_uj", "marginal_metered_uj"], st.integers(0, 10**15)),
    **dict.fromkeys(["share_uj", "share_metered_uj"], st.integers(0, 10**15)),
    **dict.fromkeys(["overlap_ms", "gap_ms"], st.integers(0, 10**9)),
    **dict.fromkeys(["assumed_exclusive", "baseline_known"], st.booleans()),
    "tier": st.text(min_size=1, max_size=2),
    "sources": st.lists(st.text(min_size=1, max_size=32), max_size=8).map(tuple),
    "Unmetered.reason": _words,
    "capability": st.dictionaries(_key, _fact, max_size=5),
    "packages": st.lists(st.text(min_size=1, max_size=128), max_size=5).map(tuple),
    "session": st.just(b"") | _octets32,
    "signature": st.binary(min_size=64, max_size=64),
    "leases": st.lists(_lease, max_size=5).map(tuple),
    "round": st.integers(1, 1_000_000),
    "resumed": st.booleans(),
    "error_type": st.text(min_size=1, max_size=256),
    "recruiter": st.text(max_size=64),
    "detail": st.text(max_size=256),
    "waiting": _whole,
    "steps": st.integers(1, 4096),
    "size": st.integers(1, 65536),
    "slots": st.integers(1, 4096),
    "Slots.slots": st.integers(0, 4096),
    "Slots.reason": _words,
    "Goodbye.reason": st.text(max_size=200),
}


def messages_of(kind: type) -> st.SearchStrategy:
    named = {
        field.name: STRATEGIES.get(f"{kind.__name__}.{field.name}", STRATEGIES.get(field.name))
        for field in fields(kind)
    }
    return st.builds(kind, **named)


SAMPLES = [
    m.Hello(1, D, {"python": "3.11.7", "dask": "2026.8.0"}, "invite", b"", 4),
    m.Proof(
        bytes(64),
        {"cores": 8, "gpu": None, "simd": ["AVX2"], "load": 0.5},
        9,
        ("numpy==2",),
        {"zone": "FRA"},
    ),
    m.BenchmarkDone((D, D), 1.5, 1.25),
    m.Resumed(("a", "b")),
    m.Committed("a", D, 3, 0.5, 0.25, b"xyz"),
    m.Failed("a", "ValueError", "no", "Traceback ...", 0.5, 1.0),
    m.Declined("a", "memory", "needs 4 GB"),
    m.Missing("a", (D,)),
    m.ValueGone("a"),
    m.Evicted((D, D)),
    m.Slots(0, "paused by its owner"),
    m.Metered("a", 7, 5, 3, 2, "C", ("load-model", "nvml"), 1500, 20, 1, False, True),
    m.Unmetered("a", "no meter ran"),
    m.ValuePart(D, 10, 4, b"abcdef"),
    m.Goodbye("restart"),
    m.Challenge(1, D),
    m.BenchmarkAsked(D, 3, 256),
    m.Welcome("p1", "alice", D, 60.0, 65536, 2**30, True, ("a",)),
    m.Refused("invite-spent", "ask for another"),
    m.Lease("a", "sum", "r1", 30.0, (D, D), (D,), 10**6, b"task bytes"),
    m.Fetch("a"),
    m.Release(("a",)),
    m.Recall(("a", "b")),
    m.Receipted("a", "agreed", 1500),
    m.Sketched("a", 2, b"sketch bytes"),
    m.Outlook("tags", "gpu", 3),
    m.SketchAsked("a", 2, D),
    m.NewKey(bytes(32), bytes(64)),
    m.KeyTaken(bytes(32)),
]
