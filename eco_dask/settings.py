"""One setting from Dask's configuration, read as what it has to be, or an error that names it.

eco-dask.yaml < ~/.config/dask/*.yaml < DASK_ECO_DASK__... < dask.config.set ──► one value
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import dask.config
import yaml
from dask.utils import parse_bytes, parse_timedelta

from eco_dask.errors import ConfigurationError

_Value = TypeVar("_Value")


def load_defaults() -> None:
    """Register this package's defaults with Dask; called when the package is imported."""
    dask.config.update_defaults(defaults())


@cache
def defaults() -> dict[str, Any]:
    """Return this package's defaults."""
    text = Path(__file__).with_name("eco-dask.yaml").read_text(encoding="utf-8")
    defaults: dict[str, Any] = yaml.safe_load(text)
    return defaults


def setting(name: str) -> Any:
    """Return a setting as it was given, by its name below ``eco-dask``."""
    # Dask's test utilities clear its configuration, defaults of other packages included.
    default = dask.config.get(f"eco-dask.{name}", config=defaults())
    return dask.config.get(f"eco-dask.{name}", default)


def file_text(name: str) -> str:
    """Read the file that a setting names; empty if it names none."""
    chosen = setting(name)
    if not chosen:
        return ""
    try:
        return Path(str(chosen)).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"eco-dask.{name} must be a readable text file; got {chosen!r}: {error}"
        ) from error


def if_set(read: Callable[[str], _Value], name: str) -> _Value | None:
    """Read a setting that may be null."""
    return None if setting(name) is None else read(name)


def fraction(name: str) -> float:
    """Read a number."""
    value = setting(name)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"eco-dask.{name} must be a number; got {value!r}") from error


def whole(name: str) -> int:
    """Read a whole number."""
    value = setting(name)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"eco-dask.{name} must be a whole number; got {value!r}"
        ) from error


def text(name: str) -> str:
    """Read a text."""
    value = setting(name)
    if not isinstance(value, str):
        raise ConfigurationError(f"eco-dask.{name} must be text; got {value!r}")
    return value


def seconds(name: str) -> float:
    """Read a duration, in seconds."""
    value = setting(name)
    try:
        return float(parse_timedelta(value))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"eco-dask.{name} must be a duration such as '30 s'; got {value!r}"
        ) from error


def size_bytes(name: str) -> int:
    """Read a size, in bytes."""
    value = setting(name)
    try:
        return int(parse_bytes(value))
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"eco-dask.{name} must be a size such as '64 MiB'; got {value!r}"
        ) from error
