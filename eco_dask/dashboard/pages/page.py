"""What a page is: a pure function to its columns, and the parts that show them.

Snapshot, History ──page_data──► {"tiles": columns, ...} ──parts──► figures and tables
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages.columns import PageData
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.parts import Part


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the dashboard."""

    #: Last part of its address, after ``eco-``.
    name: str
    title: str
    #: Computes all columns; called once for all viewers who may see the same.
    data: Callable[[Snapshot, History], PageData]
    #: Makes the parts for one viewer, in the order in which they are shown.
    parts: Callable[[], list[Part]]
