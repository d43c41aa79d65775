"""The server side of the JupyterLab panel: it keeps the tokens and asks the coordinators.

browser ──Jupyter's own login──► handlers ──Bearer token──► a configured coordinator's HTTP API
"""

from __future__ import annotations

from typing import Any

#: Name of the JupyterLab extension, and of the folder that it is installed to.
LABEXTENSION = "eco-dask"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Say where the built extension lies in a checkout; wheels install it as shared data."""
    return [{"src": "../../jupyter_ext/labextension", "dest": LABEXTENSION}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Importing this package must not need Jupyter: a notebook's kernel announces clusters by it.
    from eco_dask.jupyter.app import EcoDaskApp

    return [{"module": "eco_dask.jupyter", "app": EcoDaskApp}]
