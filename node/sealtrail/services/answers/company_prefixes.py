"""Company prefixes that this node knows: of its configuration, members' numbering rights, and GS1's published table.

A right is for digits from a company prefix down to one GTIN. One of 6 to 12 digits is taken for a company prefix,
unless it lies within another; where that is wrong, the configuration says so and counts first. GS1's table comes with
biip, as of its release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from sealtrail.errors import UnavailableError
from sealtrail.gs1 import CompanyPrefixes
from sealtrail.gs1.company_prefixes import DIGITS_MAX, DIGITS_MIN
from sealtrail.membership.records import MemberRecord
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.store.database import Database

_leading_digits = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}").match


def configured_lengths(entries: Iterable[str]) -> dict[str, int]:
    """Return lengths by leading digits of settings such as ``0614141`` or ``95:10``."""
    lengths = {}
    for entry in entries:
        leading, colon, length = entry.partition(":")
        lengths[leading] = int(length) if colon else len(leading)
    return lengths


def published_length(digits: str) -> int | None:
    """Return how long the company prefix is that digits begin with, by GS1's table; None if that has none."""
    # 24 MB and a quarter of a second, which only those need who ask for URNs
    from biip.gs1_prefixes import GS1CompanyPrefix

    leading = _leading_digits(digits)
    found = GS1CompanyPrefix.extract(leading[0]) if leading else None
    return None if found is None else len(found.value)


class KnownPrefixes:
    """The table, made anew when the followed chain has moved on."""

    def __init__(
        self, database: Database, networks: FollowedNetworks, configured: Sequence[str]
    ) -> None:
        self._database = database
        self._networks = networks
        self._configured = configured_lengths(configured)
        self._known = (-1, CompanyPrefixes(self._configured, published_length))

    async def table(self) -> CompanyPrefixes:
        """Return what is known by now; while the chain was never followed, without members' rights."""
        return await self._database.read(self._read)

    def _read(self, connection: Connection) -> CompanyPrefixes:
        published_length("")  # loaded here, in a reader's thread, not where it is first looked up
        try:
            view = self._networks.view(connection)
        except UnavailableError:
            return self._known[1]
        if view.block != self._known[0]:
            rights = _rights(view.network().members)
            table = CompanyPrefixes({**rights, **self._configured}, published_length)
            self._known = (view.block, table)
        return self._known[1]


def _rights(members: Iterable[MemberRecord]) -> dict[str, int]:
    digits = {right.digits for member in members for right in member.rights}
    prefixes: dict[str, int] = {}
    for each in sorted(digits, key=len):
        within = any(each[:size] in prefixes for size in range(DIGITS_MIN, len(each)))
        if DIGITS_MIN <= len(each) <= DIGITS_MAX and not within:
            prefixes[each] = len(each)
    return prefixes
