"""Company prefixes that this node knows: members' numbering rights, and what its configuration adds.

A right is for digits from a company prefix down to one GTIN. One of 6 to 12 digits is taken for a company prefix,
unless it lies within another; where that is wrong, the configuration says so and counts first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from sealtrail.errors import UnavailableError
from sealtrail.gs1 import CompanyPrefixes
from sealtrail.gs1.company_prefixes import DIGITS_MAX, DIGITS_MIN
from sealtrail.membership.records import MemberRecord
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.store.database import Database


def configured_lengths(entries: Iterable[str]) -> dict[str, int]:
    """Return lengths by leading digits of settings such as ``0614141`` or ``95:10``."""
    lengths = {}
    for entry in entries:
        leading, colon, length = entry.partition(":")
        lengths[leading] = int(length) if colon else len(leading)
    return lengths


class KnownPrefixes:
    """The table, made anew when the followed chain has moved on."""

    def __init__(
        self, database: Database, networks: FollowedNetworks, configured: Sequence[str]
    ) -> None:
        self._database = database
        self._networks = networks
        self._configured = configured_lengths(configured)
        self._known = (-1, CompanyPrefixes(self._configured))

    async def table(self) -> CompanyPrefixes:
        """Return what is known by now; while the chain was never followed, only what is configured."""
        return await self._database.read(self._read)

    def _read(self, connection: Connection) -> CompanyPrefixes:
        try:
            view = self._networks.view(connection)
        except UnavailableError:
            return self._known[1]
        if view.block != self._known[0]:
            table = CompanyPrefixes({**_rights(view.network().members), **self._configured})
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
