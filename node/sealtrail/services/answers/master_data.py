"""What this node knows of products, places and parties: master data by identifier, with who says it and since when."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from sealtrail.errors import NotFoundError, UnavailableError
from sealtrail.gs1 import canonical, gln_of, numbering_digits
from sealtrail.membership.records import MemberRecord
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.receipts import rfc3339
from sealtrail.store import masterdata
from sealtrail.store.database import Database
from sealtrail.store.masterdata import Version

VERSIONS_MAX = 100  # of one identifier in one answer, the newest; of long ones fewer
PAGE_BYTES_MAX = 4 * 1024 * 1024  # of elements in one page, or one element


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a listing goes on: after this vocabulary and identifier."""

    vocabulary: str = ""
    identifier: str = ""


class Rights:
    """Tells who numbers an identifier, by the registry as it was followed; nobody, while none was."""

    def __init__(self, members: tuple[MemberRecord, ...], unix_seconds: int) -> None:
        self._members = members
        self._names = {m.member: m.name for m in members}
        self._unix_seconds = unix_seconds

    @classmethod
    def of(
        cls, connection: sqlite3.Connection, networks: FollowedNetworks | None, unix_seconds: int
    ) -> Rights:
        """Return them as of one snapshot of the store."""
        if networks is None:
            return cls((), unix_seconds)
        try:
            return cls(networks.view(connection).network().members, unix_seconds)
        except UnavailableError:  # the chain was never read
            return cls((), unix_seconds)

    def name(self, member: bytes) -> str | None:
        """Return the member's name."""
        return self._names.get(member)

    def holders(self, identifier: str) -> dict[bytes, str]:
        """Return the members that number an identifier, or whose own place or party it is, with their names."""
        digits, gln = numbering_digits(identifier), gln_of(identifier)
        if digits is None:
            return {}
        return {
            m.member: m.name
            for m in self._members
            if m.may_number(digits, self._unix_seconds) or (gln is not None and gln in m.glns)
        }


class MasterDataAnswers:
    """Answers about master data.

    Args:
        clock: gives Unix milliseconds.
        networks: the registry as followed, by which it is told who has the right to a number.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        networks: FollowedNetworks | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._networks = networks

    async def show(self, identifier: str, *, at_ms: int | None = None) -> dict[str, Any]:
        """Return what holds of an identifier, in any spelling, at a time (now unless told), and all its versions.

        Raises:
            NotFoundError: nothing was ever said of it (``master_data_unknown``).
        """
        name = canonical(identifier)
        moment = self._clock() if at_ms is None else at_ms

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            listed = masterdata.versions(connection, name, limit=VERSIONS_MAX)
            if not listed:
                raise NotFoundError("master_data_unknown", f"no master data of {name} is held here")
            rights = Rights.of(connection, self._networks, self._clock() // 1000)
            holding = masterdata.load(connection, [name], moment).get(name, [])
            return {
                "id": name,
                "at": rfc3339(moment),
                "elements": [version_view(each, rights) for each in holding],
                "versions": [version_view(each, rights) for each in listed],
            }

        return await self._database.read(read)

    async def page(
        self, vocabulary: str | None, *, at_ms: int | None, after: Place, limit: int
    ) -> tuple[dict[str, Any], Place | None]:
        """Return a page of what holds at a time, by vocabulary and identifier, and where the next begins.

        A page of long elements has fewer than ``limit``: 4 MiB, or one element.
        """
        moment = self._clock() if at_ms is None else at_ms

        def read(connection: sqlite3.Connection) -> tuple[dict[str, Any], Place | None]:
            found, more = masterdata.page(
                connection,
                vocabulary,
                at_ms=moment,
                after=(after.vocabulary, after.identifier),
                limit=limit,
                bytes_max=PAGE_BYTES_MAX,
            )
            rights = Rights.of(connection, self._networks, self._clock() // 1000)
            view = {
                "at": rfc3339(moment),
                "elements": [version_view(each, rights) for each in found],
            }
            last = found[-1].element if found else None
            return view, Place(last.vocabulary, last.canonical) if more and last else None

        return await self._database.read(read)


def version_view(version: Version, rights: Rights) -> dict[str, Any]:
    """Return a version as JSON values: the element as the standard's JSON has it, then where it comes from."""
    element, holders = version.element, rights.holders(version.element.canonical)
    until = version.valid_until_ms
    return {
        "type": element.vocabulary,
        "id": element.id,
        "canonical": element.canonical,
        "attributes": [{"id": a.name, "attribute": a.value} for a in element.attributes],
        "children": list(element.children),
        **({"more": element.more} if element.more else {}),
        "version": version.version,
        "valid_from": rfc3339(version.valid_from_ms),
        "valid_until": None if until is None else rfc3339(until),
        "recorded_at": rfc3339(version.recorded_ms),
        "source": version.source,
        "capture_job": version.job_id,
        "stated_by": {
            "member": "0x" + version.member.hex(),
            "name": rights.name(version.member),
        },
        "numbered_by": sorted(holders.values()),
        # null: no member numbers it, so that nobody's word stands over another's
        "by_right": version.member in holders if holders else None,
    }
