"""Verifies an export of an audit trail as far as the file goes, and, given a view of the chain, up to its anchors.

What was recomputed and differs is a fault; what needs something that is not there is left open. A file can't show that
records were left out of it: only the whole trail of the member does.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from sealtrail.errors import InputError, UnavailableError, VerificationError
from sealtrail.evidence.audit_digest import AuditDigest, parse_digest
from sealtrail.evidence.audit_export import (
    DigestLine,
    EntryLine,
    HeaderLine,
    RecordLine,
    decode_input,
    parse_export,
)
from sealtrail.evidence.audit_record import AuditRecord, parse_record
from sealtrail.evidence.record import EntryRecord, NetworkView
from sealtrail.evidence.report import Grade, Outcome, VerifiedEntry
from sealtrail.evidence.verify import Verifier
from sealtrail.log.tree import TreeHead, leaf_hash, verify_inclusion
from sealtrail.membership.records import Anchor, MemberRecord
from sealtrail.signing import Domain, Kind, item_key


class Statement(msgspec.Struct, frozen=True):
    """One thing that was found; ``line`` counts from 1, ``code`` is stable."""

    line: int
    code: str
    reason: str


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: ``faults`` do not hold, ``open`` could not be checked.

    ``in_digests`` records are covered by a digest in the log, ``anchored`` of these by one that the chain proves.
    """

    header: HeaderLine
    records: tuple[AuditRecord, ...]
    in_digests: int
    anchored: int
    faults: tuple[Statement, ...]
    open: tuple[Statement, ...]


class NoNetwork:
    """A view of no chain: nothing can be asked of it."""

    block = 0

    def anchor(self, member: bytes, checkpoint_hash: bytes) -> Anchor | None:
        """Raise UnavailableError."""
        raise _no_chain()

    def record(self, member: bytes, block: int | None) -> MemberRecord | None:
        """Raise UnavailableError."""
        raise _no_chain()


def verify_export(data: bytes, network: NetworkView | None) -> ExportReport:
    """Verify an export.

    Raises:
        InputError, TooLargeError: it can't be read at all, as :func:`parse_export`.
    """
    header, lines = parse_export(data)
    check = _Check(header, NoNetwork() if network is None else network)
    numbered = list(enumerate(lines, 2))
    for number, line in numbered:
        if isinstance(line, EntryLine | DigestLine):
            check.entry(number, line)
    for number, line in numbered:
        if isinstance(line, RecordLine):
            check.record(number, line)
    return check.report()


