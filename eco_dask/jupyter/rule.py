"""Settings of the panel's server side, from Dask's configuration.

eco-dask.jupyter ──► JupyterRule
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eco_dask.errors import ConfigurationError
from eco_dask.settings import setting


@dataclass(frozen=True, slots=True)
class JupyterRule:
    """What the operator of a Jupyter server allows."""

    #: Coordinators as they are configured: url, name, token or token-file.
    coordinators: tuple[Mapping[str, Any], ...]
    #: May links be pasted into the panel?
    add: bool
    #: May the panel lend this machine to a network?
    share: bool


def jupyter_rule() -> JupyterRule:
    """Return the settings of the JupyterLab panel's server side.

    Raises
    ------
    ConfigurationError
        One cannot be read.
    """
    coordinators = setting("jupyter.coordinators")
    if not isinstance(coordinators, list | tuple) or not all(
        isinstance(each, Mapping) for each in coordinators
    ):
        # What was found may hold a token, so it is not repeated.
        raise ConfigurationError("eco-dask.jupyter.coordinators must be a list of {url, name, ...}")
    return JupyterRule(
        coordinators=tuple(coordinators),
        add=setting("jupyter.add") is True,
        share=setting("jupyter.share") is True,
    )
