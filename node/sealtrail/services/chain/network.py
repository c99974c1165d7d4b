"""The network as this node followed it: what the verifier and the rules ask of the chain, answered from the store.

Only what is final is shown: an anchor in a block that a reorganisation can still undo proves nothing yet.
"""

from __future__ import annotations

from sqlite3 import Connection

import msgspec

from sealtrail.errors import IntegrityError, SealtrailError, UnavailableError
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import Anchor, MemberRecord, Network
from sealtrail.ports import ChainRecord
from sealtrail.store import chain

_RECORDS_KEPT = 10_000


class NetworkIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which network: chain, and the contracts on it."""

    chain_id: int
    genesis_hash: bytes
    registry: bytes
    anchors: bytes


class FollowedNetworks:
    """Makes views of the network; keeps decoded records between them. Usable from several threads."""

    def __init__(self, identity: NetworkIdentity) -> None:
        self.identity = identity
        self._records: dict[tuple[bytes, int], MemberRecord] = {}  # by all that they follow from

    def view(self, connection: Connection) -> FollowedNetwork:
        """Return the network as of what ``connection`` sees; use it within the same read.

        Raises:
            UnavailableError: the chain was never followed (``chain_not_followed``).
        """
        cursor = chain.load_cursor(connection)
        if cursor is None:
            raise UnavailableError(
                "chain_not_followed",
                "this node has not read the chain yet, so nothing can be checked against it",
                advice="see whether the chain is reachable: sealtrail doctor",
            )
        return FollowedNetwork(self, connection, cursor)

    def record(self, stored: ChainRecord) -> MemberRecord:
        """Return a stored record, decoded."""
        key = (stored.record, stored.block_number)
        known = self._records.get(key)
        if known is None:
            try:
                known = parse_record(stored.record, block=stored.block_number)
            except SealtrailError as error:
                raise IntegrityError(
                    "record_unreadable",
                    f"version {stored.version} of member 0x{stored.member.hex()}: {error.message}",
                    advice="is this program older than the network's contracts?",
                ) from error
            if len(self._records) >= _RECORDS_KEPT:
                self._records = {}
            self._records[key] = known
        return known


class FollowedNetwork:
    """One consistent view; implements :class:`sealtrail.evidence.NetworkView`.

    Records and last anchors are looked up once: within one read of the store they can't change.
    """

    def __init__(
        self, networks: FollowedNetworks, connection: Connection, cursor: chain.Cursor
    ) -> None:
        self._networks = networks
        self._connection = connection
        self.cursor = cursor
        self._records: dict[tuple[bytes, int], MemberRecord | None] = {}
        self._last_anchors: dict[bytes, Anchor] | None = None

    @property
    def block(self) -> int:
        """The newest block that is covered: final, and followed."""
        return self.cursor.final_block

    def anchor(self, member: bytes, checkpoint_hash: bytes) -> Anchor | None:
        """Return the member's anchor of that checkpoint, if a final block holds one."""
        return chain.find_anchor(self._connection, member, checkpoint_hash, self.block)

    def last_anchor(self, member: bytes) -> Anchor | None:
        """Return the member's newest final anchor."""
        if self._last_anchors is None:
            self._last_anchors = chain.last_anchors(self._connection, self.block)
        return self._last_anchors.get(member)

    def record(self, member: bytes, block: int | None) -> MemberRecord | None:
        """Return the member's record as it stood after ``block``; the latest one if that is None.

        Raises:
            UnavailableError: ``block`` is not final yet, or not followed (``block_not_followed``).
        """
        if block is not None and block > self.block:
            raise UnavailableError(
                "block_not_followed", f"block {block}: the chain is followed up to {self.block}"
            )
        key = (member, self.block if block is None else block)
        if key not in self._records:
            stored = chain.find_record(self._connection, *key)
            self._records[key] = None if stored is None else self._networks.record(stored)
        return self._records[key]

    def network(self) -> Network:
        """Return the latest record of every member."""
        identity = self._networks.identity
        records = chain.latest_records(self._connection, self.block)
        return Network(
            chain_id=identity.chain_id,
            genesis_hash=identity.genesis_hash,
            registry=identity.registry,
            anchors=identity.anchors,
            block=self.block,
            members=tuple(self._networks.record(r) for r in records),
        )
