"""A log of made-up entries with its item index, no chain and no HTTP; and the whole map that it must agree with."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from sealtrail.log.item_index import IndexHead
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.signing import (
    ZERO_SEED,
    EventSigner,
    SignedEntry,
    encode_leaf,
    items_root,
    parse_leaf,
)
from sealtrail.store import item_index as stored
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity, load_identity, save_identity
from sealtrail.store.log import LogStore, NewEntry, load_leaf

SIGNER = EventSigner(b"\x33" * 32)
IDENTITY = Identity(
    chain_id=1337,
    genesis_hash=b"\x22" * 32,
    registry=b"\x11" * 20,
    member=SIGNER.address,
    item_salt=b"\x44" * 32,
)


def key_of(name: str) -> bytes:
    return sha256(name.encode()).digest()


class IndexWorld:
    """One log and its index, over files that outlive a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index_folder = folder / "index"
        self.expected: dict[bytes, list[int]] = {}
        self.database: Database
        self.log: LogStore
        self.index: ItemIndexService

    async def start(self, database: Any = None) -> IndexWorld:
        """Start (again); ``database`` stands in for the one that the index service is given."""
        self.database = Database.open(self.folder / "log.db", readers=2)
        if self.database.read_sync(load_identity) is None:
            self.database.write_sync(lambda c: save_identity(c, IDENTITY))
        self.log = LogStore.open(self.database)
        await ensure_genesis(self.database, self.log, IDENTITY, signer=SIGNER, record_time_ms=1)
        self.index = await self.opened(database)
        return self

    async def opened(self, database: Any = None) -> ItemIndexService:
        return await ItemIndexService.open(
            database or self.database,
            self.log,
            IDENTITY,
            SIGNER,
            folder=self.index_folder,
            clock=lambda: 1_700_000_000_000,
        )

    async def stop(self) -> None:
        await self.index.close()
        self.database.close()

    async def append(self, *names: list[str]) -> None:
        """Append an entry for each list of items."""
        first = await self.database.read(lambda c: load_leaf(c, 0))
        assert first is not None
        keys = [sorted({key_of(name) for name in each}) for each in names]
        entries = [
            NewEntry(
                key_of(f"id {leaf}"), _leaf(first.leaf, leaf, of), ZERO_SEED, b"", b"".join(of)
            )
            for leaf, of in enumerate(keys, start=self.log.size)
        ]
        at = await self.database.write(lambda c: self.log.append(c, entries))
        for leaf, of in enumerate(keys, start=at):
            for key in of:
                self.expected.setdefault(key, []).append(leaf)

    async def append_packs(self, count: int, *, each: int = 8, lot: str = "lot") -> None:
        """Append entries that name so many packs, some a time, and their lot."""
        first = self.log.size
        names = [
            [f"pack {first} {n}" for n in range(at, min(at + each, count))]
            for at in range(0, count, each)
        ]
        await self.append(*[[*of, lot] for of in names])

    async def head(self) -> IndexHead:
        found = await self.database.read(stored.last_head)
        assert found is not None
        return found

    def listed(self, key: bytes, head: IndexHead) -> list[int]:
        return [leaf for leaf in self.expected.get(key, []) if leaf < head.covers]


def _leaf(genesis: bytes, leaf_index: int, item_keys: list[bytes]) -> bytes:
    """Return a leaf of its own with the items root of these keys; its other fields are the genesis entry's."""
    entry = msgspec.structs.replace(
        parse_leaf(genesis).entry, record_time_ms=leaf_index, items_root=items_root(item_keys)
    )
    return encode_leaf(SignedEntry(entry, genesis[-65:]))
