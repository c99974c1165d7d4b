"""The sections on logs: entries and checkpoints in the tree's order, and the item proofs behind them.

Read as they come: of what was passed only what the question needs is kept, and of the entries since the last checkpoint
who signed them and when; so a bundle of any length is read in the same memory.

Source: docs/protocol.md sections 10, 18 and 20.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from sealtrail.epcis import Part
from sealtrail.errors import InputError, VerificationError
from sealtrail.evidence.bundle.chain import ChainPart
from sealtrail.evidence.bundle.contracts import anchor_slots, parse_anchored
from sealtrail.evidence.bundle.cosigned import Cosigners
from sealtrail.evidence.bundle.entries import EntryLine, entry_record
from sealtrail.evidence.bundle.form import malformed
from sealtrail.evidence.bundle.held import Held
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import CheckpointLine, LogLine
from sealtrail.evidence.bundle.members import MembersPart
from sealtrail.evidence.bundle.report import BundleStepName, Notebook
from sealtrail.evidence.bundle.times import Times
from sealtrail.evidence.chain import ChainSteps, Located
from sealtrail.evidence.package import PackageNetwork
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.report import Outcome, Step, StepName, VerifiedEntry
from sealtrail.evidence.verify import Statement, conclude, read_statement
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.log.checkpoint import Checkpoint, SignedCheckpoint, parse_note
from sealtrail.log.cosignature import Cosignature
from sealtrail.log.item_index import IndexHead, parse_index_document
from sealtrail.log.item_proof import verify_item_proof
from sealtrail.log.sparse import SparseTree
from sealtrail.log.tree import HASH_BYTES, leaf_hash, split_hashes, verify_inclusion
from sealtrail.membership.records import Anchor
from sealtrail.signing import EVENT_KINDS, Kind, item_key, parse_leaf

OTHER_MEDIA_TYPE = "application/json"  # of contents that are no event

_LOGS, _ANCHORS = BundleStepName.LOGS, BundleStepName.ANCHORS
_NOT_GIVEN = frozenset(
    {"seed_withheld", "item_keys_withheld", "item_salt_withheld", "content_in_parts"}
)
# The lot that a recall is of, the expiry; who has it next. Documents and the rest change no verdict.
_COUNTING = frozenset((Part.MASTER_DATA, Part.PARTIES))
_ENTRIES, _INDEX = BundleStepName.ENTRIES, BundleStepName.ITEM_INDEX


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a question about an item: where it stands, and what was found.

    ``first_anchored``: the checkpoint before it is shown too, or there was none, so that no earlier one has the entry.
    """

    index: int
    record: EntryRecord
    verified: VerifiedEntry
    first_anchored: bool

    @property
    def is_whole(self) -> bool:
        """Tell whether all of an event is shown."""
        return self.verified.event is not None

    @property
    def withheld(self) -> bool:
        """Tell whether nothing that can be read is shown of an event."""
        verified = self.verified
        shown = verified.event is not None or verified.shown is not None
        return not shown and verified.entry.kind in EVENT_KINDS

    @property
    def hides(self) -> bool:
        """Tell whether an event is shown without what lots and verdicts are drawn from, beside its core and items."""
        shown = self.verified.shown
        return shown is not None and not _COUNTING.isdisjoint(shown.withheld)

    @property
    def named(self) -> Iterator[tuple[str, bool]]:
        """Each item that what is shown of the entry names; True beside a lot that is named beside its packs."""
        shown = self.verified.event or self.verified.shown
        return ((m.item, m.place == "lot") for m in (shown.items if shown else ()))

    def names(self, item: str, *, packs: bool) -> bool:
        """Tell whether what is shown of the entry names the item: a lot in its own right, or beside its packs."""
        return (item, packs) in self.named


