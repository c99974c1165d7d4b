"""Connections to consumers: a name is resolved once, its addresses are checked, and one of those is called.

Two checks, because aiohttp doesn't resolve what is an address already: names where they are resolved, and every address
where its socket is made. A name of which one address may not be called is not called at all.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sealtrail.consumers.destinations import Destinations
from sealtrail.errors import InputError


class RefusedError(OSError):
    """An address that must not be called; aiohttp hands on what connecting raises only as an OSError."""

    def __init__(self, refusal: InputError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class CheckedResolver(AbstractResolver):
    """Resolves as ``resolver`` does, and refuses what must not be called."""

    def __init__(self, destinations: Destinations, resolver: AbstractResolver) -> None:
        self._destinations = destinations
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host, all of which may be called.

        Raises:
            RefusedError: one of them must not be.
            OSError: the name leads nowhere.
        """
        found = await self._resolver.resolve(host, port, family)
        named = self._destinations.is_named(host)
        for each in found:
            _check(self._destinations, each["host"], named=named)
        return found

    async def close(self) -> None:
        """Close the resolver that is asked."""
        await self._resolver.close()


def open_session(
    destinations: Destinations, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """Return a session that connects to nothing but what may be called; it keeps no cookies, and asks no proxy.

    Args:
        resolver: the system's unless given.
    """
    checked = CheckedResolver(destinations, resolver or aiohttp.ThreadedResolver())

    def make_socket(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = address
        # What the name was is not known here: the resolver judged it, and who posts judged an address in the URL.
        _check(destinations, place[0], named=bool(destinations.names))
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    connector = aiohttp.TCPConnector(
        resolver=checked,
        use_dns_cache=False,  # an address is checked each time it is resolved, and called at once
        socket_factory=make_socket,
        limit=0,  # each subscription has one request in hand at most
    )
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
    )


def _check(destinations: Destinations, text: str, *, named: bool) -> None:
    try:
        destinations.check_address(ipaddress.ip_address(text.partition("%")[0]), named=named)
    except InputError as refusal:
        raise RefusedError(refusal) from refusal
