"""Two stopped nodes' stores with rows in every table, and the chain they followed: to be damaged and checked.

stores = build_stores(folder)
report = stores["wholesaler"].check()
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from fakes.ledger import FakeLedger, _Transaction
from master_data import header, site
from peers_world import Peer, PeersWorld, peers_world, until
from provenance_world import commissioning, derived, document, erase, event, packing, shipping
from scenarios import CARRIER, MAKER, PHARMACY, WHOLESALER, Actor
from sealtrail.chainproof.consensus import Form, Validators
from sealtrail.chainproof.validators import Change
from sealtrail.epcis import Limits
from sealtrail.errors import IntegrityError
from sealtrail.log.checkpoint import Checkpoint, parse_note, sign_note
from sealtrail.log.contradiction import prove_fork
from sealtrail.log.index_audit import IndexAudit, index_audit_name, sign_index_audit
from sealtrail.log.item_index import IndexHead, encode_index_document
from sealtrail.membership.records import Purpose
from sealtrail.ports import Ledger, Sent
from sealtrail.services.fsck.faults import Fault, spelt
from sealtrail.services.fsck.run import LocalLooking, Report, check_store
from sealtrail.services.fsck.scope import KeyFile, Scope, Subject, open_snapshot
from sealtrail.services.recording.drafts import Body
from sealtrail.services.recording.master_data import MasterDataService
from sealtrail.signing import Ed25519Signer, origin_of, parse_leaf
from sealtrail.store.audit_names import ensure_pseudonym, keep_input
from sealtrail.store.contents import parse_content
from sealtrail.store.foreign import ForeignCheckpoint, save_checkpoints
from sealtrail.store.index_audits import AuditedLog, save_audited, save_index_audit
from sealtrail.store.keystore import save_key
from sealtrail.store.log_findings import (
    ITEM_INDEX_WRONG,
    OMITTED,
    LogFinding,
    WrongIndex,
    save_finding,
)
from sealtrail.store.log_watch import AwaitedEntry, save_awaited
from sealtrail.store.validators import Followed, save_followed

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
            index_folder=self.folder / f"{self.actor.name}-index",
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
            triggers = connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            ).fetchall()
            for (
                name,
                _,
            ) in triggers:  # what keeps the program from changing a record keeps nobody else
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            for _, sql in triggers:
                connection.execute(sql)

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
    async with peers_world(folder, (MAKER, WHOLESALER, PHARMACY, CARRIER)) as world:
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
        await wholesaler.ask_witnesses()
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
        wholesaler.checkpoint_moved()
        await until(
            lambda: wholesaler.sql("SELECT count(*) FROM cosignature")[0][0] >= 2, "cosignatures"
        )
        # postings for a whole run of the item index
        await pharmacy.record(commissioning(PHARMACY, 30, *(f"{PACK}R{n}" for n in range(4_200))))
        await pharmacy.anchor()
        await _describe(wholesaler)
        shown = await _rewind(world)
        for peer in world.peers.values():
            await peer.stop_delivering()
            await _keep_trail(peer)
            # the notes come as with packages of its entries
            peer.database.write_sync(lambda c: save_checkpoints(c, shown, 1))
            await _look(peer)
            peer.database.write_sync(lambda c: _fill(c, world))
        wholesaler.database.write_sync(_erase_two)
        stores = {
            "maker": Store(folder, MAKER, world),
            "wholesaler": Store(folder, WHOLESALER, world),
            "pharmacy": Store(folder, PHARMACY, world),
        }
    for store in stores.values():
        store.keep()
    return stores


async def _describe(peer: Peer) -> None:
    """Keep master data in three versions of a place: by two headers, and put over the second."""
    for n, name in enumerate(("Old", "New")):
        told = json.loads(document(event(WHOLESALER, "storing", 40 + n, f"{PACK}M{n}")))
        told["epcisHeader"] = header(site(name=name))
        captured = await peer.capture.capture(json.dumps(told).encode())
        assert not captured.errors
    service = MasterDataService(
        peer.database, member=peer.actor.member, clock=lambda: peer.now_ms, limits=Limits()
    )
    await service.put(Body(json.dumps([site(name="Ours")]).encode()))


async def _rewind(world: PeersWorld) -> list[ForeignCheckpoint]:
    """Have the carrier anchor a smaller tree after a larger one; return both checkpoints."""
    ledger = FakeLedger(world.chain, CARRIER.member)
    origin = origin_of(world.domain, CARRIER.member)
    key = Ed25519Signer(derived(CARRIER.name, "log"))
    shown: list[ForeignCheckpoint] = []
    for size in (9, 7):
        checkpoint = Checkpoint(origin, size, bytes([size]) * 32)
        sequence, previous = await ledger.latest_anchor(CARRIER.member)
        sent = await ledger.sign_anchor(sequence + 1, previous, checkpoint.hash)
        await ledger.send(sent.raw)
        shown.append(
            ForeignCheckpoint(
                checkpoint_hash=checkpoint.hash,
                member=CARRIER.member,
                tree_size=size,
                root_hash=checkpoint.root_hash,
                note=sign_note(checkpoint, key),
            )
        )
    return shown


async def _look(peer: Peer) -> None:
    """Have the log watch look until it has seen all, the rewind with it."""
    await peer.follower.check_now()
    while not await peer.watch.look():
        pass
    assert peer.watch.counts["log_rewound"] == 1


async def _keep_trail(peer: Peer) -> None:
    """Put two digests of the audit trail into the log, and a few records behind them."""
    beat = peer.audit_beat()
    await beat.started(b"a configuration")
    await peer.trail.flush()
    await beat.digest()
    await peer.audit_beat().started(b"another configuration")
    await beat.digest()
    await peer.anchor()
    await beat.started(b"a third configuration")


def _fill(connection: sqlite3.Connection, world: PeersWorld) -> None:
    """Write what no node of this world has of itself: names, refused input, validators, a log that forked."""
    connection.execute(
        "INSERT OR IGNORE INTO extension_prefix VALUES ('ex', 'https://example.com/ns/')"
    )
    ensure_pseudonym(connection, "token", "a name", random=os.urandom, now_ms=1)
    refused = b"no event"
    keep_input(connection, sha256(refused).digest(), refused, bytes_max=100, now_ms=1)
    members = (b"\x01" * 20, b"\x02" * 20)
    form = Form(name="clique")
    state = Validators(form=form, number=7, hash=b"\x05" * 32, time=9, members=members)
    changes = [
        Change(first_block=n, number=n, hash=bytes([n]) * 32, members=members[: n + 1])
        for n in range(2)
    ]
    save_followed(connection, Followed(form=form, state=state), changes)
    _fill_audits(connection, world)
    origin, key = origin_of(world.domain, MAKER.member), derived(MAKER.name, "log")
    notes = [
        sign_note(Checkpoint(origin, 5, bytes([n]) * 32), Ed25519Signer(key)) for n in range(2)
    ]
    _fill_wrong_index(connection, world)
    proof = prove_fork(*notes, origin=origin, log_keys=[Ed25519Signer(key).public_key])
    forked = LogFinding(code="log_forked", member=MAKER.member, found_ms=1, contradiction=proof)
    save_finding(connection, forked)
    row = connection.execute("SELECT member, entry_id FROM foreign_entry LIMIT 1").fetchone()
    if row is not None:
        omitted = LogFinding(
            code=OMITTED, member=row[0], found_ms=1, entry_id=row[1], promised_ms=1
        )
        save_finding(connection, omitted)
        save_awaited(
            connection,
            [
                AwaitedEntry(
                    member=row[0], entry_id=row[1], record_time_ms=_time(connection, row[1])
                )
            ],
        )


def _fill_audits(connection: sqlite3.Connection, world: PeersWorld) -> None:
    """Write what an auditor said of the indexes here, and what this node said of others' as if it were one."""
    own, member = connection.execute(
        "SELECT note, member FROM checkpoint JOIN identity USING (member) ORDER BY tree_size DESC"
    ).fetchone()
    other = next(actor for actor in (WHOLESALER, PHARMACY) if actor.member != member)
    signed = parse_note(own).checkpoint
    save_index_audit(connection, signed.hash, _audit(world, other, signed))
    said = connection.execute(
        "SELECT checkpoint_hash, note, checkpoint.member FROM checkpoint JOIN chain_anchor"
        " USING (checkpoint_hash) WHERE checkpoint.member != ? LIMIT 1",
        (member,),
    ).fetchone()
    if said is not None:
        actor = next(a for a in (MAKER, WHOLESALER, PHARMACY) if a.member == member)
        checkpoint = parse_note(said[1]).checkpoint
        save_audited(
            connection,
            AuditedLog(
                member=said[2],
                checkpoint_hash=said[0],
                tree_size=checkpoint.size,
                audit=_audit(world, actor, checkpoint),
                delivered_ms=1,
            ),
        )


