"""Is the audit trail what was recorded? The whole of it is compared with its chain, its digests and its indexes.

What no digest covers yet is held by the chain of hashes alone, which whoever can write the database could make anew;
what a digest covers, only who can also take back the log's anchors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from sealtrail.errors import InputError, IntegrityError
from sealtrail.evidence.audit_digest import parse_digest
from sealtrail.evidence.audit_record import FIRST_PREVIOUS, AuditRecord, chain_hash, parse_record
from sealtrail.log.tree import CompactRange, leaf_hash
from sealtrail.services.integrity import committed_root, require_committed
from sealtrail.services.own_log.plain_entries import plain_root
from sealtrail.signing import Domain, Kind
from sealtrail.store import audit, audit_digests
from sealtrail.store.audit_digests import StoredDigest
from sealtrail.store.log import load_leaf

_AT_ONCE = 1_000


class TrailFault(msgspec.Struct, frozen=True):
    """The first place where the trail is not what was recorded; ``record`` is its number, ``code`` stable."""

    record: int
    code: str
    reason: str


class TrailReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far the trail holds: records looked at, those under a digest in the log, and the first fault."""

    records: int
    in_digests: int
    digests: int
    fault: TrailFault | None


class _FaultError(Exception):
    def __init__(self, record: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.fault = TrailFault(record, code, reason)


def check_trail(connection: sqlite3.Connection, domain: Domain) -> TrailReport:
    """Compare the whole trail with itself and with the log; what does not hold is in the answer, not raised."""
    walk = _Walk(connection, domain)
    fault = None
    try:
        walk.run()
    except _FaultError as found:
        fault = found.fault
    return TrailReport(
        records=walk.count, in_digests=walk.in_digests, digests=walk.digests, fault=fault
    )


class _Walk:
    def __init__(self, connection: sqlite3.Connection, domain: Domain) -> None:
        self._connection = connection
        self._domain = domain
        self.count = 0
        self.in_digests = 0
        self.digests = 0
        self._previous = FIRST_PREVIOUS
        self._rows_of = audit.SubjectRows()
        self._subjects = 0
        self._range = CompactRange()

    def run(self) -> None:
        """Walk over records and digests in order; raise at the first that is wrong."""
        digests = audit_digests.all_digests(self._connection)
        pending = iter(digests)
        following = self._close_digests(next(pending, None), pending)
        for row in self._rows():
            self._record(row)
            following = self._close_digests(following, pending)
        if following is not None:
            raise _FaultError(
                self.count,
                "audit_record_missing",
                f"the digest at leaf {following.leaf_index} covers records up to {following.end - 1}",
            )
        head = audit.load_head(self._connection)
        if (head.count, head.record_hash) != (self.count, self._previous):
            raise _FaultError(
                min(self.count, head.count),
                "audit_record_missing" if head.count > self.count else "audit_chain_broken",
                f"the trail's head says {head.count} records, {self.count} are there",
            )
        if (head.leaf_block, head.leaf_record) != (
            self._rows_of.leaf_block,
            self._rows_of.leaf_record,
        ):
            raise _FaultError(self.count, "audit_subjects_differ", "the head's leaves are others")
        self._indexes(len(digests))

    def _rows(self) -> Iterator[tuple[int, int, bytes, bytes]]:
        first = -(2**62)  # a number below 0 has no place
        while True:
            rows = audit.load_rows(self._connection, first, limit=_AT_ONCE)
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            first = rows[-1][0] + 1

    def _record(self, row: tuple[int, int, bytes, bytes]) -> None:
        n, time_ms, body, record_hash = row
        if n != self.count:
            raise _FaultError(
                self.count, "audit_record_missing", f"record {n} stands where {self.count} should"
            )
        try:
            record = parse_record(body)
        except InputError as error:
            raise _FaultError(n, error.code, error.message) from error
        if record.n != n:
            raise _FaultError(n, "audit_record_misplaced", f"its bytes are record {record.n}")
        self._previous = chain_hash(self._previous, body)
        if self._previous != record_hash:
            raise _FaultError(
                n, "audit_chain_broken", "its hash is not that of what came before it"
            )
        if time_ms != record.time_ms:
            raise _FaultError(n, "audit_columns_differ", "the time it is found by is another")
        self._found(n, record)
        self._range.append(leaf_hash(body))
        self.count += 1

    def _found(self, n: int, record: AuditRecord) -> None:
        keys = self._rows_of.of(record)
        self._subjects += len(keys)
        if not audit.has_subjects(self._connection, keys, n):
            raise _FaultError(n, "audit_subjects_differ", "it is not found by all that it is about")

    def _close_digests(
        self, following: StoredDigest | None, pending: Iterator[StoredDigest]
    ) -> StoredDigest | None:
        """Check the digests that end here; return the next one."""
        while following is not None and following.end <= self.count:
            self._digest(following)
            following = next(pending, None)
        return following

    def _digest(self, stored: StoredDigest) -> None:
        begin = self.count - self._range.size
        where = f"the digest at leaf {stored.leaf_index}"
        try:
            digest = parse_digest(stored.content)
        except InputError as error:
            raise _FaultError(begin, error.code, f"{where}: {error.message}") from error
        self._digest_entry(stored, begin, where)
        if (stored.first, digest.first, digest.count) != (begin, begin, stored.count):
            raise _FaultError(begin, "audit_digest_misplaced", f"{where} begins elsewhere")
        if digest.root != "0x" + self._range.root().hex():
            raise _FaultError(
                begin,
                "audit_digest_differs",
                f"one of records {begin} to {self.count - 1} is not what {where} covers",
            )
        if digest.head != "0x" + self._previous.hex():
            raise _FaultError(begin, "audit_digest_differs", f"{where} has another hash")
        self._range = CompactRange()
        self.in_digests, self.digests = self.count, self.digests + 1

    def _digest_entry(self, stored: StoredDigest, begin: int, where: str) -> None:
        entry = load_leaf(self._connection, stored.leaf_index)
        if entry is None or entry.entry_id != stored.entry_id:
            raise _FaultError(begin, "audit_digest_not_in_log", f"{where} is not in the log")
        try:
            require_committed(entry, self._domain)
        except IntegrityError as error:
            raise _FaultError(begin, error.code, error.message) from error
        kind = entry.leaf[1]
        seed = entry.seed
        if (
            kind != Kind.AUDIT_DIGEST
            or seed is None
            or committed_root(entry) != plain_root(stored.content, seed)
        ):
            raise _FaultError(
                begin, "audit_digest_not_in_log", f"the entry there is not over {where}"
            )

    def _indexes(self, digests: int) -> None:
        if audit.count_subjects(self._connection) != self._subjects:
            raise _FaultError(
                self.count, "audit_subjects_differ", "records are found by what they are not about"
            )
        in_log = audit_digests.count_in_log(self._connection, Kind.AUDIT_DIGEST)
        if in_log != digests:
            raise _FaultError(
                self.in_digests,
                "audit_digest_missing",
                f"the log has {in_log} digests of the trail, {digests} are known",
            )
