"""The audit trail: by the auditors' own check, and where that finds something, record by record.

:func:`sealtrail.services.audit_trail.check.check_trail` says whether the trail is what was recorded, and stops at the
first place where it is not. Each record is named here that can be told to be at fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sealtrail.errors import InputError, IntegrityError
from sealtrail.evidence.audit_digest import AuditDigest, encode_digest, parse_digest
from sealtrail.evidence.audit_record import FIRST_PREVIOUS, AuditRecord, chain_hash, parse_record
from sealtrail.log.tree import CompactRange, leaf_hash
from sealtrail.services.audit_trail.check import TrailFault, check_trail
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.integrity import committed_root
from sealtrail.services.own_log.plain_entries import plain_root
from sealtrail.signing import Kind
from sealtrail.store import audit, audit_digests
from sealtrail.store.log import load_leaf

_RECORD, _HEAD, _SUBJECT, _DIGEST = "audit_record", "audit_head", "audit_subject", "audit_digest"
_NAME, _INPUT, _TOTAL = "audit_name", "audit_input", "audit_input_total"
_HEAD_KEY = {"id": 1}
_PSEUDONYM_HEX = 32
_GAP_NAMED_MAX = 1_000


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check the whole trail, and what stands beside it."""
    found = Findings()
    try:
        fault = check_trail(scope.connection, scope.domain).fault
    except IntegrityError:  # the head is gone
        fault = TrailFault(0, "audit_trail_damaged", "it has lost its head")
    if fault is not None:
        _Walk(scope, found).run()
        if not found.faults:
            message = f"{fault.reason} [{fault.code}]"
            found.add("audit_record_differs", _RECORD, {"n": fault.record}, message)
    _check_inputs(scope, found)
    _check_names(scope, found)
    return found


