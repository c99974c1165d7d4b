"""Steps 7 to 10 of the verifier: what the log and the chain say about an entry.

Keys are judged at the block of the anchor, never at today's: rotation must not invalidate the past. Only a report
of compromise, which comes later by its nature, is read from the latest record.
"""

from __future__ import annotations

import msgspec

from sealtrail.errors import InputError, UnavailableError, VerificationError
from sealtrail.evidence.record import EntryRecord, NetworkView
from sealtrail.evidence.report import Step, StepName
from sealtrail.evidence.steps import HOLDS, could_not_check, does_not_hold
from sealtrail.log.checkpoint import Checkpoint, SignedCheckpoint, parse_note, verify_signed
from sealtrail.log.tree import leaf_hash, verify_inclusion
from sealtrail.membership.records import Anchor, Key, MemberRecord, Purpose, registered_form
from sealtrail.signing import Domain, Entry, origin_of

_NO_PROOF = "no checkpoint covers the entry yet"
_ASK_LATER = "ask again after the member's next anchor"


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry stands: its checkpoint and anchor as far as they are known, and steps 9 and 10."""

    checkpoint: Checkpoint | None
    anchor: Anchor | None
    checkpoint_step: Step
    anchor_step: Step


_NOWHERE = Located(
    checkpoint=None,
    anchor=None,
    checkpoint_step=could_not_check(StepName.CHECKPOINT, "not_in_a_checkpoint", _NO_PROOF),
    anchor_step=could_not_check(StepName.ANCHOR, "not_anchored", _NO_PROOF, _ASK_LATER),
)


class ChainSteps:
    """Steps 7 to 10 against one view of the chain; what is found about a checkpoint or a key is not asked twice."""

    def __init__(self, domain: Domain, network: NetworkView) -> None:
        self._domain = domain
        self._network = network
        self._located: dict[tuple[bytes, str], Located] = {}
        self._keys: dict[tuple[bytes, bytes, int | None], tuple[Step, bool]] = {}

    def locate(self, record: EntryRecord, entry: Entry) -> Located:
        """Find the entry's checkpoint and anchor, and check both (steps 9 and 10)."""
        return (
            _NOWHERE if record.proof is None else self.checkpoint(entry.member, record.proof.note)
        )

    def checkpoint(self, member: bytes, note: str) -> Located:
        """Check a signed checkpoint of a member's log, and look for its anchor (steps 9 and 10)."""
        key = (member, note)
        if key not in self._located:
            self._located[key] = self._locate(*key)
        return self._located[key]

    def event_key_step(
        self, member: bytes, signer: bytes | None, located: Located
    ) -> tuple[Step, bool]:
        """Step 7: the signer is an event key of the member; tell too whether that key is tainted."""
        if signer is None:
            return could_not_check(
                StepName.EVENT_KEY, "signer_unknown", "no key was recovered"
            ), False
        key = (member, signer, located.anchor.block_number if located.anchor else None)
        if key not in self._keys:
            self._keys[key] = self._event_key_step(*key)
        return self._keys[key]

    def inclusion_step(self, record: EntryRecord, located: Located) -> Step:
        """Step 8: the leaf's inclusion proof leads to the checkpoint's root."""
        name = StepName.INCLUSION
        if record.proof is None:
            return could_not_check(name, "not_in_a_checkpoint", _NO_PROOF, _ASK_LATER)
        if located.checkpoint is None:
            return could_not_check(name, "checkpoint_unreadable", "there is no root to lead to")
        proof = record.proof
        try:
            verify_inclusion(
                located.checkpoint.head, proof.leaf_index, leaf_hash(record.leaf), proof.hashes
            )
        except VerificationError as e:
            return does_not_hold(name, e.code, e.message)
        return HOLDS[name]

    def _event_key_step(self, member: bytes, signer: bytes, at: int | None) -> tuple[Step, bool]:
        name = StepName.EVENT_KEY
        block = self._network.block if at is None else at
        try:
            record = self._network.record(member, at)
            latest = record if at is None else self._network.record(member, None)
        except UnavailableError as e:
            return could_not_check(name, e.code, e.message, e.advice), False
        if record is None:
            return _unknown_member(name, member, block), False
        public = registered_form(signer)
        if not any(k.public == public for k in record.keys_for(Purpose.EVENT, block)):
            return _not_a_key(name, signer, block), False
        if _compromised(latest or record, public, block):
            return _compromised_key(name, signer), True
        return HOLDS[name], False

    def _locate(self, member: bytes, note: str) -> Located:
        try:
            signed = parse_note(note)
        except InputError as e:
            return Located(
                checkpoint=None,
                anchor=None,
                checkpoint_step=does_not_hold(StepName.CHECKPOINT, e.code, e.message),
                anchor_step=could_not_check(StepName.ANCHOR, e.code, "no checkpoint to look for"),
            )
        anchor, anchor_step = self._anchor_step(member, signed.checkpoint)
        return Located(
            checkpoint=signed.checkpoint,
            anchor=anchor,
            checkpoint_step=self._checkpoint_step(member, signed, anchor),
            anchor_step=anchor_step,
        )

    def _checkpoint_step(
        self, member: bytes, signed: SignedCheckpoint, anchor: Anchor | None
    ) -> Step:
        """Step 9: the checkpoint is of this member's log on this chain, and signed by its log key."""
        name = StepName.CHECKPOINT
        at = anchor.block_number if anchor else None
        block = self._network.block if at is None else at
        try:
            record = self._network.record(member, at)
        except UnavailableError as e:
            return could_not_check(name, e.code, e.message, e.advice)
        if record is None:
            return _unknown_member(name, member, block)
        return _signed_by_one_of(
            record.keys_for(Purpose.LOG, block), signed, origin_of(self._domain, member), block
        )

    def _anchor_step(self, member: bytes, checkpoint: Checkpoint) -> tuple[Anchor | None, Step]:
        """Step 10: the checkpoint's hash is anchored by that member."""
        try:
            anchor = self._network.anchor(member, checkpoint.hash)
        except UnavailableError as e:
            return None, could_not_check(StepName.ANCHOR, e.code, e.message, e.advice)
        if anchor is None:
            reason = f"no anchor of this checkpoint up to block {self._network.block}"
            return None, could_not_check(StepName.ANCHOR, "not_anchored", reason, _ASK_LATER)
        return anchor, HOLDS[StepName.ANCHOR]


