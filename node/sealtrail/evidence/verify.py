"""The one verifier: one entry in, ten steps and a grade out.

Each step stands alone and says one of three things. What a step needs and does not have makes it
"could not check"; only what was recomputed and differs makes it "does not hold".

Source: docs/protocol.md section 10 has the steps in the same numbers.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

import msgspec

from sealtrail.epcis import RecordedEvent, read_content
from sealtrail.errors import InputError, TooLargeError, UnsupportedMediaError, VerificationError
from sealtrail.evidence.audit_digest import parse_digest
from sealtrail.evidence.chain import ChainSteps, Located
from sealtrail.evidence.parts import partial_disclosure_step, partial_items_step, read_partial
from sealtrail.evidence.record import EntryRecord, LogProof, NetworkView
from sealtrail.evidence.report import Grade, Outcome, ShownEvent, Step, StepName, VerifiedEntry
from sealtrail.evidence.steps import HOLDS, could_not_check, does_not_hold
from sealtrail.log.item_index import parse_index_document
from sealtrail.log.tree import EMPTY_ROOT
from sealtrail.signing import (
    EVENT_KINDS,
    NO_EVENT_HASH,
    Domain,
    Entry,
    Kind,
    Reference,
    disclosure_root,
    entry_id,
    event_disclosure_root,
    genesis_document,
    item_keys,
    items_root,
    parse_leaf,
    parse_references,
    recover,
    references_root,
)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says and who signed it: steps 1 to 6."""

    entry: Entry
    entry_id: bytes
    steps: tuple[Step, ...]
    event: RecordedEvent | None
    shown: ShownEvent | None
    references: tuple[Reference, ...]
    signer: bytes | None


def verify_entry(record: EntryRecord, *, domain: Domain, network: NetworkView) -> VerifiedEntry:
    """Verify one entry; see :class:`Verifier`, which does many at less cost."""
    return Verifier(domain=domain, network=network).verify(record)


class Verifier:
    """Verifies entries against one view of one network.

    Remembers the checkpoints and keys that it has looked up; make a new one for each question, so that an answer
    never rests on an older view.
    """

    def __init__(self, *, domain: Domain, network: NetworkView) -> None:
        self._domain = domain
        self._chain = ChainSteps(domain, network)

    def verify(self, record: EntryRecord) -> VerifiedEntry:
        """Verify one entry; what does not hold is in the answer, not raised.

        Raises:
            InputError: ``leaf_…``, the leaf's bytes are no entry at all.
        """
        statement = read_statement(record, self._domain)
        located = self._chain.locate(record, statement.entry)
        return conclude(
            record,
            statement,
            located,
            self._chain,
            leaf_index=record.proof.leaf_index if record.proof else None,
        )


def read_statement(record: EntryRecord, domain: Domain) -> Statement:
    """Do steps 1 to 6, which need neither log nor chain.

    Raises:
        InputError: ``leaf_…``, the leaf's bytes are no entry at all.
    """
    signed = parse_leaf(record.leaf)
    entry = signed.entry
    digest = entry_id(entry, domain)
    said = _what_is_said(record, entry, domain)
    references, references_step = _read_references(record, entry)
    signature, signer = _signature_step(digest, signed.signature)
    return Statement(
        entry=entry,
        entry_id=digest,
        steps=(*said.steps, references_step, signature),
        event=said.event,
        shown=said.shown,
        references=references,
        signer=signer,
    )


def conclude(
    record: EntryRecord,
    statement: Statement,
    located: Located,
    chain: ChainSteps,
    *,
    leaf_index: int | None,
) -> VerifiedEntry:
    """Do steps 7 to 10 and give the grade.

    Args:
        leaf_index: where the entry stands in the tree whose head ``located`` is about; shown by a proof in the record,
            or by the tree that was read.
    """
    member = statement.entry.member
    key, tainted = chain.event_key_step(member, statement.signer, located)
    inclusion = chain.inclusion_step(record, located)
    if record.proof is None and leaf_index is not None:
        inclusion = HOLDS[StepName.INCLUSION]  # by the tree's root, of which this was a part
    steps = (
        *statement.steps,
        key,
        inclusion,
        located.checkpoint_step,
        located.anchor_step,
    )
    return VerifiedEntry(
        entry=statement.entry,
        entry_id=statement.entry_id,
        grade=_grade(steps, record),
        steps=steps,
        event=statement.event,
        shown=statement.shown,
        references=statement.references,
        signer=statement.signer,
        leaf_index=leaf_index,
        checkpoint=located.checkpoint,
        anchor=located.anchor,
        tainted=tainted,
    )


