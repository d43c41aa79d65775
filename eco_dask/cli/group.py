"""Commands and groups that say what went wrong in one line instead of a traceback.

EcoDaskError ──► "Error: ..." on standard error, exit status 1
"""

from __future__ import annotations

from typing import Any

import click

from eco_dask.errors import EcoDaskError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 88}


class _Plain:
    """What commands and groups have in common: Dask's help style, errors in one line."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        attributes["context_settings"] = _SETTINGS | (attributes.get("context_settings") or {})
        super().__init__(*args, **attributes)

    def invoke(self, context: click.Context) -> Any:
        """Run it; an error of this package becomes a line on standard error."""
        try:
            return super().invoke(context)  # type: ignore[misc]
        except EcoDaskError as error:
            raise click.ClickException(str(error)) from error


class EcoCommand(_Plain, click.Command):
    """A command of ``eco-dask``."""


class EcoGroup(_Plain, click.Group):
    """A group of commands of ``eco-dask``."""
