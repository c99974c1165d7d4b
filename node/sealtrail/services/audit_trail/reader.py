"""Reads the audit trail: pages of records, and an export that shows each record's way to the chain."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sealtrail.errors import InputError, IntegrityError, NotFoundError, TooLargeError
from sealtrail.evidence.audit_digest import DIGEST_MEDIA_TYPE, parse_digest
from sealtrail.evidence.audit_export import (
    EXPORT_TYPE,
    DigestLine,
    EntryLine,
    HeaderLine,
    ProofLine,
    RecordLine,
    encode_line,
)
from sealtrail.evidence.audit_record import AuditRecord, explain, parse_record
from sealtrail.evidence.record import EntryRecord, LogProof
from sealtrail.log.tree import inclusion_proof, leaf_hash, node_hash, root_hash, split_hashes
from sealtrail.services.answers.queries import QUERY_SECONDS_MAX
from sealtrail.services.receipts import rfc3339_if_spelt
from sealtrail.services.records import anchored_checkpoint, load_provable
from sealtrail.signing import item_key
from sealtrail.store import audit, audit_digests, audit_names, chain
from sealtrail.store.audit import AuditFilter, StoredRecord
from sealtrail.store.audit_digests import StoredDigest
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, load_entry, load_leaf

EXPORT_RECORDS_MAX = 5_000
_AT_ONCE = 2_000


class AuditReader:
    """Reads one node's trail.

    Args:
        clock: gives Unix milliseconds.
    """

    def __init__(
        self, database: Database, log: LogStore, identity: Identity, *, clock: Callable[[], int]
    ) -> None:
        self._database = database
        self._log = log
        self._identity = identity
        self._clock = clock

    async def page(
        self,
        wanted: AuditFilter,
        *,
        entry: bytes | None = None,
        item: str | None = None,
        before: int | None,
        limit: int,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return the newest matching records before number ``before``, and where to go on (None: no more).

        Args:
            entry: id of an entry that the records are about; ``item`` a canonical identifier: one of both at most.

        Raises:
            UnavailableError: it took too long (``query_interrupted``).
        """

        def read(connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], int | None]:
            found, more = self._find(
                connection, wanted, entry=entry, item=item, before=before, limit=limit
            )
            return [_view(connection, each) for each in found], more

        return await self._database.read(read, seconds_max=QUERY_SECONDS_MAX)

    async def export(
        self, wanted: AuditFilter, *, entry: bytes | None = None, item: str | None = None
    ) -> bytes:
        """Return every record about an entry or an item as JSON Lines, with proofs, beside the entry itself.

        Raises:
            InputError: neither entry nor item (``audit_subject_missing``).
            NotFoundError: nothing is recorded about it (``audit_nothing_recorded``).
            TooLargeError: ``audit_export_too_large``.
        """
        if (entry is None) == (item is None):
            raise InputError(
                "audit_subject_missing", "an export is about one entry or about one item"
            )

        def read(connection: sqlite3.Connection) -> bytes:
            found, more = self._find(
                connection, wanted, entry=entry, item=item, before=None, limit=EXPORT_RECORDS_MAX
            )
            if more is not None:
                raise TooLargeError(
                    "audit_export_too_large",
                    f"more than {EXPORT_RECORDS_MAX} records are about this",
                    advice="export it in parts: give from and until",
                )
            if not found:
                raise NotFoundError(
                    "audit_nothing_recorded", "the audit trail has nothing about this"
                )
            lines = self._lines(connection, sorted(found, key=lambda each: each.n), entry, item)
            return b"".join(lines)

        return await self._database.read(read, seconds_max=QUERY_SECONDS_MAX)

    def _find(
        self,
        connection: sqlite3.Connection,
        wanted: AuditFilter,
        *,
        entry: bytes | None,
        item: str | None,
        before: int | None,
        limit: int,
    ) -> tuple[list[StoredRecord], int | None]:
        if item is not None:
            wanted = msgspec.structs.replace(
                wanted, subject=item_key(self._identity.item_salt, item)
            )
        if entry is None:
            return audit.find_records(connection, wanted, before=before, limit=limit)
        own = load_entry(connection, entry)
        shown = msgspec.structs.replace(wanted, subject=entry)
        found, more = audit.find_records(connection, shown, before=before, limit=limit)
        if own is None:
            return found, more
        leaf = own.leaf_index
        recorded = [
            each
            for each in audit.captures_near(connection, leaf, wanted)
            if (before is None or each.n < before) and _captured(record_of(each), leaf)
        ]
        if more is not None:  # what is older comes with a later page
            recorded = [each for each in recorded if each.n >= more]
        merged = sorted({each.n: each for each in (*found, *recorded)}.values(), key=_newest)
        if len(merged) > limit:
            return merged[:limit], merged[limit - 1].n
        return merged, more

    # -- export ------------------------------------------------------------------------------------------

    def _lines(
        self,
        connection: sqlite3.Connection,
        found: list[StoredRecord],
        entry: bytes | None,
        item: str | None,
    ) -> Iterator[bytes]:
        identity = self._identity
        yield encode_line(
            HeaderLine(
                type=EXPORT_TYPE,
                chain_id=identity.chain_id,
                genesis_hash=_hex(identity.genesis_hash),
                registry=_hex(identity.registry),
                member=_hex(identity.member),
                created_ms=self._clock(),
                entry=None if entry is None else _hex(entry),
                item=item,
                item_salt=None if item is None else _hex(identity.item_salt),
                records=len(found),
            )
        )
        cursor = chain.load_cursor(connection)
        block = -1 if cursor is None else cursor.final_block
        if entry is not None:
            for each in load_provable(connection, self._log, identity, [entry], last_block=block):
                yield encode_line(_entry_line(each.record))
        digests: dict[int, StoredDigest] = {}
        proofs = _DigestProofs(connection)
        for stored in found:
            digest = audit_digests.digest_over(connection, stored.n)
            if digest is not None:
                digests[digest.leaf_index] = digest
            yield encode_line(self._record_line(connection, stored, digest, proofs))
        for digest in digests.values():
            record = self._digest_record(connection, digest, block)
            if record is not None:
                yield encode_line(_digest_line(digest.leaf_index, record))

    def _record_line(
        self,
        connection: sqlite3.Connection,
        stored: StoredRecord,
        digest: StoredDigest | None,
        proofs: _DigestProofs,
    ) -> RecordLine:
        record = record_of(stored)
        kept = None
        if record.input is not None and record.input.kept:
            kept = audit_names.load_input(connection, bytes.fromhex(record.input.digest[2:]))
        return RecordLine(
            record=msgspec.Raw(stored.body),
            meaning=explain(record, member=_hex(self._identity.member), time=_time),
            digest=None if digest is None else digest.leaf_index,
            proof=None if digest is None else tuple(map(_hex, proofs.of(digest, stored.n))),
            input=None if kept is None else _base64(kept),
        )

    def _digest_record(
        self, connection: sqlite3.Connection, digest: StoredDigest, block: int
    ) -> EntryRecord | None:
        """Return the entry that holds a digest, with its proof to the first anchored checkpoint over it."""
        entry = load_leaf(connection, digest.leaf_index)
        if entry is None:
            return None
        identity = self._identity
        found = anchored_checkpoint(connection, identity.member, entry.leaf_index, block)
        proof = None
        if found is not None:
            hashes = self._log.inclusion_proof(connection, entry.leaf_index, found.tree_size)
            proof = LogProof(
                leaf_index=entry.leaf_index,
                note=found.note,
                hashes=tuple(hashes),
                anchor=found.reference,
            )
        return EntryRecord(
            leaf=entry.leaf,
            content=digest.content,
            media_type=DIGEST_MEDIA_TYPE,
            seed=entry.seed,
            references=entry.refs,
            item_keys=split_hashes(entry.item_keys),
            proof=proof,
        )


