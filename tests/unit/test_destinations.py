# ruff: noqa: S104 - addresses are judged here, and nothing is bound to them
"""Where events may be sent: what a URL says, and where a name leads (server-side request forgery)."""

from __future__ import annotations

import ipaddress

import pytest

from sealtrail.config import SubscriptionsSettings
from sealtrail.consumers.destinations import Destinations, allowed_destinations, is_public
from sealtrail.errors import InputError

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"]
NOT_PUBLIC = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "192.88.99.1",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2001::1", "2001:db8::1",
    "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "fd12::1",
]  # fmt: skip


def destinations(**settings: object) -> Destinations:
    return allowed_destinations(SubscriptionsSettings(**settings))  # type: ignore[arg-type]


def refused(allowed: Destinations, dest: str) -> str:
    with pytest.raises(InputError) as error:
        allowed.check_url(dest)
    assert error.value.pointer == "/dest"
    return error.value.code


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_the_public_internet_may_be_called(text: str) -> None:
    address = ipaddress.ip_address(text)
    destinations().check_address(address, named=False)
    assert is_public(address)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_no_other_address_may_be_called(text: str) -> None:
    with pytest.raises(InputError) as error:
        destinations().check_address(ipaddress.ip_address(text), named=False)
    assert error.value.code == "destination_refused"
    host = f"[{text}]" if ":" in text else text
    assert refused(destinations(), f"https://{host}/hook") == "destination_refused"


@pytest.mark.parametrize(
    "dest",
    [
        "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://127.1/",
        "https://localhost/", "https://localhost./", "https://a.localhost/",
        "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.0.0.1./", "https://127.0.0.1../",
        "https://user@8.8.8.8/", "https://8.8.8.8@127.0.0.1/", "https://user:pw@example.com/",
        "https://example.com\\@127.0.0.1/", "https://example.com#@127.0.0.1/", "https://a/#f",
        "https://exa mple.com/", "https://exam\nple.com/", "https://ex\tample.com/", "https:///x",
        "https://", "https:example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd",
        "gopher://example.com/", "javascript:alert(1)", "https://[::1", "https://[::1]x/",
        "https://[fe80::1%25eth0]/", "https://example.com:0/", "https://example.com:99999/",
        "https://example.com:port/", "https://１２７.0.0.1/", "https://ex\u2024ample.com/",
        "https://-example.com/", "https://exa$mple.com/", "https://example.com/" + "a" * 3000, "",
    ],
)  # fmt: skip
def test_what_one_parser_may_read_otherwise_than_another_is_refused(dest: str) -> None:
    code = refused(destinations(plain_http=True), dest)
    assert code in ("destination_malformed", "destination_refused")


def test_http_is_refused_unless_configured() -> None:
    assert refused(destinations(), "http://example.com/") == "destination_refused"
    destinations(plain_http=True).check_url("http://example.com/")
    destinations().check_url("https://example.com:8443/hook?x=1")


def test_other_ports_are_refused_if_some_are_configured() -> None:
    allowed = destinations(ports=[443, 8443], plain_http=True)
    allowed.check_url("https://example.com/")
    allowed.check_url("https://example.com:8443/")
    assert refused(allowed, "https://example.com:22/") == "destination_refused"
    assert refused(allowed, "http://example.com/") == "destination_refused"


def test_a_network_that_is_named_may_be_called_and_no_other() -> None:
    allowed = destinations(allow=["10.1.2.0/24", "fd12::/16", "127.0.0.1"])
    for text in ("10.1.2.3", "fd12::5", "127.0.0.1", "::ffff:10.1.2.3", "8.8.8.8"):
        allowed.check_address(ipaddress.ip_address(text), named=False)
    for text in ("10.1.3.3", "127.0.0.2", "::ffff:127.0.0.2"):
        with pytest.raises(InputError):
            allowed.check_address(ipaddress.ip_address(text), named=False)


def test_without_the_public_internet_only_what_is_named_may_be_called() -> None:
    allowed = destinations(
        public=False, allow=["hooks.example.com", "*.partner.example", "192.0.2.7"]
    )
    for dest in (
        "https://hooks.example.com/", "https://HOOKS.example.com./", "https://a.partner.example/",
        "https://a.b.partner.example/", "https://192.0.2.7/",
    ):  # fmt: skip
        allowed.check_url(dest)
    for dest in (
        "https://example.com/", "https://partner.example/", "https://evilpartner.example/",
        "https://hooks.example.com.evil.example/", "https://8.8.8.8/", "https://localhost./",
    ):  # fmt: skip
        assert refused(allowed, dest) == "destination_refused"
    with pytest.raises(InputError):
        allowed.check_address(ipaddress.ip_address("8.8.8.8"), named=False)


def test_a_named_host_may_be_private_and_never_what_tells_machines_their_credentials() -> None:
    allowed = destinations(allow=["hooks.internal"])
    assert allowed.is_named("hooks.internal")
    assert allowed.is_named("Hooks.Internal.")
    assert not allowed.is_named("internal")
    for text in ("10.0.0.1", "127.0.0.1", "fd12::1"):
        allowed.check_address(ipaddress.ip_address(text), named=True)
    for text in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200",
                 "0.0.0.0", "224.0.0.1", "fe80::1", "ff02::1", "::"):  # fmt: skip
        with pytest.raises(InputError):
            allowed.check_address(ipaddress.ip_address(text), named=True)


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "exa mple", "0x7f.1", "*.*.example", "http://x", "*."]
)
def test_what_is_neither_network_nor_host_is_refused_at_start(text: str) -> None:
    with pytest.raises(InputError) as error:
        destinations(allow=[text])
    assert (error.value.code, error.value.pointer) == ("config_out_of_range", "subscriptions.allow")
