"""An evidence bundle's lines as JSON has them, and their one byte form.

Encoding is deterministic, as for packages: sorted names, no white space, absent instead of null, empty or zero. A line
that was read is encoded again and compared: whatever else was written between the quotes is another line, and refused.

Source: docs/protocol.md section 18; RFC 8785.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from sealtrail.evidence.wire import Address, Count, Digest, WireNetwork
from sealtrail.log.checkpoint import NOTE_CHARACTERS_MAX

FORMAT = "sealtrail/evidence/1"

CompletenessGrade: TypeAlias = Literal["none", "index-asserted", "index-audited"]
Word = Annotated[str, Meta(pattern=r"^[!-~]{1,64}\Z")]
Item = Annotated[str, Meta(min_length=1, max_length=4_096)]
Text = Annotated[str, Meta(max_length=16_384)]


class Line(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="type",
):
    """Strict both ways."""


class Part(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Strict both ways, inside a line."""


class Program(Part, frozen=True, kw_only=True):
    """What made the bundle."""

    name: Word
    version: Word


class ItemQuestion(Part, frozen=True, kw_only=True, tag_field="kind", tag="item"):
    """The history of an item."""

    item: Item


class QueryQuestion(Part, frozen=True, kw_only=True, tag_field="kind", tag="query"):
    """The events that match an EPCIS query, as the issuer knows them."""

    query: Text


class LogQuestion(Part, frozen=True, kw_only=True, tag_field="kind", tag="log"):
    """All entries of a part of a log: leaf indices from ``first``, up to and without ``until``."""

    member: Address
    first: Count
    until: Count


AnyQuestion: TypeAlias = ItemQuestion | QueryQuestion | LogQuestion


class HeaderLine(Line, frozen=True, kw_only=True, tag="header"):
    """What the bundle is about, of which network, and who made it with what."""

    format: Text
    network: WireNetwork
    program: Program
    issuer: Address
    question: AnyQuestion
    proof_block: Count


class ReceiptProof(Part, frozen=True, kw_only=True):
    """A receipt of a block: its index, and the trie's nodes from the root down to it."""

    index: Count
    proof: list[bytes]


class SlotProof(Part, frozen=True, kw_only=True):
    """A storage slot of an account."""

    slot: Digest
    proof: list[bytes]


class AccountProof(Part, frozen=True, kw_only=True):
    """An account in a block's state, and some of its slots."""

    address: Address
    proof: list[bytes]
    slots: list[SlotProof]


class BlockLine(Line, frozen=True, kw_only=True, tag="block"):
    """A block's header and what is proven from it."""

    header: bytes
    receipts: list[ReceiptProof] = []
    accounts: list[AccountProof] = []


class LogPlace(Part, frozen=True, kw_only=True):
    """Where a contract's log stands: block number, index of the receipt, place in the receipt."""

    block: Count
    receipt: Count
    log: Count


class RecordVersion(Part, frozen=True, kw_only=True):
    """One version of a member's record, and where it was recorded."""

    record: bytes
    block: Count
    receipt: Count
    log: Count

    @property
    def place(self) -> LogPlace:
        """Where it was recorded."""
        return LogPlace(block=self.block, receipt=self.receipt, log=self.log)


class MemberLine(Line, frozen=True, kw_only=True, tag="member"):
    """All versions of a member's record."""

    member: Address
    records: list[RecordVersion]


class LogLine(Line, frozen=True, kw_only=True, tag="log"):
    """Opens a section on one member's log."""

    member: Address
    item_salt: Digest | None = None
    covered: bool = False
    paths: bool = False


class CheckpointLine(Line, frozen=True, kw_only=True, tag="checkpoint"):
    """A signed checkpoint of the section's log, at its size."""

    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX)]
    gap: bytes = b""
    anchor: LogPlace


class Covered(Part, frozen=True, kw_only=True):
    """A log that the answer covers, up to which anchor."""

    member: Address
    sequence: Count
    size: Count


class Completeness(Part, frozen=True, kw_only=True):
    """What is claimed of there being no other events."""

    grade: CompletenessGrade
    auditors: Count = 0
    covered: list[Covered] = []
    not_covered: list[Address] = []


class Verdict(Part, frozen=True, kw_only=True):
    """One verdict and its reasons."""

    verdict: Text
    reasons: list[Text] = []


class AnswerVerdicts(Part, frozen=True, kw_only=True):
    """The three verdicts on an item."""

    identifier: Verdict
    provenance: Verdict
    fitness: Verdict


class AnswerFinding(Part, frozen=True, kw_only=True):
    """One finding and the entries that show it."""

    code: Word
    entries: list[Digest] = []


class Withheld(Part, frozen=True, kw_only=True):
    """How much is not shown."""

    entries: Count = 0
    parts: Count = 0


class AnswerLine(Line, frozen=True, kw_only=True, tag="answer"):
    """What the issuer concludes."""

    completeness: Completeness
    verdicts: AnswerVerdicts | None = None
    findings: list[AnswerFinding] = []
    withheld: Withheld


class SignatureLine(Line, frozen=True, kw_only=True, tag="signature"):
    """The issuer's signature over the digest of everything before it."""

    digest: Digest
    public_key: Digest
    value: bytes