class _DigestProofs:
    """Proofs within digests; each digest's records are read and hashed once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._of: StoredDigest | None = None
        self._leaves: list[bytes] = []
        self._known: dict[tuple[int, int], bytes] = {}

    def of(self, digest: StoredDigest, n: int) -> list[bytes]:
        """Return the inclusion proof of record ``n`` in a digest that covers it.

        Raises:
            IntegrityError: the digest covers other records than are there (``audit_trail_damaged``).
        """
        if self._of != digest:
            self._of, self._known = digest, {}
            self._leaves = list(self._hashes(digest))
            if "0x" + root_hash(self._leaves).hex() != parse_digest(digest.content).root:
                raise _damaged(f"one of {digest.count} records from {digest.first} on is another")
        return inclusion_proof(n - digest.first, digest.count, self._node)

    def _node(self, level: int, index: int) -> bytes:
        if level == 0:
            return self._leaves[index]
        found = self._known.get((level, index))
        if found is None:
            found = node_hash(
                self._node(level - 1, 2 * index), self._node(level - 1, 2 * index + 1)
            )
            self._known[level, index] = found
        return found

    def _hashes(self, digest: StoredDigest) -> Iterator[bytes]:
        start = digest.first
        while start < digest.end:
            found = audit.load_records(self._connection, start, before=digest.end, limit=_AT_ONCE)
            if not found:
                return
            yield from (leaf_hash(each.body) for each in found)
            start = found[-1].n + 1


def record_of(stored: StoredRecord) -> AuditRecord:
    """Return a stored record, read.

    Raises:
        IntegrityError: it is not what was recorded (``audit_trail_damaged``).
    """
    try:
        return parse_record(stored.body)
    except InputError as error:
        raise _damaged(f"record {stored.n}: {error.message}") from error


def _damaged(what: str) -> IntegrityError:
    return IntegrityError(
        "audit_trail_damaged",
        f"the audit trail is not what was recorded: {what}",
        advice="keep the file; `sealtrail audit verify` names the first bad record",
    )


def _view(connection: sqlite3.Connection, stored: StoredRecord) -> dict[str, Any]:
    record = record_of(stored)
    digest = audit_digests.digest_over(connection, stored.n)
    return {
        "record": record,
        "record_hash": _hex(stored.record_hash),
        "time": _time(record.time_ms),
        "digest": None if digest is None else digest.leaf_index,
    }


def _captured(record: AuditRecord, leaf_index: int) -> bool:
    leaves = record.subject.leaves if record.subject else ()
    return any(first <= leaf_index < first + count for first, count in leaves)


def _entry_line(record: EntryRecord) -> EntryLine:
    return EntryLine(**_spelt(record))


def _digest_line(leaf_index: int, record: EntryRecord) -> DigestLine:
    return DigestLine(leaf_index=leaf_index, **_spelt(record))


def _spelt(record: EntryRecord) -> dict[str, Any]:
    proof = record.proof
    return {
        "leaf": _base64(record.leaf),
        "media_type": record.media_type,
        "content": None if record.content is None else _base64(record.content),
        "seed": None if record.seed is None else _hex(record.seed),
        "references": _base64(record.references),
        "item_keys": tuple(map(_hex, record.item_keys)),
        "proof": None
        if proof is None
        else ProofLine(
            leaf_index=proof.leaf_index, note=proof.note, hashes=tuple(map(_hex, proof.hashes))
        ),
    }


def _newest(stored: StoredRecord) -> int:
    return -stored.n


def _time(time_ms: int) -> str:
    return rfc3339_if_spelt(time_ms) or str(time_ms)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
