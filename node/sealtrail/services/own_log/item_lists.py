"""Answers which entries of this member's log name an item, completely, with all that proves it."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any

import msgspec

from sealtrail.errors import IntegrityError, UnavailableError
from sealtrail.evidence import (
    AnchorReference,
    CompleteList,
    EntryRecord,
    LogProof,
    Verifier,
    verify_complete_list,
)
from sealtrail.log.item_index import IndexHead, encode_index_document
from sealtrail.log.item_proof import ItemProof
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.signing import item_key
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, load_leaf

INDEX_MEDIA_TYPE = "application/json"


class AnchoredIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index entry that is the last leaf of an anchored checkpoint, and what it says."""

    head: IndexHead
    record: EntryRecord


class ItemList(msgspec.Struct, frozen=True, kw_only=True):
    """The complete list of an item at an index entry: what was asked, the answer verified, and what proves it.

    ``packs``: asked of a lot's packs (docs/protocol.md section 4).
    """

    item: str
    packs: bool
    item_key: bytes
    complete: CompleteList
    record: EntryRecord
    proof: ItemProof


class ItemListService:
    """The service. It answers for this member's own log only."""

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        networks: FollowedNetworks,
        index: ItemIndexService,
    ) -> None:
        self._database = database
        self._log = log
        self._identity = identity
        self._networks = networks
        self._index = index

    async def complete_list(self, item: str, *, packs: bool = False) -> ItemList:
        """Return the complete list of an item (its canonical identifier) at the newest anchored checkpoint.

        Raises:
            UnavailableError: no checkpoint with an index entry is anchored yet (``index_not_anchored``); runs are
                being made again (``item_runs_missing``); the chain was never read (``chain_not_followed``).
            TooLargeError: the list is longer than a proof may be (``item_list_too_long``).
            IntegrityError: the store contradicts itself (``item_index_damaged``, ``item_keys_damaged``).
            VerificationError: a step of the index entry's does not hold.
        """
        index = await self._database.read(self._newest_index)
        key = item_key(self._identity.item_salt, item, packs=packs)
        proof = await self._index.prove(key, index.head)
        complete = await self._database.read(lambda c: self._verified(c, index, key, proof))
        return ItemList(
            item=item,
            packs=packs,
            item_key=key,
            complete=complete,
            record=index.record,
            proof=proof,
        )

    def _newest_index(self, connection: sqlite3.Connection) -> AnchoredIndex:
        block = self._networks.view(connection).block
        return load_newest_index(connection, self._log, self._identity, last_block=block)

    def _verified(
        self, connection: sqlite3.Connection, index: AnchoredIndex, key: bytes, proof: ItemProof
    ) -> CompleteList:
        verifier = Verifier(domain=self._identity.domain, network=self._networks.view(connection))
        return verify_complete_list(verifier, index.record, key, proof)


def load_newest_index(
    connection: sqlite3.Connection, log: LogStore, identity: Identity, *, last_block: int
) -> AnchoredIndex:
    """Return the index entry of the own log's newest checkpoint that is anchored in ``last_block`` or before.

    Raises:
        UnavailableError: there is none yet (``index_not_anchored``).
        IntegrityError: the entry is not there (``log_corrupt``).
    """
    row = connection.execute(
        "SELECT covers, postings, item_index.root_hash, note, a.sequence, block_number, transaction_hash"
        " FROM item_index JOIN checkpoint AS k ON k.tree_size = covers + 1 AND k.member = ?"
        " JOIN chain_anchor AS a ON a.checkpoint_hash = k.checkpoint_hash AND a.member = k.member"
        " WHERE block_number <= ? ORDER BY covers DESC LIMIT 1",
        (identity.member, last_block),
    ).fetchone()
    if row is None:
        raise UnavailableError(
            "index_not_anchored",
            "no checkpoint that ends with an index entry is anchored yet",
            advice="ask again when what is recorded is anchored; see: sealtrail status",
        )
    head = IndexHead(covers=row[0], postings=row[1], root_hash=row[2])
    entry = load_leaf(connection, head.covers)
    if entry is None:
        raise IntegrityError("log_corrupt", f"the index entry at leaf {head.covers} is missing")
    proof = LogProof(
        leaf_index=head.covers,
        note=row[3],
        hashes=tuple(log.inclusion_proof(connection, head.covers, head.covers + 1)),
        anchor=AnchorReference(sequence=row[4], block_number=row[5], transaction_hash=row[6]),
    )
    record = EntryRecord(
        leaf=entry.leaf,
        content=encode_index_document(head),
        media_type=INDEX_MEDIA_TYPE,
        seed=entry.seed,
        references=entry.refs,
        item_salt=identity.item_salt,
        proof=proof,
    )
    return AnchoredIndex(head=head, record=record)


def item_list_json(answer: ItemList) -> bytes:
    """Return an answer's JSON, as ``GET /v1/item-index/{item}`` gives it."""
    return msgspec.json.encode(_view(answer))


def _view(answer: ItemList) -> dict[str, Any]:
    complete, record, proof = answer.complete, answer.record, answer.record.proof
    assert proof is not None
    assert proof.anchor is not None
    return {
        "item": answer.item,
        "packs": answer.packs,
        "item_key": _hex(answer.item_key),
        "covers": complete.index.covers,
        "leaf_indices": complete.leaf_indices,
        "grade": complete.entry.grade,
        "index_entry": {
            "entry_id": _hex(complete.entry.entry_id),
            "leaf_index": proof.leaf_index,
            "leaf": _base64(record.leaf),
            "content": (record.content or b"").decode(),
            "hashes": _base64(b"".join(proof.hashes)),
        },
        "checkpoint": {
            "note": proof.note,
            "anchor": {
                "sequence": proof.anchor.sequence,
                "block_number": proof.anchor.block_number,
                "transaction_hash": _hex(proof.anchor.transaction_hash),
            },
        },
        "proof": [
            {
                "tree_leaves": part.tree_leaves,
                "position": part.position,
                "key": _hex(part.key),
                "next_key": _hex(part.next_key),
                "leaf_indices": _base64(part.leaf_indices),
                "hashes": _base64(part.hashes),
            }
            for part in answer.proof.runs
        ],
    }


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else "0x" + value.hex()