class _Check:
    def __init__(self, header: HeaderLine, network: NetworkView) -> None:
        self._header = header
        self._member = bytes.fromhex(header.member[2:])
        domain = Domain(
            chain_id=header.chain_id,
            registry=bytes.fromhex(header.registry[2:]),
            genesis_hash=bytes.fromhex(header.genesis_hash[2:]),
        )
        self._verifier = Verifier(domain=domain, network=network)
        self._item_key = None
        if header.item is not None and header.item_salt is not None:
            salt = bytes.fromhex(header.item_salt[2:])
            self._item_key = "0x" + item_key(salt, header.item).hex()
        self._digests: dict[int, tuple[AuditDigest, bool]] = {}
        self._entry_leaf: int | None = None
        self._records: list[AuditRecord] = []
        self._in_digests = 0
        self._anchored = 0
        self._faults: list[Statement] = []
        self._open: list[Statement] = []

    def report(self) -> ExportReport:
        """Return what was found."""
        if len(self._records) != self._header.records:
            what = f"{len(self._records)} records, the header says {self._header.records}"
            self._faults.append(Statement(1, "audit_records_missing", what))
        return ExportReport(
            header=self._header,
            records=tuple(self._records),
            in_digests=self._in_digests,
            anchored=self._anchored,
            faults=tuple(self._faults),
            open=tuple(self._open),
        )

    def entry(self, number: int, line: EntryLine | DigestLine) -> None:
        """Verify an entry by the steps that every entry is verified by."""
        try:
            record = line.entry()
            verified = self._verifier.verify(record)
        except InputError as error:
            self._fault(number, error.code, error.message)
            return
        self._steps(number, verified)
        if isinstance(line, DigestLine):
            self._digest(number, line, record, verified)
        elif "0x" + verified.entry_id.hex() != self._header.entry:
            self._fault(number, "audit_entry_differs", "it is not the entry that the header names")
        elif verified.entry.member == self._member:
            self._entry_leaf = verified.leaf_index

    def _steps(self, number: int, verified: VerifiedEntry) -> None:
        for step in verified.steps:
            said = Statement(number, step.code or step.name, f"{step.name}: {step.reason}")
            if step.outcome is Outcome.DOES_NOT_HOLD:
                self._faults.append(said)
            elif step.outcome is Outcome.COULD_NOT_CHECK:
                self._open.append(said)

    def _digest(
        self, number: int, line: DigestLine, record: EntryRecord, verified: VerifiedEntry
    ) -> None:
        entry = verified.entry
        if entry.kind is not Kind.AUDIT_DIGEST or entry.member != self._member:
            self._fault(number, "audit_digest_of_another", "no audit digest of this member's log")
            return
        if verified.leaf_index not in (None, line.leaf_index):
            self._fault(number, "audit_digest_misplaced", f"it is leaf {verified.leaf_index}")
            return
        try:
            digest = parse_digest(record.content or b"")
        except InputError:
            return  # step 1 said so
        if not verified.failures() and record.seed is not None:
            proven = verified.grade is Grade.CHAIN_PROVEN
            self._digests[line.leaf_index] = (digest, proven)

    def record(self, number: int, line: RecordLine) -> None:
        """Verify a record: its form, its place in a digest, and that it is about what the export is about."""
        body = bytes(line.record)
        try:
            record = parse_record(body)
        except InputError as error:
            self._fault(number, error.code, error.message)
            return
        if self._records and record.n <= self._records[-1].n:
            self._fault(number, "audit_records_out_of_order", f"record {record.n} comes too late")
        self._records.append(record)
        self._about(number, record)
        self._kept(number, record, line)
        self._included(number, record.n, body, line)

    def _included(self, number: int, n: int, body: bytes, line: RecordLine) -> None:
        if line.digest is None:
            self._open.append(
                Statement(number, "audit_record_not_in_digest", f"no digest covers record {n} yet")
            )
            return
        found = self._digests.get(line.digest)
        if found is None:
            self._fault(
                number,
                "audit_digest_missing",
                f"no digest at leaf {line.digest} that holds is here",
            )
            return
        digest, proven = found
        head = TreeHead(digest.count, bytes.fromhex(digest.root[2:]))
        hashes = [bytes.fromhex(each[2:]) for each in line.proof or ()]
        try:
            verify_inclusion(head, n - digest.first, leaf_hash(body), hashes)
        except VerificationError as error:
            self._fault(number, error.code, f"record {n} is not in its digest: {error.message}")
            return
        self._in_digests += 1
        self._anchored += proven

    def _kept(self, number: int, record: AuditRecord, line: RecordLine) -> None:
        if line.input is None:
            return
        try:
            found = "0x" + sha256(decode_input(line.input)).hexdigest()
        except InputError as error:
            self._fault(number, error.code, error.message)
            return
        if record.input is None or found != record.input.digest:
            self._fault(number, "audit_input_differs", "the input is not the one that was refused")

    def _about(self, number: int, record: AuditRecord) -> None:
        subject, header = record.subject, self._header
        entries: Iterable[str] = subject.entries if subject else ()
        if header.entry is not None:
            if header.entry in entries or self._entry_leaf is None:
                return  # without the entry's leaf index, a capture can't be told from another
            leaves = subject.leaves if subject else ()
            if any(first <= self._entry_leaf < first + count for first, count in leaves):
                return
        elif self._item_key is None or (subject and self._item_key in subject.items):
            return
        self._fault(
            number, "audit_record_of_another", f"record {record.n} is not about what was asked for"
        )

    def _fault(self, number: int, code: str, reason: str) -> None:
        self._faults.append(Statement(number, code, reason))


def _no_chain() -> UnavailableError:
    return UnavailableError(
        "chain_not_at_hand",
        "there is no chain to ask",
        advice="name a node's configuration: it has followed the chain",
    )
