"""Capability: what a machine says survives the wire, and what a liar says does not pass."""

from __future__ import annotations

import dataclasses

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.errors import RegistrationError
from eco_dask.providers.capability import (
    LISTED_MAX,
    MACHINES,
    SYSTEMS,
    TEXT_CHARS_MAX,
    Capability,
    Gpu,
)
from eco_dask.wire.fields import facts

GIB = 1 << 30
H100 = Gpu("NVIDIA H100 80GB HBM3", 80 * GIB)
PLAIN = Capability(8, 16 * GIB, (), "linux", "x86_64", "3.11.14", "2.4.6")
FULL = Capability(
    cores=16,
    memory_bytes=128 * GIB,
    gpus=(H100, H100),
    os="linux",
    machine="x86_64",
    python="3.11.14",
    numpy="2.4.6",
    blas="openblas 0.3.31",
    blas_kernel="SkylakeX",
    blas_threading="pthreads",
    blas_threads=1,
    simd="X86_V2+X86_V3",
    gpu_library="cupy-cuda12x 13.3.0",
)

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=TEXT_CHARS_MAX)
models = st.from_regex(r"[!-~][ -~]{0,180}", fullmatch=True)
capabilities = st.builds(
    Capability,
    cores=st.integers(1, 8192),
    memory_bytes=st.integers(1, 1 << 50),
    gpus=st.lists(st.builds(Gpu, models, st.integers(1, 10**16 - 1)), max_size=4).map(tuple),
    os=st.sampled_from(sorted(SYSTEMS)),
    machine=st.sampled_from(sorted(MACHINES)),
    python=st.sampled_from(["3.11.14", "3.14.0rc1", "3.13.1+"]),
    numpy=st.sampled_from(["2.4.6", "2.5.0.dev0"]),
    blas=texts,
    blas_kernel=texts,
    blas_threading=texts,
    blas_threads=st.integers(0, 8192),
    simd=texts,
    gpu_library=texts,
    unknown=st.lists(texts, max_size=4).map(tuple),
)


@given(capabilities)
def test_a_capability_survives_the_wire(capability: Capability) -> None:
    sent = msgpack.unpackb(msgpack.packb(capability.to_map()))
    assert Capability.from_map(sent) == capability
    assert all(isinstance(value, str | int | list) for value in sent.values())


@given(capabilities)
def test_the_protocol_carries_every_capability(capability: Capability) -> None:
    assert facts().fits(capability.to_map())


@given(capabilities)
def test_tags_are_words_and_cannot_claim_a_role(capability: Capability) -> None:
    tags = capability.tags()
    assert all(tag == tag.strip() and " " not in tag for tag in tags)
    plain = {tag for tag in tags if ":" not in tag} - SYSTEMS - MACHINES - {"gpu"}
    assert all(tag.startswith("python3.") for tag in plain)
    assert ("gpu" in tags) == bool(capability.gpus)


def test_tags_and_resources_name_what_is_there() -> None:
    assert FULL.tags() == {
        "linux", "x86_64", "python3.11", "gpu", "blas:openblas", "gpu:nvidia-h100",
        "gpu:nvidia-h100-80gb-hbm3", f"numerics:{FULL.numerics}",
    }  # fmt: skip
    assert PLAIN.tags() == {"linux", "x86_64", "python3.11", f"numerics:{PLAIN.numerics}"}
    assert FULL.resources() == {"GPU": 2.0}
    assert PLAIN.resources() == {}


@pytest.mark.parametrize(
    "change",
    [
        {"numpy": "2.4.7"},
        {"blas": "openblas 0.3.32"},
        {"blas_kernel": "Haswell"},
        {"blas_threading": "openmp"},
        {"blas_threads": 2},
        {"simd": "X86_V2"},
        {"gpu_library": "cupy-cuda12x 13.4.0"},
        {"gpus": ()},
        {"blas": "openblas 0.3.31SkylakeX", "blas_kernel": ""},
    ],
)
def test_what_changes_last_bits_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert dataclasses.replace(FULL, **change).numerics != FULL.numerics


@pytest.mark.parametrize(
    "change",
    [{"cores": 2}, {"memory_bytes": 1}, {"unknown": ("simd: no idea",)}, {"gpus": (H100,)}],
)
def test_size_does_not_change_the_fingerprint(change: dict[str, object]) -> None:
    assert dataclasses.replace(FULL, **change).numerics == FULL.numerics


HOSTILE: dict[str, dict[str, object]] = {
    "no cores": {"cores": 0},
    "negative cores": {"cores": -1},
    "a million cores": {"cores": 10**6},
    "true cores": {"cores": True},
    "cores as text": {"cores": "8"},
    "cores as float": {"cores": 8.0},
    "not a number of cores": {"cores": float("nan")},
    "no memory": {"memory_bytes": 0},
    "endless memory": {"memory_bytes": 1 << 51},
    "huge memory": {"memory_bytes": 10**400},
    "None": {"memory_bytes": None},
    "system that is a role": {"os": "trusted"},
    "machine that is a tag": {"machine": "gpu"},
    "unhashable system": {"os": ["linux"]},
    "no python": {"python": ""},
    "python with a newline": {"python": "3.11\n"},
    "long text": {"simd": "x" * (TEXT_CHARS_MAX + 1)},
    "control characters": {"blas": "\x1b[2J"},
    "other alphabet": {"blas": "openbl\u0430s"},
    "bytes": {"blas": b"openblas"},
    "GPUs as text": {"gpus": "many"},
    "GPUs as numbers": {"gpus": [1, 2]},
    "GPU without memory": {"gpus": ["NVIDIA H100"]},
    "GPU with no memory": {"gpus": ["0 NVIDIA H100"]},
    "GPU with Unicode digits": {"gpus": ["١٢ NVIDIA H100"]},
    "GPU with control characters": {"gpus": ["1 NVIDIA\n"]},
    "GPU as map": {"gpus": [{"model": "H100"}]},
    "too many GPUs": {"gpus": ["1 x"] * (LISTED_MAX + 1)},
    "reasons as text": {"unknown": "all"},
    "too many reasons": {"unknown": [""] * (LISTED_MAX + 1)},
    "long reason": {"unknown": ["x" * 10**5]},
    "other fingerprint": {"numerics": "0" * 12},
    "no fingerprint": {"numerics": None},
    "unexpected key": {"trusted": True},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_maps_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(RegistrationError) as refused:
        Capability.from_map(FULL.to_map() | change)
    assert refused.value.code == "bad-capability"
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("key", sorted(FULL.to_map()))
def test_every_key_is_needed(key: str) -> None:
    sent = FULL.to_map()
    del sent[key]
    with pytest.raises(RegistrationError, match=key):
        Capability.from_map(sent)


def test_a_flood_of_keys_is_refused_briefly() -> None:
    with pytest.raises(RegistrationError) as refused:
        Capability.from_map({f"key{i}" * 1000: i for i in range(1000)})
    assert len(str(refused.value)) < 1000


def test_keys_of_any_type_are_refused() -> None:
    with pytest.raises(RegistrationError):
        Capability.from_map({1: 2, b"x": 3, "cores": 1})  # type: ignore[dict-item]
