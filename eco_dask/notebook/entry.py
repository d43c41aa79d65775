"""``eco_dask.monitor``: the live view that fits where it is asked for.

kernel of a notebook ──► MonitorWidget     anything else ──► TextMonitor
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

from dask.utils import parse_timedelta
from distributed import Client, get_client

from eco_dask.errors import ConfigurationError
from eco_dask.notebook.terminal import TextMonitor

#: One widget per client: shown again, it is another view of the same.
_widgets: weakref.WeakKeyDictionary[Client, Any] = weakref.WeakKeyDictionary()


def monitor(client: Client | None = None, *, interval: str | float = "1 s") -> Any:
    """Show jobs, verification, points and energy of a client's network, live.

    Parameters
    ----------
    client : distributed.Client, optional
        Default: the current client.
    interval : str or float
        Time between two updates, such as ``"2 s"``; at least 0.2 s.

    Returns
    -------
    widget or TextMonitor
        In a notebook a widget that updates itself, also while a cell computes. In a terminal an
        object whose ``repr`` are the numbers of now.

    Raises
    ------
    ConfigurationError
        If there is no client, the interval is too short, or a notebook's kernel lacks anywidget.
    """
    interval_s = float(parse_timedelta(interval))
    if interval_s < 0.2:  # noqa: PLR2004  the documented least
        raise ConfigurationError(f"interval= is at least 0.2 s; got {interval_s:g} s")
    if client is None:
        try:
            client = get_client()
        except ValueError as error:
            raise ConfigurationError(
                "there is no Dask client to monitor; make one, such as Client(cluster), or pass it"
            ) from error
    if not in_notebook():
        return TextMonitor(client)
    shown = _widgets.get(client)
    if shown is not None and not shown.is_over and shown.interval_s == interval_s:
        return shown
    if shown is not None:
        shown.close()
    _widgets[client] = widget = _widget_class()(client, interval_s)
    return widget


def in_notebook() -> bool:
    """Whether this is a kernel, whose front end can show widgets."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _widget_class() -> Any:
    try:
        from eco_dask.notebook.widget import MonitorWidget
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "ipywidgets", "traitlets"):
            raise
        raise ConfigurationError(
            f"the live view needs {error.name}, which this kernel's environment lacks: "
            "pip install 'eco-dask[jupyter]', then restart the kernel and reload the page"
        ) from error
    return MonitorWidget
