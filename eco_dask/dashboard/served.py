"""How Dask's pages are served here, for whoever must find them and know them again.

distributed.scheduler.dashboard.tls.cert ──served──► scheme, pin ──► links, a client's metadata
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dask

from eco_dask.providers.certificates import pin_of_own

CERTIFICATE: Final = "distributed.scheduler.dashboard.tls.cert"


@dataclass(frozen=True, slots=True)
class Served:
    """What a client must know besides host and port."""

    #: "http" or "https".
    scheme: str
    #: Pin of a certificate that signed itself; empty for plain text and for an authority's, which
    #: is checked by its name.
    pin: str = ""


def served() -> Served:
    """Return what Dask's configuration makes of the pages.

    Raises
    ------
    ConfigurationError
        The certificate cannot be read.
    """
    path = dask.config.get(CERTIFICATE)
    return Served("http") if path is None else Served("https", pin_of_own(Path(path)))