def _fill_wrong_index(connection: sqlite3.Connection, world: PeersWorld) -> None:
    """Write that the index at an anchored checkpoint of another log's were wrong."""
    row = connection.execute(
        "SELECT note, checkpoint.member FROM checkpoint JOIN chain_anchor USING (checkpoint_hash)"
        " WHERE checkpoint.member NOT IN (SELECT member FROM identity) LIMIT 1"
    ).fetchone()
    if row is not None:
        covers = parse_note(row[0]).checkpoint.size - 1
        head = IndexHead(covers=covers, postings=1, root_hash=b"\3" * 32)
        wrong = WrongIndex(note=row[0], recomputed=encode_index_document(head).decode())
        save_finding(
            connection,
            LogFinding(code=ITEM_INDEX_WRONG, member=row[1], found_ms=1, wrong_index=wrong),
        )


def _audit(world: PeersWorld, by: Actor, checkpoint: Checkpoint) -> IndexAudit:
    name = index_audit_name(origin_of(world.domain, by.member))
    key = Ed25519Signer(derived(by.name, "witness"))
    return sign_index_audit(checkpoint, name, key, 1_700_000_000)


def _time(connection: sqlite3.Connection, entry_id: bytes) -> int:
    row = connection.execute("SELECT leaf FROM foreign_entry WHERE entry_id = ?", (entry_id,))
    return parse_leaf(row.fetchone()[0]).entry.record_time_ms


def _erase_two(connection: sqlite3.Connection) -> None:
    """Erase an event of the own log, and another member's."""
    for condition in ("leaf_index IS NOT NULL", "leaf_index IS NULL"):
        (entry_id,) = connection.execute(
            f"SELECT entry_id FROM event WHERE {condition} ORDER BY event_row DESC LIMIT 1"
        ).fetchone()
        erase(connection, entry_id)


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
