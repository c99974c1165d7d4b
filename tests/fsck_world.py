"""Two stopped nodes' stores with rows in every table, and the chain they followed: to be damaged and checked.

stores = build_stores(folder)
report = stores["wholesaler"].check()
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from fakes.ledger import FakeLedger, _Transaction
from peers_world import PeersWorld, peers_world, until
from provenance_world import commissioning, derived, document, event, packing, shipping
from scenarios import MAKER, PHARMACY, WHOLESALER, Actor
from sealtrail.errors import IntegrityError
from sealtrail.membership.records import Purpose
from sealtrail.ports import Ledger, Sent
from sealtrail.services.fsck.faults import Fault, spelt
from sealtrail.services.fsck.run import LocalLooking, Report, check_store
from sealtrail.services.fsck.scope import KeyFile, Scope, Subject, open_snapshot
from sealtrail.store.contents import parse_content
from sealtrail.store.keystore import save_key

PACK = "https://id.gs1.org/01/09521001000012/21/"
CASE = "https://id.gs1.org/00/395210010000000017"
MANY = 280  # leaves for a whole tile
KEY = b"\x07" * 16


def read_transaction(raw: bytes) -> Sent:
    """Read a transaction as the chain in memory has them."""
    try:
        found = msgspec.msgpack.decode(raw, type=_Transaction)
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError("transaction_unreadable", str(error)) from error
    return Sent(hash=found.hash, raw=raw, nonce=found.nonce)


class Store:
    """One member's store, as it was when its node stopped."""

    def __init__(self, folder: Path, actor: Actor, world: PeersWorld) -> None:
        self.folder = folder
        self.actor = actor
        self.path = folder / f"{actor.name}.db"
        self.network = world.identity
        self.ledger = FakeLedger(world.chain, actor.member)
        self.pristine = b""
        self.key_files = tuple(
            KeyFile(purpose, folder / f"{actor.name}-{name}.json")
            for purpose, name in ((Purpose.LOG, "log"), (Purpose.PEER, "peer"))
        )

    def keep(self) -> None:
        """Take the store as it is now for what :meth:`restore` brings back; write its key files."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        self.pristine = self.path.read_bytes()
        for file in self.key_files:
            name = file.purpose.name.lower()
            save_key(file.path, file.purpose, derived(self.actor.name, name), passphrase=None)

    def restore(self) -> None:
        for name in ("-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + name).unlink(missing_ok=True)
        self.path.write_bytes(self.pristine)

    def subject(self, **changes: Any) -> Subject:
        subject = Subject(
            database=self.path,
            network=self.network,
            member=self.actor.member,
            read_transaction=read_transaction,
            counting_key=KEY,
            key_files=self.key_files,
        )
        return msgspec.structs.replace(subject, **changes)

    def check(self, *, offline: bool = False, ledger: Ledger | None = None) -> Report:
        """Run all checks."""
        asked = None if offline else (ledger or self.ledger)
        with closing(open_snapshot(self.path)) as connection:
            scope = Scope(connection, self.subject())
            return asyncio.run(check_store(scope, LocalLooking(scope), ledger=asked))

    def sql(self, *statements: str) -> None:
        """Change the store behind everybody's back."""
        with self.opened() as connection:
            for statement in statements:
                connection.execute(statement)

    @contextlib.contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            yield connection

    def copy_to(self, folder: Path) -> Store:
        """Return a copy of the store in another folder."""
        made = Store.__new__(Store)
        made.__dict__ = dict(self.__dict__)
        made.folder, made.path = folder, folder / self.path.name
        shutil.copy(self.path, made.path)
        return made


def build_stores(folder: Path) -> dict[str, Store]:
    """Let a maker, a wholesaler and a pharmacy work for a while, and stop them."""
    return asyncio.run(_build(folder))


