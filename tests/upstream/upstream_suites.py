"""Which of Dask's own tests run on a network, and what must come of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
#: Under which name a suite's line for the summary is recorded.
LINE = "upstream suite"


@dataclass(frozen=True)
class Suite:
    """A module of tests in Dask's wheel."""

    module: str
    #: At least so many tests pass: a suite that collects nothing is no success.
    passed_min: int
    #: At least so many tasks are accepted from providers: tests may not bypass the network.
    tasks_min: int
    #: Test functions to run; none for all.
    functions: tuple[str, ...] = ()

    @property
    def selected(self) -> list[str]:
        """What ``pytest --pyargs`` is asked to run."""
        return [f"{self.module}::{name}" for name in self.functions] or [self.module]


#: The quick half of test_linalg (224 of 398 tests): each algorithm at a few shapes. What is left
#: out passed when it was tried, but for ``test_norm_2dim``, which was not; it multiplies shapes, or
#: makes thousands of tasks of microseconds (``test_lu_2``).
LINALG = (
    "test_tsqr",
    "test_tsqr_zero_height_chunks",
    "test_linalg_consistent_names",
    "test_dask_svd_self_consistent",
    "test_svd_compressed_dtype_preservation",
    "test_svd_dtype_preservation",
    "test_svd_compressed_deterministic",
    "test_lu_errors",
    "test_solve_triangular_vector",
    "test_solve_triangular_matrix",
    "test_solve_triangular_errors",
    "test_solve",
    "test_inv",
    "test_cholesky",
    "test_cholesky_complex",
    "test_lstsq",
    "test_no_chunks_svd",
    "test_svd_flip_correction",
    "test_svd_flip_sign",
    "test_svd_supported_array_shapes",
    "test_svd_incompatible_chunking",
    "test_svd_incompatible_dimensions",
    "test_svd_full_matrices_raises",
    "test_svd_full_matrices_false",
    "test_norm_any_ndim",
    "test_norm_any_prec",
    "test_norm_1dim",
    "test_norm_implemented_errors",
)

SUITES = (
    Suite("dask.array.tests.test_overlap", passed_min=90, tasks_min=2500),
    Suite("dask.array.tests.test_linalg", passed_min=190, tasks_min=4000, functions=LINALG),
    # At the end: its own last test, by gen_cluster, closes every client of the process.
    Suite("dask.tests.test_delayed", passed_min=50, tasks_min=80),
)


def known_failures() -> dict[str, str]:
    """Return the reason for each test that is known to fail, by its id."""
    table = tomllib.loads((HERE / "known_failures.toml").read_text(encoding="utf-8"))
    return {
        f"{module}::{test}": reason
        for module, tests in table.items()
        for test, reason in tests.items()
    }


def surprises(outcomes: dict[str, str], known: dict[str, str]) -> list[str]:
    """Say what the list of known failures does not foresee.

    Parameters
    ----------
    outcomes : dict of str
        What became of each test that ran: "passed", "failed", "skipped", "xfailed" or "xpassed".
    known : dict of str
        The reason for each known failure among the tests that should have run.
    """
    said = []
    for test, outcome in outcomes.items():
        if outcome == "failed" and test not in known:
            said.append(f"{test} failed and is not in known_failures.toml")
        elif outcome == "passed" and test in known:
            said.append(f"{test} passes: take it out of known_failures.toml")
    said += [
        f"{test} is in known_failures.toml, but did not run" for test in known.keys() - outcomes
    ]
    return sorted(said)
