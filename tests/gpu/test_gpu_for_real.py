"""A real GPU: it is found, its energy is read, and its answers are verified like any others."""

from __future__ import annotations

import shutil
import time
from collections import Counter

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client
from e2e_network import network, until
from gpu_functions import (
    CPU_ONLY,
    SIZE,
    burn_on_gpu,
    expected,
    product_on_gpu,
    product_where_possible,
)

import eco_dask
from eco_dask import EcoCluster
from eco_dask.cluster import ProviderSpec
from eco_dask.energy.readers.nvidia import NvidiaReader
from eco_dask.energy.reading import Reading, Tier, Unavailable
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.providers.detect import detect, find_gpus
from eco_dask.sketches import sketch
from eco_dask.testing import misbehaving
from eco_dask.values.encoded import encode

TASKS = 8
SEED = bytes(range(32))


def receipts(cluster: EcoCluster) -> Counter[tuple[str, str]]:
    database = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        found = Ledger(database).receipts(limit=10_000)
        return Counter((receipt.owner, str(receipt.reason)) for receipt in found)
    finally:
        database.dispose()


def burn(seconds: float) -> float:
    """Keep the GPU busy; return for how long it was."""
    began_s = time.monotonic()
    burn_on_gpu(0, seconds)
    return time.monotonic() - began_s


def test_the_gpu_is_advertised_with_name_memory_and_library() -> None:
    found = detect()
    assert found.gpus == find_gpus()[0]
    assert found.gpus[0].model.startswith("NVIDIA")
    assert found.gpus[0].memory_bytes > 2**30
    assert found.gpu_library.startswith("cupy")


def readings(reader: NvidiaReader) -> list[Reading]:
    """Read all GPUs now; each must answer."""
    sample = reader.read()
    assert not isinstance(sample, Unavailable), sample
    found = list(sample.values())
    assert all(isinstance(each, Reading) for each in found), found
    return found


def total_uj(reader: NvidiaReader) -> int:
    return sum(each.energy_uj for each in readings(reader))


def test_nvml_reads_more_power_of_a_busy_gpu_than_of_an_idle_one(record_property) -> None:
    import pynvml

    reader = NvidiaReader(pynvml)
    watts = {}
    try:
        for name, act_s in (("busy", burn), ("idle", lambda s: time.sleep(s) or s)):
            act_s(1.0)  # clocks and temperature settle
            began_uj = total_uj(reader)
            elapsed_s = act_s(2.0)
            watts[name] = (total_uj(reader) - began_uj) / elapsed_s / 1e6
        tiers = {each.tier for each in readings(reader)}
    finally:
        reader.close()
    record_property("watts", watts)
    assert tiers <= {Tier.METERED, Tier.SAMPLED}
    assert 5 < watts["idle"] < watts["busy"] < 1500


def test_the_energy_counter_and_the_integrated_power_agree(record_property) -> None:
    import pynvml

    class PowerOnly:
        """NVML as on a card without an energy counter."""

        def __getattr__(self, name):
            return getattr(pynvml, name)

        def nvmlDeviceGetTotalEnergyConsumption(self, handle):
            raise pynvml.NVMLError_NotSupported(pynvml.NVML_ERROR_NOT_SUPPORTED)

    counting, integrating = NvidiaReader(pynvml), NvidiaReader(PowerOnly())
    try:
        burn(1.0)
        began = total_uj(counting), total_uj(integrating)
        for _ in range(30):
            burn(0.1)
            total_uj(integrating)
        counted, integrated = total_uj(counting) - began[0], total_uj(integrating) - began[1]
    finally:
        counting.close()
        integrating.close()
    record_property("joules", (counted / 1e6, integrated / 1e6))
    assert integrated == pytest.approx(counted, rel=0.25)


def test_a_value_of_the_gpu_has_the_bytes_and_the_sketch_of_the_same_value_of_the_host() -> None:
    import cupy

    host = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 100)
    device = cupy.asarray(host)
    back = encode(device).decode()
    assert isinstance(back, cupy.ndarray)
    np.testing.assert_array_equal(cupy.asnumpy(back), host)
    assert sketch(device, SEED) == sketch(device.copy(), SEED)


