"""Whether a provider's software fits the gateway's, said before any task is sent.

::

    software of both --check_compatible--> None | RegistrationError with what to install
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from eco_dask.errors import RegistrationError

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})(?:\.[0-9A-Za-z.+!-]{1,60})?", re.ASCII)


def check_compatible(
    provider_software: Mapping[str, str], gateway_software: Mapping[str, str]
) -> None:
    """Refuse a provider whose software would fail or differ on the gateway's tasks.

    Parameters
    ----------
    provider_software, gateway_software : Mapping[str, str]
        ``"python"``, ``"dask"`` and ``"eco_dask"`` versions and the wire ``"protocol"``. The
        provider's is hostile input.

    Raises
    ------
    RegistrationError
        With code ``"eco-dask-version"``, ``"python-version"`` or ``"dask-version"``.
    """
    ours = gateway_software
    if provider_software.get("protocol") != ours["protocol"]:
        _refuse(
            "eco-dask-version",
            f"the provider speaks eco_dask protocol {_shown(provider_software, 'protocol')} "
            f"(eco_dask {_shown(provider_software, 'eco_dask')}), the gateway {ours['protocol']}",
            f'pip install "eco-dask=={ours["eco_dask"]}"',
        )
    if _release(provider_software, "python") != _release(ours, "python"):
        minor = ".".join(_release(ours, "python"))
        _refuse(
            "python-version",
            # cloudpickle sends functions as bytecode, which every minor version changes.
            f"the provider runs Python {_shown(provider_software, 'python')}, the gateway "
            f"{ours['python']}, and functions travel between equal minor versions only",
            f"Python {minor}, for example with uv venv --python {minor}, and eco-dask in it",
        )
    if _release(provider_software, "dask") != _release(ours, "dask"):
        _refuse(
            "dask-version",
            f"the provider has dask {_shown(provider_software, 'dask')}, the gateway "
            f"{ours['dask']}, and tasks travel between releases of the same month only",
            f'pip install "dask=={ours["dask"]}" "distributed=={ours["dask"]}"',
        )


def _refuse(code: str, found: str, remedy: str) -> None:
    raise RegistrationError(code, f"{found}: install {remedy}")


def _release(software: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the first two numbers of a version, or nothing when it is no version."""
    match = _VERSION.fullmatch(str(software.get(name, ""))[:80])
    return match.groups() if match else ()


def _shown(software: Mapping[str, str], name: str) -> str:
    value = software.get(name)
    return "unknown" if value is None else repr(str(value)[:40])
