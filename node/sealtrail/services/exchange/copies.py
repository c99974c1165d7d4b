"""Copies of entries for members whose own store was damaged: each gets its own, and what it was shown of this member's.

What goes out is a package like any other, and who gets it verifies it like any other. Nobody learns anything new: a
member's entries are its own, and of this member's only those are given that were noted as disclosed to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from sealtrail.errors import InputError, NotFoundError, TooLargeError
from sealtrail.evidence import Package, PackageNetwork, Verifier, encode_package
from sealtrail.evidence.wire import Digest, from_hex
from sealtrail.peers.client import COPIES_PURPOSE
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.exchange.parcels import shown_in
from sealtrail.services.portions import portions
from sealtrail.services.records import load_provable
from sealtrail.signing import Ed25519Signer
from sealtrail.store.database import Database
from sealtrail.store.events import entry_sizes
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

COPIES_MAX = 100  # entries asked for at once
_BYTES_MAX = 4 << 20  # contents of one answer; more only if one alone is more


class _Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry_ids: list[Digest]


class Copies:
    """Answers one member's questions for copies; used from reader threads."""

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        signer: Ed25519Signer,
        *,
        networks: FollowedNetworks,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._log = log
        self._identity = identity
        self._signer = signer
        self._networks = networks
        self._now_ms = now_ms

    async def give(self, question: bytes, member: bytes) -> bytes:
        """Return a package with those of the entries asked for that the member may have and that hold here.

        As many as fit: who misses one asks again for it alone.

        Raises:
            InputError: ``copies_malformed``. TooLargeError: ``too_many_copies``.
            NotFoundError: ``copies_unknown``, there is none.
            UnavailableError: the chain was never followed.
        """
        wanted = _parse(question)
        return await self._database.read(lambda c: self._package(c, wanted, member))

    def _package(
        self, connection: sqlite3.Connection, wanted: Sequence[bytes], member: bytes
    ) -> bytes:
        allowed = _allowed(connection, wanted, member, self._identity.member)
        sizes = entry_sizes(connection, allowed)
        fitting = next(
            portions(
                allowed,
                count_max=COPIES_MAX,
                size=lambda entry_id: sizes[entry_id].content_bytes,
                size_max=_BYTES_MAX,
            ),
            (),
        )
        view = self._networks.view(connection)
        verifier = Verifier(domain=self._identity.domain, network=view)
        loaded = load_provable(
            connection, self._log, self._identity, fitting, last_block=view.block
        )
        shown = shown_in(verifier, loaded)
        if not shown:
            raise NotFoundError(
                "copies_unknown", "no copy of these entries is here for this member"
            )
        package = Package(
            network=PackageNetwork(**msgspec.structs.asdict(self._networks.identity)),
            issuer=self._identity.member,
            recipient=member,
            purpose=COPIES_PURPOSE,
            created_ms=self._now_ms(),
            subjects=tuple(shown),
            entries=tuple(shown.values()),
        )
        return encode_package(package, self._signer)


def _parse(question: bytes) -> list[bytes]:
    try:
        wanted = msgspec.json.decode(question, type=_Question).entry_ids
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("copies_malformed", f"no question for copies: {error}") from error
    if len(wanted) > COPIES_MAX:
        raise TooLargeError(
            "too_many_copies", f"{len(wanted)} entries, at most {COPIES_MAX}", pointer="/entry_ids"
        )
    return [from_hex(each) for each in dict.fromkeys(wanted)]


def _allowed(
    connection: sqlite3.Connection, wanted: Sequence[bytes], member: bytes, own: bytes
) -> list[bytes]:
    """Return those entries that are the member's, or this member's and disclosed to it; with content, in order."""
    marks = ", ".join("?" * len(wanted))
    rows = connection.execute(
        f"SELECT entry_id FROM event WHERE entry_id IN ({marks}) AND content IS NOT NULL"
        " AND (member = ? OR member = ? AND EXISTS (SELECT 1 FROM disclosed"
        "  WHERE disclosed.event_row = event.event_row AND recipient = ?)) ORDER BY event_row",
        (*wanted, member, own, member),
    )
    return [entry_id for (entry_id,) in rows]