class ItemList(msgspec.Struct, frozen=True):
    """A proven list: all leaves of the section's log that name the item."""

    item: str
    packs: bool
    indices: tuple[int, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What a section came to."""

    member: bytes
    covered: bool
    entries: int
    kept: tuple[Kept, ...]
    lists: tuple[ItemList, ...]
    anchor: Anchor | None  # of the last checkpoint
    size: int
    cosigned: tuple[Cosignature, ...]  # the last checkpoint
    # members that came to the last checkpoint's item index themselves
    index_audited_by: tuple[bytes, ...]


class SectionReader:
    """Reads one section, line by line."""

    def __init__(
        self,
        line: LogLine,
        number: int,
        *,
        notebook: Notebook,
        network: PackageNetwork,
        chain: ChainPart,
        members: MembersPart,
        steps: ChainSteps,
        times: Times,
        cosigners: Cosigners,
        keep: bool,
        held: Held,
        after: Section | None,
    ) -> None:
        self.member = from_hex(line.member)
        self.covered = line.covered
        self._salt = None if line.item_salt is None else from_hex(line.item_salt)
        self._notebook = notebook
        self._network = network
        self._domain = network.domain
        self._chain = chain
        self._members = members
        self._steps = steps
        self._times = times
        self._cosigners = cosigners
        self._cosigned: tuple[Cosignature, ...] = ()
        self._note: SignedCheckpoint | None = None  # the last
        self._keep = keep
        self._held = held
        self._by_paths = line.paths
        self._paths: list[tuple[int, bytes, tuple[bytes, ...]]] = []
        self._tree = SparseTree()
        self._pending: list[tuple[int, EntryRecord, Statement]] = []
        # since the last checkpoint: count, first leaf
        self._signers: dict[bytes, tuple[int, int]] = {}
        self._kept: list[Kept] = []
        self._lists: list[ItemList] = []
        self._entries = 0
        self._last: tuple[int, EntryRecord, Statement] | None = None
        self._anchor: Anchor | None = None
        # a log has one course, however many sections show parts of it
        self._anchor_before = after.anchor if after and after.member == self.member else None
        # whether it is the anchor after the one that was shown before it, or the member's first
        self._follows = False
        self._sizes: list[int] = []
        if line.covered and (self._salt is None or line.paths):
            raise malformed(number, "", "a covered log without its item salt, or by paths")

    # -- entries -------------------------------------------------------------------------------------

    def add_entry(self, line: EntryLine, number: int, statement: Statement | None = None) -> None:
        """Read an entry.

        Args:
            statement: what :func:`sealtrail.evidence.verify.read_statement` says of it, if that was asked before.

        Raises:
            InputError: ``bundle_malformed``.
        """
        try:
            signed = parse_leaf(line.leaf)
        except InputError as e:
            raise malformed(number, "/leaf", f"{e.code}: {e.message}") from e
        if signed.entry.kind not in EVENT_KINDS and line.media_type != OTHER_MEDIA_TYPE:
            raise malformed(
                number, "/media_type", f"of an entry that is no event's: not {OTHER_MEDIA_TYPE}"
            )
        if signed.entry.member != self.member:
            raise malformed(number, "/leaf", f"an entry of {to_hex(signed.entry.member)}")
        self._place_leaf(line, number)
        record = self._record(line, number)
        if statement is None:
            statement = read_statement(record, self._domain)
        self._note_steps(line.index, record, statement.steps)
        self._check_covers(line.index, record, statement)
        self._entries += 1
        self._last = (line.index, record, statement)
        self._times.entry(self.member, line.index, signed.entry)
        if statement.signer is not None:
            count, first = self._signers.get(statement.signer, (0, line.index))
            self._signers[statement.signer] = (count + 1, first)
        if self._keep or self._by_paths:
            self._held.entry(line, number)
        if self._keep:
            self._pending.append((line.index, record, statement))

    def _record(self, line: EntryLine, number: int) -> EntryRecord:
        if len(line.item_keys) % HASH_BYTES:
            raise malformed(number, "/item_keys", "no whole number of keys")
        if any(a >= b for a, b in pairwise(split_hashes(line.item_keys))):
            raise malformed(number, "/item_keys", "not in ascending order")
        if line.partial is not None and (line.content is not None or line.seed is not None):
            raise malformed(number, "/partial", "beside the content or its seed")
        return entry_record(line, self._salt)

    def _note_steps(self, index: int, record: EntryRecord, steps: Sequence[Step]) -> None:
        """Note what does not hold, and what was given and yet could not be checked; what is withheld is counted."""
        for step in steps:
            given = record.content is not None or record.partial is not None
            given = given and step.code not in _NOT_GIVEN
            if step.outcome is Outcome.DOES_NOT_HOLD or (
                step.outcome is Outcome.COULD_NOT_CHECK and given
            ):
                self._notebook.step(
                    _ENTRIES,
                    step.outcome,
                    step.code or str(step.name),
                    f"step {step.number}, {step.name}: {step.reason}",
                    place=self._place(index),
                    advice=step.advice,
                )

    # -- the tree ------------------------------------------------------------------------------------

    def _check_covers(self, index: int, record: EntryRecord, statement: Statement) -> None:
        """Check that an index entry covers the leaves before it: here its place is known."""
        if statement.entry.kind is not Kind.INDEX or record.content is None:
            return
        try:
            covers = parse_index_document(record.content).covers
        except InputError:
            return  # step 1 has said so
        if covers != index:
            self._notebook.fails(
                _ENTRIES,
                "index_covers_differs",
                f"the index covers {covers} leaves, and its entry is leaf {index}",
                place=self._place(index),
            )

    def _place_leaf(self, line: EntryLine, number: int) -> None:
        leaf = leaf_hash(line.leaf)
        if not self._by_paths:
            if line.path:
                raise malformed(number, "/path", "the section's tree is read from left to right")
            self._skip(line.index, line.gap, number)
            self._tree.append(leaf)
            return
        if self._sizes or line.gap or (self._paths and line.index <= self._paths[-1][0]):
            raise malformed(
                number,
                "/index",
                "a gap, not in ascending order, or behind the section's one checkpoint",
            )
        self._paths.append((line.index, leaf, split_hashes(line.path)))

    def _check_paths(self, checkpoint: Checkpoint) -> None:
        """Check each entry's own path to the section's one checkpoint."""
        for index, leaf, path in self._paths:
            try:
                verify_inclusion(checkpoint.head, index, leaf, path)
            except VerificationError as e:
                self._notebook.error(_LOGS, e, self._place(index))

    def _check_root(self, checkpoint: Checkpoint) -> None:
        if self._tree.head() != checkpoint.head:
            self._notebook.fails(
                _LOGS,
                "checkpoint_root_differs",
                f"leaves and gaps give {self._tree.head().root_hash.hex()} at {checkpoint.size} leaves, the"
                f" checkpoint has {checkpoint.root_hash.hex()}",
                place=self._place(checkpoint.size),
                advice="an entry was changed, moved or put in that the log does not have there",
            )

    def _skip(self, target: int, gap: bytes, number: int) -> None:
        try:
            self._tree.skip(target, split_hashes(gap))
        except VerificationError as e:
            raise malformed(number, "/gap", f"{e.code}: {e.message}") from e

    def add_checkpoint(self, line: CheckpointLine, number: int) -> None:
        """Read a checkpoint: it says since when, and under which keys, the entries before it stand.

        Raises:
            InputError: ``bundle_malformed``.
        """
        located = self._locate(line, number)
        checkpoint = located.checkpoint
        assert checkpoint is not None
        if self._sizes and checkpoint.size <= self._sizes[-1]:
            raise malformed(number, "/note", "checkpoints are not in ascending order of their size")
        if self._by_paths:
            if line.gap or self._sizes:
                raise malformed(number, "", "a gap, or a second checkpoint, in a section of paths")
            self._check_paths(checkpoint)
        else:
            self._skip(checkpoint.size, line.gap, number)
            self._check_root(checkpoint)
        self._note_step(_LOGS, located.checkpoint_step, checkpoint.size)
        self._note = parse_note(line.note)
        self._cosigned = self._cosigners.check(self.member, self._note)
        self._times.checkpoint(self.member, checkpoint.size, located.anchor)
        self._judge_keys(located)
        self._conclude(located)
        self._sizes.append(checkpoint.size)

    def _locate(self, line: CheckpointLine, number: int) -> Located:
        """Find the checkpoint's anchor where the line says it is, and check both."""
        try:
            anchored = parse_anchored(self._chain.log_at(line.anchor), self._network.anchors)
        except VerificationError as e:
            self._notebook.error(_ANCHORS, e, f"log of {to_hex(self.member)}, line {number}")
            is_there = False
        else:
            is_there = True
            block = line.anchor.block
            anchor = Anchor(
                member=anchored.member,
                sequence=anchored.sequence,
                checkpoint_hash=anchored.checkpoint_hash,
                suspended=anchored.suspended,
                block_number=block,
                block_hash=self._chain.hash_of(block),
                block_time=self._chain.time_of(block),
                transaction_hash=b"",
            )
            self._members.add_anchor(anchor)
        located = self._steps.locate_note(self.member, line.note)
        if located.checkpoint is None:
            raise malformed(number, "/note", located.checkpoint_step.reason or "not a checkpoint")
        self._check_anchor(located, number, is_there=is_there)
        return located

    def _check_anchor(self, located: Located, number: int, *, is_there: bool) -> None:
        anchor, place = located.anchor, f"log of {to_hex(self.member)}, line {number}"
        if anchor is None:
            if is_there:
                self._notebook.fails(
                    _ANCHORS,
                    "anchor_differs",
                    "the event there anchors another checkpoint, or is another member's",
                    place=place,
                )
            return
        if anchor.suspended:
            self._notebook.fails(
                _ANCHORS,
                "member_suspended",
                f"the member was suspended when it anchored this, in block {anchor.block_number}",
                place=place,
                advice="ask the stewards why, and other members what they know of these events",
            )
        before = self._anchor or self._anchor_before
        if before is not None and not (
            before.sequence < anchor.sequence and before.block_number <= anchor.block_number
        ):
            self._notebook.fails(
                _ANCHORS,
                "anchors_out_of_order",
                f"anchor {before.sequence} in block {before.block_number} is of a shorter log than anchor"
                f" {anchor.sequence} in block {anchor.block_number}, and comes after it",
                place=place,
                advice="the log was set back; ask its member why, and an auditor for what both checkpoints held",
            )
        self._follows = anchor.sequence == (self._anchor.sequence if self._anchor else 0) + 1
        self._anchor = anchor

    def _judge_keys(self, located: Located) -> None:
        """Step 7 for the entries since the last checkpoint, once for each key."""
        for signer, (count, first) in self._signers.items():
            step, _ = self._steps.event_key_step(self.member, signer, located)
            if step.outcome is Outcome.HOLDS:
                continue
            self._notebook.step(
                _ENTRIES,
                step.outcome,
                step.code or str(step.name),
                f"step {step.number}, {step.name}: {step.reason} ({count} entries)",
                place=self._place(first),
                advice=step.advice,
            )
        self._signers = {}

    def _conclude(self, located: Located) -> None:
        for index, record, statement in self._pending:
            verified = conclude(record, statement, located, self._steps, leaf_index=index)
            self._kept.append(
                Kept(
                    index=index,
                    record=record,
                    verified=verified,
                    first_anchored=located.anchor is not None and self._follows,
                )
            )
        self._pending = []

    # -- the item index ------------------------------------------------------------------------------

    def add_item_proof(self, line: ItemProofLine, number: int) -> None:
        """Read an item proof.

        Raises:
            InputError: ``bundle_malformed``.
        """
        if not self.covered or self._salt is None:
            raise malformed(number, "", "an item proof of a log that is not covered")
        before = self._lists[-1] if self._lists else None
        if before is not None and (line.item, line.packs) <= (before.item, before.packs):
            raise malformed(number, "/item", "item proofs are not in ascending order")
        indices: tuple[int, ...] = ()
        head = self._index_head()
        if head is not None:
            key = item_key(self._salt, line.item, packs=line.packs)
            try:
                indices = verify_item_proof(head, key, line.proof)
            except VerificationError as e:
                self._notebook.fails(
                    _INDEX, e.code, e.message, place=f"line {number}{e.pointer or ''}"
                )
        self._held.item_list(len(indices), number)
        self._lists.append(ItemList(line.item, line.packs, indices))

    def _index_head(self) -> IndexHead | None:
        """Return what the section's last leaf says of the item index, if that is shown to be what was signed."""
        if self._last is None or self._last[0] != self._tree.size - 1:
            return None
        _, record, statement = self._last
        if statement.entry.kind is not Kind.INDEX or not _says_what_was_signed(statement.steps):
            return None
        assert record.content is not None  # or step 1 would not hold
        return parse_index_document(record.content)

    # -- the end -------------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        return self._sizes[-1] if self._by_paths else self._tree.size

    def close(self, number: int) -> Section:
        """End the section; line ``number`` is the first behind it.

        Raises:
            InputError: ``bundle_malformed``: it does not end with a checkpoint.
        """
        if not self._sizes or self._pending or self._sizes[-1] != self._size:
            raise malformed(number, "", "the section before it does not end with a checkpoint")
        audited_by: tuple[bytes, ...] = ()
        if self.covered:
            assert self._note is not None
            audited_by = self._cosigners.audited_by(self.member, self._note)
            self._cosigners.require(self.member, self._cosigned)
            self._check_latest()
            self._check_lists()
        return Section(
            member=self.member,
            covered=self.covered,
            entries=self._entries,
            kept=tuple(self._kept),
            lists=tuple(self._lists),
            anchor=self._anchor,
            size=self._sizes[-1],
            cosigned=self._cosigned,
            index_audited_by=audited_by,
        )

    def _check_latest(self) -> None:
        """Check that the last checkpoint is the latest that the Anchors contract has of the member."""
        next_slot, hash_slot = anchor_slots(self.member)
        place = f"log of {to_hex(self.member)}"
        try:
            following = self._chain.storage(self._network.anchors, next_slot)
            latest = self._chain.storage(self._network.anchors, hash_slot)
        except VerificationError as e:
            self._notebook.error(_ANCHORS, e, place)
            return
        anchor = self._anchor
        sequence = int.from_bytes(following[-8:], "big") - 1
        if anchor is None or (anchor.sequence, anchor.checkpoint_hash) != (sequence, latest):
            self._notebook.fails(
                _ANCHORS,
                "anchor_not_latest",
                f"the latest anchor at the proof block is number {sequence}, the section ends with"
                f" {anchor.sequence if anchor else 'none'}",
                place=place,
                advice="what was anchored later is left out: ask for a newer bundle",
            )

    def _check_lists(self) -> None:
        """Check that the log says what it lists at all, under its own salt, and that all of it is here."""
        place = f"log of {to_hex(self.member)}"
        head = self._index_head()
        if head is None:
            self._notebook.fails(
                _INDEX,
                "index_entry_missing",
                "its last leaf is no index entry, or not shown to be what was signed",
                place=place,
            )
        elif head.covers != self._tree.size - 1:
            self._notebook.fails(
                _INDEX,
                "index_entry_covers_less",
                f"it covers {head.covers} leaves, {self._tree.size - 1} come before it",
                place=place,
            )
        shown = {each.index: each for each in self._kept}
        if 0 not in shown or not _commits_to_salt(shown[0].verified):
            self._notebook.fails(
                _INDEX,
                "genesis_missing",
                "leaf 0, which commits the log to its item salt, is not shown whole",
                place=place,
            )
        for each in self._lists:
            for index in each.indices:
                kept = shown.get(index)
                if kept is not None and kept.verified.event is not None:
                    self._check_names(each, kept)
                if kept is None:
                    self._notebook.fails(
                        _INDEX,
                        "entry_left_out",
                        f"leaf {index} names {each.item} and is not in the bundle",
                        place=place,
                        advice="an event was dropped: ask the member for it",
                    )

    def _check_names(self, listed: ItemList, kept: Kept) -> None:
        if not kept.names(listed.item, packs=listed.packs):
            self._notebook.fails(
                _INDEX,
                "item_list_differs",
                f"the list of {listed.item} has an entry that does not name it",
                place=self._place(kept.index),
            )

    def _note_step(self, name: BundleStepName, step: Step, size: int) -> None:
        if step.outcome is Outcome.HOLDS:
            return
        self._notebook.step(
            name,
            step.outcome,
            step.code or str(step.name),
            step.reason or "",
            place=self._place(size),
        )

    def _place(self, index: int) -> str:
        return f"leaf {index} of the log of {to_hex(self.member)}"


def _says_what_was_signed(steps: Sequence[Step]) -> bool:
    """Tell whether content and seed are shown and lead to what was signed; to withhold them is no failure."""
    holding = {step.name for step in steps if step.outcome is Outcome.HOLDS}
    return {StepName.CONTENT, StepName.DISCLOSURE_ROOT} <= holding


def _commits_to_salt(verified: VerifiedEntry) -> bool:
    return verified.entry.kind is Kind.GENESIS and _says_what_was_signed(verified.steps)