@pytest.mark.e2e
def test_gpus_agree_and_a_liar_among_them_is_found() -> None:
    import cupy

    fleet = (ProviderSpec("ann"), ProviderSpec("bob"), misbehaving("mallory", "lie"))
    with network(providers=fleet, trusted_workers=1, sandbox="none") as cluster:
        assert all(p["capability"]["gpus"] for p in cluster.providers if p["role"] == "provider")
        with Client(cluster) as client:
            with eco_dask.job("on GPUs", quorum=2) as job, dask.annotate(resources={"GPU": 1}):
                futures = [client.submit(product_on_gpu, i, pure=False) for i in range(TASKS)]
                for i, value in enumerate(client.gather(futures)):
                    assert isinstance(value, cupy.ndarray)
                    np.testing.assert_allclose(cupy.asnumpy(value), expected(i), rtol=1e-4)
            assert job.report().accepted == TASKS
        found = receipts(cluster)
    assert found["ann", "agreed"] + found["bob", "agreed"] >= 2 * TASKS
    assert found["mallory", "dissented"] > 0
    assert found["mallory", "agreed"] == 0


@pytest.mark.e2e
def test_a_gpu_and_a_cpu_agree_on_one_product_though_their_last_bits_differ() -> None:
    import cupy

    a = np.random.default_rng(0).random((SIZE, SIZE), dtype=np.float32)
    assert cupy.asnumpy(cupy.asarray(a) @ cupy.asarray(a).T).tobytes() != (a @ a.T).tobytes()
    fleet = (ProviderSpec("gpu"), ProviderSpec("cpu", environment={CPU_ONLY: "Haswell"}))
    with (
        network(providers=fleet, trusted_workers=0, sandbox="none") as cluster,
        Client(cluster) as client,
    ):
        with eco_dask.job("mixed", quorum=2) as job:
            names = [f"matmul-{i}" for i in range(TASKS)]
            futures = [
                client.submit(product_where_possible, i, key=name, pure=False)
                for i, name in enumerate(names)
            ]
            for i, value in enumerate(client.gather(futures)):
                np.testing.assert_allclose(value, expected(i), rtol=1e-4)
        report = job.report()
        assert (report.accepted, report.attempts) == (TASKS, 2 * TASKS)
        assert set(receipts(cluster)) == {("gpu", "agreed"), ("cpu", "agreed")}


@pytest.mark.e2e
def test_an_unchanged_dask_array_of_cupy_blocks_is_computed_on_gpus() -> None:
    import cupy

    with network(n_providers=2, sandbox="none") as cluster, Client(cluster):
        with eco_dask.job("array", quorum=2), dask.annotate(resources={"GPU": 1}):
            host = da.ones((2000, 2000), chunks=1000, dtype="float32")
            x = host.map_blocks(cupy.asarray)
            total = (x @ x.T).sum().compute(optimize_graph=False)
        assert float(total) == pytest.approx(2000.0**3, rel=1e-5)
        assert sum(p["agreed"] for p in cluster.providers) > 0


@pytest.mark.e2e
def test_a_gpu_jobs_report_shows_what_nvml_counted(record_property) -> None:
    import pynvml

    reader = NvidiaReader(pynvml)
    fleet = (ProviderSpec("ann"),)
    with (
        network(providers=fleet, trusted_workers=0, sandbox="none") as cluster,
        Client(cluster) as client,
    ):
        with eco_dask.job("warm up", quorum=1), dask.annotate(resources={"GPU": 1}):
            client.submit(burn_on_gpu, -1, 0.5, pure=False).result()
        began_uj = total_uj(reader)
        with eco_dask.job("burn", quorum=1) as job, dask.annotate(resources={"GPU": 1}):
            futures = [client.submit(burn_on_gpu, i, 2.0, pure=False) for i in range(4)]
            assert client.gather(futures) == [0.0, 1.0, 2.0, 3.0]
        counted_uj = total_uj(reader) - began_uj
        until(lambda: (it := job.report().energy) and not it.unknown_runs, "all energy is known")
        useful = job.report().energy.useful
        report = str(job.report())
    reader.close()
    record_property("report", report)
    record_property("joules", (useful.component_uj / 1e6, counted_uj / 1e6))
    assert "nvml" in useful.sources
    # Not the figures at the wall, which the losses of a power supply are added to.
    assert useful.component_uj == pytest.approx(counted_uj, rel=0.15)


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_tasks_reach_the_gpu_from_inside_bubblewrap() -> None:
    with network(n_providers=2, sandbox="bwrap") as cluster, Client(cluster) as client:
        if not all(p["capability"]["gpus"] for p in cluster.providers if p["role"] == "provider"):
            logs = (cluster.data_directory / "logs" / "provider-0.log").read_text()
            pytest.skip(f"bubblewrap works without the GPU only here: {logs[-1500:]}")
        with eco_dask.job("caged", quorum=2), dask.annotate(resources={"GPU": 1}):
            value = client.submit(product_on_gpu, 1, pure=False).result()
        np.testing.assert_allclose(np.asarray(value.get()), expected(1), rtol=1e-4)
