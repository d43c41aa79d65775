"""Unchanged Dask code gives the right answers on the network."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, as_completed

POINTS = np.arange(60_000, dtype=float).reshape(300, 200)
BIG = np.random.default_rng(1).standard_normal((2500, 2500))


def doubled(x):
    return 2 * x


class Word:
    """A recruiter's own class, without a safe encoding."""

    def __init__(self, text):
        self.text = text


def shout(word):
    return word.text.upper()


ARRAYS = {
    "matmul": lambda x: x @ x.T,
    "reduction": lambda x: x.sum(axis=0) / x.std(),
    "rechunk": lambda x: x.rechunk((50, 200)) + 1,
    "overlap": lambda x: x.map_overlap(lambda b: b - b.mean(), depth=2, boundary="reflect"),
    "slicing": lambda x: x[::7, 30:150][:, [3, 1, 2]],
    "histogram": lambda x: da.histogram(x, bins=10, range=(0, 60_000))[0],
    "concatenate": lambda x: da.concatenate([x, x[:10]], axis=0).T,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_equal_the_local_computation(client: Client, name: str) -> None:
    x = ARRAYS[name](da.from_array(POINTS, chunks=(100, 100)))
    np.testing.assert_array_equal(x.compute(), x.compute(scheduler="sync"))


def test_a_chunk_of_50_MB_travels(client: Client) -> None:
    total = client.submit(np.add, BIG, 1.0).result()
    assert total.nbytes == 50_000_000
    np.testing.assert_array_equal(total, BIG + 1)


def test_a_large_constant_is_sent_and_a_large_result_is_used_by_others(client: Client) -> None:
    x = da.from_array(BIG, chunks=(2500, 1250))
    np.testing.assert_allclose((x + x.sum()).mean().compute(), (BIG + BIG.sum()).mean())


def test_delayed_tree(client: Client) -> None:
    level = [dask.delayed(doubled)(i) for i in range(16)]
    while len(level) > 1:
        level = [
            dask.delayed(lambda a, b: a + b)(a, b)
            for a, b in zip(level[::2], level[1::2], strict=True)
        ]
    assert level[0].compute() == 2 * sum(range(16))


def test_futures(client: Client) -> None:
    futures = client.map(doubled, range(30))
    assert client.gather(futures) == [2 * i for i in range(30)]
    assert sorted(f.result() for f in as_completed(futures)) == [2 * i for i in range(30)]
    assert client.submit(sum, futures).result() == 870


def test_future_type_is_that_of_the_value(client: Client) -> None:
    array, number = client.submit(np.arange, 3), client.submit(doubled, 3)
    assert (array.result().sum(), number.result()) == (3, 6)
    assert (array.type, number.type) == (np.ndarray, int)


def test_scattered_array(client: Client) -> None:
    (future,) = client.scatter([POINTS])
    assert client.submit(np.sum, future).result() == POINTS.sum()


def test_scattered_object_without_an_encoding(client: Client) -> None:
    (future,) = client.scatter([Word("quiet")])
    assert client.submit(shout, future).result() == "QUIET"


def test_persist(client: Client) -> None:
    x = (da.from_array(POINTS, chunks=(100, 100)) * 2).persist()
    assert x.sum().compute() == 2 * POINTS.sum()
    assert (x + 1)[0, 0].compute() == 1


def test_xarray_groupby(client: Client) -> None:
    xr = pytest.importorskip("xarray")
    months = np.arange(24) % 12 + 1
    data = xr.DataArray(
        da.from_array(POINTS[:24, :6], chunks=(6, 6)),
        dims=("time", "x"),
        coords={"time": np.arange(24), "month": ("time", months)},
    )
    result = data.groupby("month").mean()
    xr.testing.assert_allclose(result.compute(), data.compute().groupby("month").mean())


def test_dataframe(client: Client) -> None:
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"key": list("abcabc") * 10, "value": np.arange(60.0)})
    lazy = dd.from_pandas(frame, npartitions=4)
    result = lazy.groupby("key").value.mean().compute().sort_index()
    pd.testing.assert_series_equal(
        result, frame.groupby("key").value.mean(), check_index_type=False
    )
