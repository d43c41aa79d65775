"""Conformance 18: Windows' Energy Meter Interface on constructed bytes."""

from __future__ import annotations

import struct

import pytest
from energy_trees import FIXTURES, HandClock, MadeEmi, emi_metadata_v2, energies
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.readers.emi import (
    GET_MEASUREMENT,
    GET_METADATA,
    GET_METADATA_SIZE,
    GET_VERSION,
    EmiReader,
)
from eco_dask.energy.readers.emi_format import (
    EmiFormatError,
    EmiMeasurement,
    devices_of,
    parse_channels,
    parse_measurements,
    parse_version,
)
from eco_dask.energy.reading import Tier, Unavailable

INTEL = bytes.fromhex((FIXTURES / "emi_intel_metadata.hex").read_text())
PWH_PER_J = 10**12 // 3600


def meter(metadata: bytes, *energies_pwh: int, version: int = 2) -> dict[int, bytes | OSError]:
    counters = b"".join(struct.pack("<QQ", energy, 0) for energy in energies_pwh)
    return {
        GET_VERSION: struct.pack("<H", version),
        GET_METADATA_SIZE: struct.pack("<I", len(metadata)),
        GET_METADATA: metadata,
        GET_MEASUREMENT: counters,
    }


def test_channels_are_named_in_the_order_of_their_measurements() -> None:
    assert parse_channels(2, INTEL) == (
        "RAPL_Package0_PKG", "RAPL_Package0_PP0", "RAPL_Package0_PP1", "RAPL_Package0_DRAM",
    )  # fmt: skip


def test_a_version_1_meter_has_one_channel() -> None:
    name = "CPU rail\0".encode("utf-16-le")
    data = struct.pack("<I32s32sHH", 0, b"", b"", 1, len(name)) + name
    assert parse_channels(1, data) == ("CPU rail",)


@pytest.mark.parametrize(
    ("names", "devices"),
    [
        (
            ("RAPL_Package0_PKG", "RAPL_Package0_PP0", "RAPL_Package0_DRAM"),
            {"cpu:0": 0, "dram:0": 2},
        ),
        (("RAPL_Package1_PKG", "RAPL_Package0_PKG"), {"cpu:1": 0, "cpu:0": 1}),
        (("VDDCR_VDD Power", "VDDCR_SOC Power", "Current Socket Power"), {"cpu:0": 2}),
        (("RAPL_Package0_PKG", "Current Socket Power"), {"cpu:0": 0}),
        (("RAPL_Package1_PKG", "Current Socket Power"), {"cpu:1": 0}),
        (("RAPL_Package0_PP0", "Psys"), {}),
        ((), {}),
    ],
)
def test_each_joule_is_counted_by_one_channel(
    names: tuple[str, ...], devices: dict[str, int]
) -> None:
    assert devices_of(names) == devices


@pytest.mark.parametrize(
    ("pwh", "uj"),
    [(0, 0), (10**12, 3_600_000_000), (2500, 9), (277, 0), (2**64 - 1, 66408278665354385)],
)
def test_picowatt_hours_become_microjoules_exactly(pwh: int, uj: int) -> None:
    assert EmiMeasurement(pwh, 0).energy_uj == uj


@pytest.mark.parametrize("version", [b"", b"\x01", struct.pack("<H", 3), struct.pack("<H", 0)])
def test_an_unknown_version_is_refused(version: bytes) -> None:
    with pytest.raises(EmiFormatError):
        parse_version(version)


@pytest.mark.parametrize("length", range(len(INTEL)))
def test_metadata_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(EmiFormatError):
        parse_channels(2, INTEL[:length])


@given(st.binary(max_size=200), st.sampled_from([1, 2]))
def test_any_bytes_are_parsed_or_refused(data: bytes, version: int) -> None:
    try:
        names = parse_channels(version, data)
    except EmiFormatError:
        return
    assert all(isinstance(name, str) and "\0" not in name for name in names)


def test_another_unit_is_refused() -> None:
    with pytest.raises(EmiFormatError, match="unit 1"):
        parse_channels(2, emi_metadata_v2("RAPL_Package0_PKG", unit=1))


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(EmiFormatError):
        parse_measurements(bytes(31), 2)


def test_package_and_memory_are_read_and_their_parts_are_not() -> None:
    port, clock = MadeEmi({"m": meter(INTEL, 10**12, 5, 6, 10**11)}), HandClock()
    reader = EmiReader(port, clock)
    first = reader.read()
    assert {it.tier for it in first.values()} == {Tier.METERED}
    clock.at_s += 1
    port.answers["m"] = meter(INTEL, 10**12 + 30 * PWH_PER_J, 10**9, 10**9, 10**11 + 4 * PWH_PER_J)
    used = energies(reader.read())
    assert used == {"cpu:0": pytest.approx(30_000_000, abs=1), "dram:0": pytest.approx(4e6, abs=1)}


def test_a_meter_that_fails_leaves_the_others() -> None:
    broken = meter(INTEL) | {GET_VERSION: OSError(50, "not supported")}
    port = MadeEmi({"a": broken, "b": meter(emi_metadata_v2("RAPL_Package0_PKG"), 7)})
    assert list(energies(EmiReader(port, HandClock()).read())) == ["cpu:0"]


@pytest.mark.parametrize(
    ("port", "word"),
    [
        (None, "Windows only"),
        (MadeEmi(), "no energy meter"),
        (
            MadeEmi({"a": meter(INTEL) | {GET_VERSION: OSError(50, "not supported")}}),
            "not supported",
        ),
        (MadeEmi({"a": meter(emi_metadata_v2("GPU rail"), 7)}), "GPU rail"),
        (MadeEmi({"a": meter(INTEL, 7)}), "bytes expected"),
        (MadeEmi({"a": meter(INTEL) | {GET_METADATA_SIZE: bytes(4)}}), "not believable"),
    ],
)
def test_why_nothing_is_metered_is_said(port: MadeEmi | None, word: str) -> None:
    sample = EmiReader(port, HandClock()).read()
    assert isinstance(sample, Unavailable)
    assert word in sample.reason