class _Said(NamedTuple):
    """What an entry says, if its disclosure root covers it, and steps 1 to 4."""

    event: RecordedEvent | None
    shown: ShownEvent | None
    steps: tuple[Step, Step, Step, Step]


def _what_is_said(record: EntryRecord, entry: Entry, domain: Domain) -> _Said:
    """Steps 1 to 4, of the content or of what is shown in its stead."""
    partial = record.partial if record.content is None else None
    event, shown, items = None, None, None
    if partial is None:
        event, content, event_hash = _read(record, entry, domain)
        disclosure = _disclosure_step(record, entry, event)
    else:
        shown, content, event_hash = read_partial(record, partial, entry)
        disclosure = partial_disclosure_step(partial, entry)
        items = partial_items_step(record, partial, entry, shown)
    steps = (content, event_hash, disclosure, items or _items_step(record, entry, event, shown))
    if disclosure.outcome is not Outcome.HOLDS:
        return _Said(None, None, steps)
    return _Said(event, shown, steps)


def _read(
    record: EntryRecord, entry: Entry, domain: Domain
) -> tuple[RecordedEvent | None, Step, Step]:
    """Steps 1 and 2: the content reads as what the entry's kind says, and its hashes are recomputed from it."""
    if record.content is None:
        advice = "ask the member that recorded it"
        return (
            None,
            could_not_check(StepName.CONTENT, "content_withheld", "no content was given", advice),
            could_not_check(StepName.EVENT_HASH, "content_withheld", "no content was given"),
        )
    if entry.kind is Kind.INDEX:
        return None, _index_step(record.content, record.proof), HOLDS[StepName.EVENT_HASH]
    if entry.kind not in EVENT_KINDS:
        return None, _other_content_step(record, entry, domain), HOLDS[StepName.EVENT_HASH]
    try:
        event = read_content(record.content, record.media_type)
    except (UnsupportedMediaError, TooLargeError) as e:
        advice = "use a newer version of this program, or higher limits"
        return (
            None,
            could_not_check(StepName.CONTENT, e.code, e.message, advice),
            could_not_check(StepName.EVENT_HASH, e.code, "the content could not be read"),
        )
    except InputError as e:
        return (
            None,
            does_not_hold(StepName.CONTENT, "content_unreadable", f"no EPCIS event: {e}"),
            could_not_check(StepName.EVENT_HASH, "content_unreadable", "the content is no event"),
        )
    return event, HOLDS[StepName.CONTENT], HOLDS[StepName.EVENT_HASH]


def _other_content_step(record: EntryRecord, entry: Entry, domain: Domain) -> Step:
    """Step 1 of an entry that is about no event."""
    name = StepName.CONTENT
    if entry.kind is Kind.AUDIT_DIGEST:
        return _audit_digest_step(record.content or b"")
    if entry.kind is Kind.PADDING:
        expected = b""
    elif entry.kind is not Kind.GENESIS:
        advice = "use a newer version of this program"
        return could_not_check(name, "kind_reserved", f"nothing reads {entry.kind.name}", advice)
    elif record.item_salt is None:
        return could_not_check(name, "item_salt_withheld", "the log's item salt was not given")
    else:
        expected = genesis_document(domain, entry.member, record.item_salt)
    if record.content != expected:
        return does_not_hold(
            name,
            "content_not_expected",
            f"the content of this {entry.kind.name.lower()} entry is not {expected.decode()!r}",
        )
    return HOLDS[name]


def _index_step(content: bytes, proof: LogProof | None) -> Step:
    """Step 1 of an index entry: what it says of the index, and that it covers all leaves before its own."""
    name = StepName.CONTENT
    try:
        head = parse_index_document(content)
    except InputError as e:
        return does_not_hold(name, e.code, e.message)
    if proof is not None and proof.leaf_index != head.covers:
        return does_not_hold(
            name,
            "index_covers_differs",
            f"the index covers {head.covers} leaves, and its entry is leaf {proof.leaf_index}",
        )
    return HOLDS[name]


def _audit_digest_step(content: bytes) -> Step:
    try:
        parse_digest(content)
    except InputError as e:
        return does_not_hold(StepName.CONTENT, e.code, e.message)
    return HOLDS[StepName.CONTENT]


