"""What is kept of accepted tasks: shared blobs count once, the oldest go first, each asked once."""

from __future__ import annotations

import pytest

from eco_dask.gateway.packing import Package
from eco_dask.gateway.retention import Retention
from eco_dask.gateway.submission import Submission
from eco_dask.values import encode


def task(key: str, *, size: int = 1000, shared: bytes = b"") -> Submission:
    blobs = {key.encode(): (bytes(size),)}
    if shared:
        blobs[b"shared"] = (shared,)
    package = Package(b"", tuple(blobs), (), blobs)
    return Submission(key, None, 0.0, 0.0, package=package)


def kept(retention: Retention, *names: str, **options) -> None:
    for name in names:
        retention.keep(name, task(name, **options))


def test_a_blob_that_many_tasks_need_counts_once():
    retention = Retention(10**6)
    kept(retention, "a", "b", shared=bytes(5000))
    assert retention.size_bytes == 2000 + 5000
    retention.forget("a")
    assert retention.size_bytes == 1000 + 5000
    retention.forget("b")
    assert (retention.size_bytes, len(retention)) == (0, 0)


def test_an_accepted_value_counts_too():
    retention = Retention(10**6)
    submission = task("a")
    value = encode(bytes(500))
    submission.values = {"lease": value}
    retention.keep("a", submission)
    assert retention.size_bytes == 1000 + value.size_bytes
    assert retention.find("a") is retention.forget("a") is submission
    assert retention.find("a") is None


def test_the_oldest_make_room_and_each_is_asked_once():
    retention = Retention(3500)
    kept(retention, "a", "b", "c")
    assert retention.excess() == ()
    kept(retention, "d", "e")
    assert retention.excess() == ("a", "b")
    assert retention.excess() == ()
    kept(retention, "f")
    assert retention.excess() == ("c",)
    for name in ("a", "b", "c"):
        retention.forget(name)
    assert retention.excess() == ()


def test_what_is_shared_frees_nothing_as_long_as_another_needs_it():
    retention = Retention(6500)
    kept(retention, "a", "b", shared=bytes(5000))
    assert retention.excess() == ("a",)
    retention.forget("a")
    assert retention.excess() == ()


@pytest.mark.parametrize("known", [True, False])
def test_forgetting_twice_changes_nothing(known):
    retention = Retention(10)
    if known:
        kept(retention, "a")
        retention.forget("a")
    assert retention.forget("a") is None
    assert retention.size_bytes == 0