def _signed_by_one_of(
    keys: tuple[Key, ...], signed: SignedCheckpoint, origin: str, block: int
) -> Step:
    name = StepName.CHECKPOINT
    failure = VerificationError("log_key_missing", f"the member has no log key at block {block}")
    for key in keys:
        try:
            verify_signed(signed, origin, key.public)
        except VerificationError as e:
            failure = e
        else:
            return HOLDS[name]
    return does_not_hold(name, failure.code, failure.message)


def _compromised(record: MemberRecord, public: bytes, block: int) -> bool:
    """Tell whether that key was reported compromised since ``block`` or before."""
    return any(
        k.compromised_since != 0 and k.compromised_since <= block
        for k in record.keys
        if k.purpose == Purpose.EVENT and k.public == public
    )


def _unknown_member(name: StepName, member: bytes, block: int) -> Step:
    return does_not_hold(
        name,
        "member_unknown",
        f"0x{member.hex()} is no member of this network as of block {block}",
        "if it was admitted just now, ask again when the node has followed the chain further",
    )


def _not_a_key(name: StepName, signer: bytes, block: int) -> Step:
    return does_not_hold(
        name,
        "event_key_unknown",
        f"0x{signer.hex()} is no valid event key of the member at block {block}",
    )


def _compromised_key(name: StepName, signer: bytes) -> Step:
    return could_not_check(
        name,
        "event_key_compromised",
        f"0x{signer.hex()} was reported compromised since before the anchor: whoever had it may have signed",
        "look for a counterparty's receipt of this entry",
    )