def _disclosure_step(record: EntryRecord, entry: Entry, event: RecordedEvent | None) -> Step:
    """Step 3: the hashes and the parts of the content, under the entry's seed, give the root that was signed."""
    name = StepName.DISCLOSURE_ROOT
    if record.content is None:
        return could_not_check(name, "content_withheld", "no content was given")
    if record.seed is None:
        advice = "ask the member that recorded it for the seed"
        return could_not_check(name, "seed_withheld", "no seed was given", advice)
    if event is None and entry.kind in EVENT_KINDS:
        return could_not_check(name, "content_unreadable", "the content could not be read")
    if event is None:
        found = disclosure_root(record.seed, sha256(record.content).digest(), NO_EVENT_HASH)
    else:
        found = event_disclosure_root(
            record.seed,
            record.content,
            content_hash=event.content_hash,
            event_hash=event.event_hash,
            form=event.form,
        )
    if found != entry.disclosure_root:
        return does_not_hold(
            name,
            "disclosure_root_differs",
            f"content and seed give {found.hex()}, the entry has {entry.disclosure_root.hex()}",
            "the content was changed after it was signed, or belongs to another entry",
        )
    return HOLDS[name]


def _items_step(
    record: EntryRecord, entry: Entry, event: RecordedEvent | None, shown: ShownEvent | None
) -> Step:
    """Step 4: the items that the content names, under the log's salt, give the items root that was signed."""
    name = StepName.ITEMS_ROOT
    if record.item_salt is not None and event is not None:
        keys = item_keys(record.item_salt, event.items)
        if record.item_keys and set(keys).symmetric_difference(record.item_keys):
            return does_not_hold(
                name, "item_keys_differ", "the keys that were given are not those of the content"
            )
        found = items_root(keys)
    elif record.item_keys:
        found = items_root(record.item_keys)  # shows the keys, not that they are the content's
    elif entry.items_root == EMPTY_ROOT:
        named = event or shown
        if named is not None and named.items:
            return does_not_hold(
                name, "items_root_differs", "the event names items, the entry none"
            )
        found = EMPTY_ROOT
    else:
        advice = "ask the member for its log's item salt or for the entry's item keys"
        return could_not_check(name, "item_keys_withheld", "neither salt nor keys", advice)
    if found != entry.items_root:
        return does_not_hold(
            name,
            "items_root_differs",
            f"the items give {found.hex()}, the entry has {entry.items_root.hex()}",
            "the entry hides an item that its event names, or the salt is another log's",
        )
    return HOLDS[name]


def _read_references(record: EntryRecord, entry: Entry) -> tuple[tuple[Reference, ...], Step]:
    """Step 5: the references give the references root that was signed; those that don't are not handed on."""
    name = StepName.REFERENCES_ROOT
    try:
        references = parse_references(record.references)
    except InputError as e:
        return (), does_not_hold(name, "references_unreadable", f"no references: {e}")
    found = references_root(references)
    if found != entry.references_root:
        return (), does_not_hold(
            name,
            "references_root_differs",
            f"the references give {found.hex()}, the entry has {entry.references_root.hex()}",
        )
    return references, HOLDS[name]


def _signature_step(digest: bytes, signature: bytes) -> tuple[Step, bytes | None]:
    """Step 6: the entry's id is the digest of its fields in this network's domain; some key signed it."""
    try:
        return HOLDS[StepName.SIGNATURE], recover(digest, signature)
    except VerificationError as e:
        return does_not_hold(StepName.SIGNATURE, e.code, e.message), None


def _grade(steps: tuple[Step, ...], record: EntryRecord) -> Grade | None:
    if any(step.outcome is Outcome.DOES_NOT_HOLD for step in steps):
        return None
    holding = {step.name for step in steps if step.outcome is Outcome.HOLDS}
    if StepName.EVENT_KEY not in holding:
        return Grade.PEER_ASSERTED
    given = record.content is not None or record.partial is not None
    if given and StepName.DISCLOSURE_ROOT not in holding:
        return Grade.PEER_ASSERTED  # the signature does not reach the content
    if {StepName.INCLUSION, StepName.CHECKPOINT, StepName.ANCHOR} <= holding:
        return Grade.CHAIN_PROVEN
    return Grade.SIGNATURE_PROVEN
