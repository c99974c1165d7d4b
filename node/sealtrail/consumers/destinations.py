"""Where events may be sent: what the configuration allows, by name and by address.

A subscriber chooses the destination; whoever could choose any would make this node ask what only this node can reach
(server-side request forgery). So an address is one of the public internet, or one that the operator named. Names decide
nothing by themselves: each address that a name leads to is looked at, and it is that address which is called.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

import msgspec

from sealtrail.config import SubscriptionsSettings
from sealtrail.consumers.carried import carried_by
from sealtrail.errors import InputError

DEST_CHARACTERS_MAX = 2_000

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not of the public internet either, whichever version of Python is asked: protocol assignments, relays and
# benchmarking; Teredo and 6to4, which lead into IPv4 (RFC 3056, 4380).
_NEVER_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "2001::/23", "2002::/16"),
    )
)
_UNICAST = ipaddress.ip_network("2000::/3")  # what of IPv6 is handed out at all
# Whom no name may lead to, even one that the operator named, and no network that translates: they mean something else
# on every network, and cloud machines are told their credentials there.
_NEVER_BY_NAME = tuple(
    map(
        ipaddress.ip_network,
        ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "100.100.100.200/32",
         "::/128", "fe80::/10", "ff00::/8", "fd00:ec2::/32"),
    )
)  # fmt: skip
# What some resolvers read as an IPv4 address, though no URL should spell one so: 0x7f.1, 017700000001, 2130706433
_ODD_ADDRESS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")


class Destinations(msgspec.Struct, frozen=True, kw_only=True):
    """What may be called; made by :func:`allowed_destinations`."""

    public: bool
    plain_http: bool
    ports: frozenset[int]
    names: frozenset[str]
    networks: tuple[Network, ...]

    def check_url(self, dest: str) -> None:
        """Refuse a destination for what its URL says; its addresses are looked at when it is called.

        Raises:
            InputError: ``destination_malformed``, ``destination_refused``.
        """
        parts = _parts(dest)
        host = _host(parts)
        if parts.scheme == "http" and not self.plain_http:
            raise _refused(
                f"{_shown(parts)} is not https: what is sent could be read on its way",
                "give an https URL; the operator can allow http with subscriptions.plain_http",
            )
        if self.ports and (parts.port or _DEFAULT_PORTS[parts.scheme]) not in self.ports:
            known = ", ".join(map(str, sorted(self.ports)))
            raise _refused(f"{_shown(parts)} is on another port than {known}")
        literal = _literal(host)
        if literal is not None:
            self.check_address(literal, named=self.is_named(host))
        elif not self.public and not self.is_named(host):
            raise _refused(f"{host} is not among the hosts that subscriptions.allow names")

    def check_address(self, address: Address, *, named: bool) -> None:
        """Refuse an address that must not be called, or that carries one which must not be.

        Args:
            named: the operator named the host that led to it.

        Raises:
            InputError: ``destination_refused``.
        """
        plain = _unmapped(address)
        if _is_in(plain, self.networks):
            allowed = True
        elif named:
            allowed = not _is_in(plain, _NEVER_BY_NAME)
        else:
            allowed = self.public and is_public(plain)
        if not allowed or not all(map(self._may_be_meant, _carried(plain))):
            raise _refused(
                f"{address} is not an address that events may be sent to",
                "the operator can allow it with subscriptions.allow",
            )

    def _may_be_meant(self, carried: Address) -> bool:
        return _is_in(carried, self.networks) or not _is_in(carried, _NEVER_BY_NAME)

    def is_named(self, host: str) -> bool:
        """Tell whether the operator named a host, by itself or by the domain that it is in (``*.example.com``)."""
        name = host.lower().rstrip(".")
        domains = (f"*.{name.split('.', n)[n]}" for n in range(1, name.count(".") + 1))
        return name in self.names or any(domain in self.names for domain in domains)


def allowed_destinations(settings: SubscriptionsSettings) -> Destinations:
    """Read the configuration.

    Raises:
        InputError: ``config_out_of_range``: what is allowed is neither network, address nor host name.
    """
    names, networks = _split(settings.allow)
    return Destinations(
        public=settings.public,
        plain_http=settings.plain_http,
        ports=frozenset(settings.ports),
        names=names,
        networks=networks,
    )


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet."""
    if _is_in(address, _NEVER_PUBLIC):
        return False
    handed_out = address.version == 4 or address in _UNICAST
    return handed_out and address.is_global and not address.is_multicast


def _split(allow: Sequence[str]) -> tuple[frozenset[str], tuple[Network, ...]]:
    names, networks = set(), []
    for text in allow:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            name = text.lower().rstrip(".")
            bare = name.removeprefix("*.")
            if not _HOST.fullmatch(bare) or _ODD_ADDRESS.fullmatch(bare):
                raise InputError(
                    "config_out_of_range",
                    f"{text!r} is no network, address or host name",
                    pointer="subscriptions.allow",
                    advice='such as "10.1.2.0/24", "192.0.2.7", "events.example.com", "*.example.com"',
                ) from None
            names.add(name)
    return frozenset(names), tuple(networks)


_LOOPBACK = ipaddress.ip_address("127.0.0.1")
_DEFAULT_PORTS = {"https": 443, "http": 80}


def _parts(dest: str) -> SplitResult:
    if len(dest) > DEST_CHARACTERS_MAX:
        raise _malformed(f"it has over {DEST_CHARACTERS_MAX} characters")
    # What a parser of URLs leaves out, or reads as something else than the next one, is no part of one (RFC 3986)
    if not dest.isascii() or not dest.isprintable() or any(c in dest for c in ' \\"<>^`{|}'):
        raise _malformed("it holds characters that no URL has")
    try:
        parts = urlsplit(dest)
        port = parts.port
    except ValueError as error:
        raise _malformed(str(error)) from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise _malformed("it is no http or https URL")
    if "@" in parts.netloc:
        raise _malformed("it holds a user's name or a password")
    if parts.fragment:
        raise _malformed("it has a fragment")
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    name = host.rstrip(".")
    if _literal(host) is None:
        if not _HOST.fullmatch(name):
            raise _malformed(f"{host[:80]!r} is no host name")
        if _ODD_ADDRESS.fullmatch(name):
            raise _malformed(f"{host[:80]!r} is no address in its usual form")
    return host


def _literal(host: str) -> Address | None:
    """Return the address that a host is, or that it stands for by itself (RFC 6761 section 6.3)."""
    if f".{host.rstrip('.')}".endswith(".localhost"):
        return _LOOPBACK
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv4-mapped IPv6 address means."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _carried(address: Address) -> tuple[Address, ...]:
    return carried_by(address) if isinstance(address, ipaddress.IPv6Address) else ()


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in each for each in networks if each.version == address.version)


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc[:200]}"


def _malformed(why: str) -> InputError:
    return InputError("destination_malformed", f"dest can't be called: {why}", pointer="/dest")


def _refused(why: str, advice: str | None = None) -> InputError:
    return InputError("destination_refused", why, pointer="/dest", advice=advice)