async def _build(folder: Path) -> dict[str, Store]:
    async with peers_world(folder) as world:
        maker, wholesaler, pharmacy = [
            await world.peer(actor) for actor in (MAKER, WHOLESALER, PHARMACY)
        ]
        await maker.record(commissioning(MAKER, 1, PACK + "A1", PACK + "A2"))
        await maker.record(packing(MAKER, 2, CASE, PACK + "A1", PACK + "A2"))
        await maker.record(shipping(MAKER, WHOLESALER, 3, CASE))
        await maker.anchor()
        await _follow(world)
        await until(lambda: len(wholesaler.others()) >= 3, "the shipment")
        await until(lambda: not maker.undelivered(), "its acknowledgement")
        await wholesaler.record(
            event(WHOLESALER, "receiving", 10, CASE),
            packing(WHOLESALER, 11, CASE, PACK + "A1", action="DELETE", bizStep="unpacking"),
        )
        refused = document({"type": "ObjectEvent"}, event(WHOLESALER, "storing", 12, PACK + "A1"))
        await wholesaler.capture.capture(refused, behaviour="proceed")
        await wholesaler.anchor()
        await _declare_wrong(wholesaler)
        for first in range(0, MANY, 140):
            await wholesaler.record(
                *(
                    event(WHOLESALER, "storing", 13, f"{PACK}S{n}")
                    for n in range(first, first + 140)
                )
            )
        await wholesaler.anchor()
        # what the chain has not proven yet, of both
        await maker.record(commissioning(MAKER, 20, PACK + "B1"))
        await maker.record(shipping(MAKER, WHOLESALER, 21, PACK + "B1"))
        await until(lambda: len(wholesaler.others()) >= 5, "the second shipment")
        await wholesaler.record(event(WHOLESALER, "receiving", 22, PACK + "B1"))
        await wholesaler.record(shipping(WHOLESALER, PHARMACY, 23, PACK + "B1"))
        await until(lambda: len(pharmacy.others()) >= 2, "the third shipment")
        await wholesaler.anchor()
        await _follow(world)
        await until(
            lambda: wholesaler.sql("SELECT count(*) FROM delivery_unproven")[0][0] > 0,
            "history that is proven later",
        )
        for peer in world.peers.values():
            await peer.stop_delivering()
        stores = {
            "maker": Store(folder, MAKER, world),
            "wholesaler": Store(folder, WHOLESALER, world),
        }
    for store in stores.values():
        store.keep()
    return stores


async def _follow(world: PeersWorld) -> None:
    for peer in world.peers.values():
        await peer.follower.check_now()


async def _declare_wrong(node: Any) -> None:
    given = {
        **event(WHOLESALER, "holding", 12, PACK + "A2"),
        "eventID": "urn:uuid:11111111-2222-4333-8444-555555555555",
    }
    await node.record(given)
    await node.record(
        {
            **given,
            "errorDeclaration": {
                "declarationTime": "2023-11-14T23:00:00.000Z",
                "reason": "did_not_occur",
            },
        }
    )


def live_tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables of a store."""
    return [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " ORDER BY name"
        )
    ]


def columns_of(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    """Return (name, type, whether it is of the primary key) of each column."""
    return [(r[1], r[2], r[5] > 0) for r in connection.execute(f"PRAGMA table_info({table})")]


def keys_of(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """Return the primary key of every row."""
    names = [name for name, _, is_key in columns_of(connection, table) if is_key]
    rows = connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY {', '.join(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def flip(
    connection: sqlite3.Connection,
    table: str,
    key: dict[str, Any],
    column: str,
    random_: random.Random,
) -> dict[str, Any] | None:
    """Flip one bit of a value; return the row's key afterwards, None if there is nothing to flip."""
    where = " AND ".join(f"{name} IS ?" for name in key)
    (kind,) = [k for name, k, _ in columns_of(connection, table) if name == column]
    (value,) = connection.execute(
        f"SELECT {column} FROM {table} WHERE {where}", tuple(key.values())
    ).fetchone()
    for _ in range(40):
        changed = flipped(value, random_)
        if changed is None:
            return None
        if column == "content" and parse_content(value) == parse_content(changed):
            continue  # a spare bit at the end of a deflated stream: the content is the same
        slot = "CAST(? AS TEXT)" if kind == "TEXT" else "?"
        try:
            connection.execute(
                f"UPDATE {table} SET {column} = {slot} WHERE {where}", (changed, *key.values())
            )
        except sqlite3.IntegrityError:  # another row has that key
            continue
        if column not in key:
            return key
        if isinstance(changed, bytes) and kind == "TEXT":
            changed = changed.decode(errors="surrogateescape")
        return {**key, column: changed}
    return None


def flipped(value: bytes | str | int | None, random_: random.Random) -> bytes | int | None:
    """Return a value with one bit changed: of a text its bytes, of a number one of the bytes that it takes."""
    if value is None or value in (b"", ""):
        return None
    if isinstance(value, int):
        return value ^ 1 << random_.randrange(max(8, (value.bit_length() + 7) // 8 * 8))
    changed = bytearray(value.encode() if isinstance(value, str) else value)
    changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
    return bytes(changed)


def names(fault: Fault, table: str, keys: Iterable[dict[str, Any]]) -> bool:
    """Tell whether a fault names a row by one of its keys."""
    return fault.table == table and any(
        fault.key == {name: spelt(value) for name, value in key.items()} for key in keys
    )