class _Walk:
    """Names what is wrong with each record, not with the first only."""

    def __init__(self, scope: Scope, found: Findings) -> None:
        self._connection = scope.connection
        self._found = found
        self._bodies: dict[int, bytes] = {}
        self._hashes: dict[int, bytes] = {}
        self._bad: set[int] = set()  # records that are gone or named
        self._unread_from: int | None = None  # the first record that is gone or can't be read
        self._rows_of = audit.SubjectRows()
        self._expected: dict[int, set[bytes]] = {}
        self._count = 0

    def run(self) -> None:
        """Compare records, digests, head and subjects, in this order."""
        # what the record before may have for a hash: it, or what follows from its body; None: any
        previous: set[bytes] | None = {FIRST_PREVIOUS}
        for n, time_ms, body, record_hash in self._connection.execute(
            "SELECT n, time_ms, body, record_hash FROM audit_record ORDER BY n"
        ):
            if n < self._count:
                self._add("audit_record_unexpected", n, "records are numbered from 0")
                continue
            if n > self._count:
                self._gone(n, f"record {n} comes next")
                previous = None
            previous = self._record(n, time_ms, body, record_hash, previous)
            self._count = n + 1
        self._end()
        self._digests()
        self._head()
        self._subjects()

    def _add(self, code: str, n: int, message: str, column: str | None = None) -> None:
        self._bad.add(n)
        self._found.add(code, _RECORD, {"n": n}, message, column=column)

    def _gone(self, end: int, message: str) -> None:
        for n in range(self._count, min(end, self._count + _GAP_NAMED_MAX)):
            self._add("audit_record_missing", n, message)
        self._note_unread(self._count)

    def _note_unread(self, n: int) -> None:
        if self._unread_from is None:
            self._unread_from = n

    def _record(
        self, n: int, time_ms: int, body: bytes, record_hash: bytes, previous: set[bytes] | None
    ) -> set[bytes] | None:
        self._bodies[n], self._hashes[n] = body, record_hash
        following = None if previous is None else {chain_hash(p, body) for p in previous}
        if following is not None and record_hash not in following:
            message = "its hash is not that of what came before it and its bytes"
            self._add("audit_record_differs", n, message)
        self._body(n, time_ms, body)
        return None if following is None else {record_hash, *following}

    def _body(self, n: int, time_ms: int, body: bytes) -> None:
        try:
            record = parse_record(body)
        except InputError as error:
            self._add("audit_record_differs", n, error.message, "body")
            self._note_unread(n)
            return
        if record.n != n:
            self._add("audit_record_differs", n, f"its bytes are record {record.n}", "body")
        if record.time_ms != time_ms:
            self._bad.add(n)
            self._found.differs(
                _RECORD, {"n": n}, "time_ms", time_ms, record.time_ms, code="column_differs"
            )
        self._expected[n] = self._keys(record)

    def _keys(self, record: AuditRecord) -> set[bytes]:
        try:
            return self._rows_of.of(record)
        except ValueError:
            self._note_unread(record.n)
            return set()

    def _end(self) -> None:
        """Records are gone from the end, if head or a digest goes further."""
        ends = [each.end for each in audit_digests.all_digests(self._connection)]
        if self._count + _GAP_NAMED_MAX > (end := max([0, *ends])) > self._count:
            self._gone(end, "a digest covers it")
            self._count = end

    def _digests(self) -> None:
        begin, leaves = 0, set()
        for stored in audit_digests.all_digests(self._connection):
            leaves.add(stored.leaf_index)
            self._digest(stored, begin)
            begin = stored.end
        for (leaf_index,) in self._connection.execute(
            "SELECT leaf_index FROM entry WHERE substr(leaf, 2, 1) = ?",
            (bytes([Kind.AUDIT_DIGEST]),),
        ):
            if leaf_index not in leaves:
                message = "the log has a digest of the trail there, and its content is gone"
                self._found.add(
                    "audit_digest_missing", _DIGEST, {"leaf_index": leaf_index}, message
                )

    def _digest(self, stored: audit_digests.StoredDigest, begin: int) -> None:
        key = {"leaf_index": stored.leaf_index}
        entry = load_leaf(self._connection, stored.leaf_index)
        if entry is None or entry.leaf[1] != Kind.AUDIT_DIGEST:
            message = "no digest of the trail stands at that leaf"
            self._found.add("audit_digest_unexpected", _DIGEST, key, message)
            return
        if entry.entry_id != stored.entry_id:
            self._found.differs(
                _DIGEST, key, "entry_id", stored.entry_id, entry.entry_id, code="column_differs"
            )
        if stored.first != begin:
            self._found.differs(_DIGEST, key, "first", stored.first, begin, code="column_differs")
        signed = committed_root(entry)
        seed = entry.seed
        content = self._content(stored.first, stored.count)
        if content == stored.content:
            return
        if seed is not None and plain_root(stored.content, seed) == signed:
            self._blame(stored, content is not None)
            return
        message = "it is not what the entry was signed over, or what the records come to"
        self._found.add("audit_digest_differs", _DIGEST, key, message, column="content")

    def _blame(self, stored: audit_digests.StoredDigest, is_whole: bool) -> None:
        """The content is what was signed: then a record is not, or the row says other records."""
        said = parse_digest(stored.content)
        is_same = (said.first, said.count) == (stored.first, stored.count)
        if not is_same:
            key = {"leaf_index": stored.leaf_index}
            message = f"records {stored.first}+{stored.count}, it says {said.first}+{said.count}"
            self._found.add("audit_digest_differs", _DIGEST, key, message, column="count")
        elif is_whole and not self._bad & set(range(stored.first, stored.end)):
            message = (
                f"one of {stored.count} records from here on is not what a digest in the log covers"
            )
            self._add("audit_record_differs", stored.first, message)

    def _content(self, first: int, count: int) -> bytes | None:
        """Return what a digest of these records has to say; None if one is gone."""
        if (
            count < 0
            or first < 0
            or any(n not in self._bodies for n in range(first, first + count))
        ):
            return None
        covered = CompactRange()
        covered.extend(leaf_hash(self._bodies[n]) for n in range(first, first + count))
        head = self._hashes[first + count - 1] if first + count else FIRST_PREVIOUS
        return encode_digest(
            AuditDigest(
                count=count, first=first, head="0x" + head.hex(), root="0x" + covered.root().hex()
            )
        )

    def _head(self) -> None:
        try:
            head = audit.load_head(self._connection)
        except IntegrityError as error:
            self._found.add("audit_head_differs", _HEAD, _HEAD_KEY, error.message)
            return
        last = self._hashes.get(self._count - 1, FIRST_PREVIOUS)
        if head.count != self._count:
            message = f"it says {head.count} records, {self._count} are there"
            self._found.add("audit_head_differs", _HEAD, _HEAD_KEY, message, column="count")
        elif head.record_hash != last:
            message = "it is not the last record's hash"
            self._found.add("audit_head_differs", _HEAD, _HEAD_KEY, message, column="record_hash")
        at = (self._rows_of.leaf_block, self._rows_of.leaf_record)
        if self._unread_from is None and (head.leaf_block, head.leaf_record) != at:
            message = f"its leaves are {head.leaf_block}, {head.leaf_record}; expected {at}"
            self._found.add("audit_head_differs", _HEAD, _HEAD_KEY, message, column="leaf_block")

    def _subjects(self) -> None:
        """Compare what records are found by, up to one that can't be read: later ones' rows may rest on it."""
        stored: dict[int, set[bytes]] = defaultdict(set)
        for subject, n in self._connection.execute("SELECT subject, n FROM audit_subject"):
            stored[n].add(subject)
        end = self._count if self._unread_from is None else self._unread_from
        for n in sorted(stored.keys() | self._expected.keys()):
            if end <= n < self._count:
                continue
            there, wanted = stored.get(n, set()), self._expected.get(n, set())
            self._name("audit_subject_unexpected", n, there - wanted, "is not about it")
            self._name("audit_subject_missing", n, wanted - there, "is not found by it")
        if self._unread_from is not None:
            self._found.skip(
                CHECK.name,
                "audit_record_unread",
                f"what records {end} to {self._count - 1} are found by, and the head's leaves: record {end} is gone or"
                " can't be read, and they rest on it",
            )

    def _name(self, code: str, n: int, subjects: set[bytes], what: str) -> None:
        for subject in sorted(subjects):
            self._found.add(code, _SUBJECT, {"subject": subject, "n": n}, f"record {n} {what}")


