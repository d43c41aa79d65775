"""What counts as one network, as far as placement is concerned."""

from __future__ import annotations

import pytest

from eco_dask.gateway.admission import network_prefix


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.250", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
        ("a socket", ""),
    ],
)
def test_an_address_belongs_to_the_network_of_its_site(address: str, prefix: str) -> None:
    assert network_prefix(address) == prefix
