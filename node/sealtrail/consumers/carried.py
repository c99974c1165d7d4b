"""The IPv4 addresses that an IPv6 address carries: where a packet to it ends, if the network translates or tunnels.

A network may translate with a prefix of its own as well (RFC 6052 section 3.3), which nobody can tell from the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

# The last 32 bits are the address: NAT64's well-known prefix (RFC 6052), stateless translation (RFC 7915), and
# IPv4-compatible addresses, which nobody has any more (RFC 4291 section 2.5.5.1). "::" and "::1" are none of these.
_LAST = tuple(map(IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
# RFC 8215: to be cut into prefixes of any of the lengths below
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
# RFC 3056: behind the prefix
_SIX_TO_FOUR = IPv6Network("2002::/16")
# RFC 4380: the server behind the prefix; the client at the end, each bit inverted
_TEREDO = IPv6Network("2001::/32")
_WORD = _INVERTED = 0xFFFFFFFF
# Below it is 0.0.0.0/8: what a reading by the wrong length of prefix gives
_NOT_ZERO = 1 << 24
# RFC 6052 section 2.2: from which bit on the address stands, for each length of prefix; bits 64 to 71 are passed over
_PREFIX_LENGTHS = (48, 56, 64, 96)
_PASSED_OVER = 64


def carried_by(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an address may stand for; none if it carries none.

    An IPv4-mapped address is not among them: it is that IPv4 address.
    """
    return tuple(map(IPv4Address, _words(address)))


def _words(address: IPv6Address) -> Iterator[int]:
    value = int(address)
    if value > 1 and any(address in network for network in _LAST):
        yield value & _WORD
    if address in _NAT64_LOCAL:
        read = {_behind(value, length): None for length in _PREFIX_LENGTHS}
        yield from (word for word in read if word >= _NOT_ZERO)
    if address in _SIX_TO_FOUR:
        yield value >> 80 & _WORD
    if address in _TEREDO:
        yield value >> 64 & _WORD
        yield value & _WORD ^ _INVERTED


def _behind(value: int, prefix_length: int) -> int:
    """Return the 32 bits behind a prefix, without the octet that is passed over."""
    bits = [bit for bit in range(prefix_length, 128) if not _PASSED_OVER <= bit < _PASSED_OVER + 8]
    found = 0
    for bit in bits[:32]:
        found = found << 1 | value >> (127 - bit) & 1
    return found
