"""IPv4 addresses within IPv6 addresses: a destination is judged by what it may stand for as well."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.config import SubscriptionsSettings
from sealtrail.consumers.carried import carried_by
from sealtrail.consumers.destinations import Destinations, allowed_destinations
from sealtrail.errors import InputError

IPv4, IPv6 = ipaddress.IPv4Address, ipaddress.IPv6Address


def nat64(prefix: str, length: int, address: ipaddress.IPv4Address) -> ipaddress.IPv6Address:
    """Put an address behind a prefix, octet by octet (RFC 6052 section 2.2)."""
    octets = list(IPv6(prefix).packed)
    places = [place for place in range(length // 8, 16) if place != 8]
    for place, octet in zip(places, address.packed, strict=False):
        octets[place] = octet
    return IPv6(bytes(octets))


def spellings(address: ipaddress.IPv4Address) -> dict[str, ipaddress.IPv6Address]:
    """Return the addresses that lead to an address, where a network translates or tunnels."""
    value = int(address)
    return {
        "NAT64": nat64("64:ff9b::", 96, address),
        "NAT64 of a network's own, 96": nat64("64:ff9b:1::", 96, address),
        "NAT64 of a network's own, 64": nat64("64:ff9b:1::", 64, address),
        "NAT64 of a network's own, 56": nat64("64:ff9b:1::", 56, address),
        "NAT64 of a network's own, 48": nat64("64:ff9b:1::", 48, address),
        "NAT64 of a network's own, 96, cut": nat64("64:ff9b:1:ab:cd:ef01::", 96, address),
        "stateless": IPv6(int(IPv6("::ffff:0:0:0")) | value),
        "compatible": IPv6(value),
        "6to4": IPv6(0x2002 << 112 | value << 80 | 1),
        "Teredo's server": IPv6(0x2001 << 112 | value << 64 | (value ^ 0x1234)),
        "Teredo's client": IPv6(0x2001 << 112 | 0x08080808 << 64 | value ^ 0xFFFFFFFF),
    }


@given(st.integers(1 << 24, 2**32 - 1).map(IPv4))
def test_every_way_to_carry_an_address_is_known(address: ipaddress.IPv4Address) -> None:
    for name, spelt in spellings(address).items():
        assert address in carried_by(spelt), name


@given(st.integers(0, 2**125 - 1).map(lambda bits: IPv6(1 << 125 | bits)))
def test_an_ordinary_address_carries_none(address: ipaddress.IPv6Address) -> None:
    tunnels = (ipaddress.ip_network("2001::/32"), ipaddress.ip_network("2002::/16"))
    assert bool(carried_by(address)) == any(address in network for network in tunnels)


def refused(allowed: Destinations, address: ipaddress.IPv6Address, *, named: bool) -> bool:
    judged = []
    for judge in (
        lambda: allowed.check_address(address, named=named),
        lambda: allowed.check_url(f"https://[{address}]/hook"),
    ):
        try:
            judge()
        except InputError as error:
            assert error.code == "destination_refused"  # noqa: PT017 - what is allowed raises nothing
            judged.append(True)
        else:
            judged.append(False)
    assert named or judged[0] == judged[1]
    return judged[0]


FORBIDDEN = ["169.254.169.254", "100.100.100.200", "224.0.0.1", "255.255.255.255"]
PRIVATE = ["10.0.0.1", "127.0.0.1", "192.168.1.1"]
TRANSLATED = [
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "2001::/32",
    "::ffff:0:0:0/96",
    "::/96",
]


@pytest.mark.parametrize("text", [*FORBIDDEN, *PRIVATE, "8.8.8.8"])
def test_no_address_that_carries_another_is_of_the_public_internet(text: str) -> None:
    allowed = allowed_destinations(SubscriptionsSettings())
    for name, address in spellings(IPv4(text)).items():
        assert refused(allowed, address, named=False), name


@pytest.mark.parametrize("text", FORBIDDEN)
def test_what_no_name_may_lead_to_is_not_called_by_translation_either(text: str) -> None:
    by_name = allowed_destinations(SubscriptionsSettings(allow=["hooks.internal"]))
    by_network = allowed_destinations(SubscriptionsSettings(allow=TRANSLATED))
    for name, address in spellings(IPv4(text)).items():
        assert refused(by_name, address, named=True), name
        assert refused(by_network, address, named=False), name
        assert refused(by_network, address, named=True), name


def test_a_network_behind_a_translator_is_called_where_the_operator_names_it() -> None:
    allowed = allowed_destinations(SubscriptionsSettings(allow=["64:ff9b::/96"]))
    for text in ("8.8.8.8", "10.0.0.1"):
        assert not refused(allowed, nat64("64:ff9b::", 96, IPv4(text)), named=False)


def test_an_address_that_is_named_itself_may_be_carried() -> None:
    given_both = SubscriptionsSettings(allow=["64:ff9b::/96", "169.254.10.1"])
    allowed = allowed_destinations(given_both)
    assert not refused(allowed, nat64("64:ff9b::", 96, IPv4("169.254.10.1")), named=False)
    assert refused(allowed, nat64("64:ff9b::", 96, IPv4("169.254.10.2")), named=False)


def test_a_named_host_may_be_this_machine() -> None:
    allowed = allowed_destinations(SubscriptionsSettings(allow=["hooks.internal"]))
    allowed.check_address(IPv6("::1"), named=True)