def _check_inputs(scope: Scope, found: Findings) -> None:
    """Kept input is what its digest says, and as much as is counted."""
    total = 0
    for digest, content in scope.connection.execute("SELECT digest, content FROM audit_input"):
        total += len(content)
        if sha256(content).digest() != digest:
            message = "its SHA-256 is another"
            found.add("audit_input_differs", _INPUT, {"digest": digest}, message, column="content")
    rows = scope.connection.execute("SELECT id, bytes FROM audit_input_total").fetchall()
    if rows != [(1, total)]:
        message = f"found {rows}, expected {total} bytes"
        for number in sorted({1, *(row[0] for row in rows)}):
            found.add("audit_input_differs", _TOTAL, {"id": number}, message, column="bytes")


def _check_names(scope: Scope, found: Findings) -> None:
    """A pseudonym is a kind and a random number; whose it is, nothing else says."""
    rows: Sequence[tuple[Any, ...]] = scope.connection.execute(
        "SELECT pseudonym, name, created_ms FROM audit_name"
    ).fetchall()
    for pseudonym, name, created_ms in rows:
        kind, _, number = pseudonym.partition(":")
        is_number = len(number) == _PSEUDONYM_HEX and set(number) <= set("0123456789abcdef")
        if not kind or not is_number or not name or created_ms <= 0:
            message = "no pseudonym, name and time"
            found.add("audit_name_malformed", _NAME, {"pseudonym": pseudonym}, message)


CHECK = Check(
    name="audit trail",
    tables=(_RECORD, _HEAD, _SUBJECT, _DIGEST, _NAME, _INPUT, _TOTAL),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM audit_record")),
    weight=0.2,
)
