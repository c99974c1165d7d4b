"""The log as it is shown to who may read all of it: the newest published checkpoint, and the tiles that it needs.

Nothing is shown that no published checkpoint covers: tiles say how many entries there are, and how fast they come.
"""

from __future__ import annotations

from sqlite3 import Connection

from sealtrail.errors import ForbiddenError, NotFoundError
from sealtrail.log.cosignature import with_cosignatures
from sealtrail.log.index_audit import with_index_audits
from sealtrail.log.tiles import (
    ENTRIES,
    KEYS,
    TileName,
    encode_entry_bundle,
    encode_key_bundle,
    parse_tile_name,
)
from sealtrail.membership.records import Role
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.store import outbox
from sealtrail.store.cosignatures import load_cosignatures
from sealtrail.store.database import Database
from sealtrail.store.index_audits import load_index_audits
from sealtrail.store.log import LogStore, load_bundle
from sealtrail.store.outbox import OwnCheckpoint

READING_ROLES = Role.AUDITOR | Role.REGULATOR


class PublishedLog:
    """Reads one member's own log.

    Args:
        member: whose log it is.
        networks: who may read it as another member.
    """

    def __init__(
        self, database: Database, log: LogStore, *, member: bytes, networks: FollowedNetworks
    ) -> None:
        self._database = database
        self._log = log
        self._member = member
        self._networks = networks

    async def checkpoint(self) -> str:
        """Return the newest checkpoint that was ever submitted, with the cosignatures and index audits of it.

        Raises:
            NotFoundError: there is none yet (``checkpoint_missing``).
        """
        return await self._database.read(_cosigned_note)

    async def tile(self, path: str) -> bytes:
        """Return a tile or bundle by its path below ``tile/``.

        Raises:
            InputError: ``tile_path_malformed``.
            NotFoundError: no published checkpoint needs it (``tile_unknown``); there is none (``checkpoint_missing``).
        """
        name = parse_tile_name(path)
        return await self._database.read(lambda c: self._tile(c, name))

    async def require_reader(self, member: bytes) -> None:
        """Check that another member has a role that may read whole logs.

        Raises:
            ForbiddenError: ``role_missing``.
            UnavailableError: the chain was never followed.
        """
        record = await self._database.read(lambda c: self._networks.view(c).record(member, None))
        if record is None or not record.roles & READING_ROLES:
            raise ForbiddenError(
                "role_missing",
                f"0x{member.hex()} is neither auditor nor regulator, and reads no log of others",
            )

    def _tile(self, connection: Connection, name: TileName) -> bytes:
        self._require_published(connection, name)
        if name.row == ENTRIES:
            return encode_entry_bundle(leaf for leaf, _ in load_bundle(connection, name))
        if name.row == KEYS:
            return encode_key_bundle(keys for _, keys in load_bundle(connection, name))
        return self._log.tile(connection, name)

    def _require_published(self, connection: Connection, name: TileName) -> None:
        """Refuse what is not in a published tree, and partial tiles of a size that none has.

        Source: C2SP tlog-tiles, Partial Tiles.
        """
        first, end = name.sizes
        newest = _published(connection).tree_size
        # in this order: a size beyond the log's may be beyond what the store can compare
        needed = first <= newest and (
            name.is_full or outbox.is_published(connection, self._member, first, end)
        )
        if not needed:
            raise NotFoundError("tile_unknown", f"no published checkpoint needs the tile {name}")


def _cosigned_note(connection: Connection) -> str:
    newest = _published(connection)
    return as_seen(connection, newest.note, newest.checkpoint_hash)


def as_seen(connection: Connection, note: str, checkpoint_hash: bytes) -> str:
    """Return a checkpoint's note with what others signed below it, as far as they handed it over."""
    note = with_cosignatures(note, load_cosignatures(connection, checkpoint_hash))
    return with_index_audits(note, load_index_audits(connection, checkpoint_hash))


def _published(connection: Connection) -> OwnCheckpoint:
    found = outbox.last_published(connection)
    if found is None:
        raise NotFoundError(
            "checkpoint_missing",
            "this log has no checkpoint yet",
            advice="ask again after its first anchor",
        )
    return found
