"""Who signed: keys judged at the anchor that covers what they signed, by the verifier's own steps."""

from __future__ import annotations

from bisect import bisect_right

from sealtrail.errors import SealtrailError, VerificationError
from sealtrail.evidence.chain import ChainSteps, Located
from sealtrail.evidence.report import Outcome, StepName
from sealtrail.evidence.steps import HOLDS
from sealtrail.membership.records import Anchor
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.events import EntryRow
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.signing import Entry, recover
from sealtrail.signing.keys import SIGNATURE_BYTES
from sealtrail.signing.leaf import LEAF_BYTES

# No sign of damage: the key held when it signed, or nobody can say any more.
NO_FAULT = frozenset({"event_key_compromised"})


class Signers:
    """Judges the signatures of the own log's entries."""

    def __init__(self, scope: Scope) -> None:
        self._member = scope.member
        self._view = scope.view
        self._sizes: list[int] = []
        self._anchors: list[Anchor] = []
        if isinstance(self._view, FollowedNetwork):
            self._steps = ChainSteps(scope.domain, self._view)
            self._load(scope, self._view)
        self._located: dict[int | None, Located] = {}

    def _load(self, scope: Scope, view: FollowedNetwork) -> None:
        rows = scope.connection.execute(
            "SELECT tree_size, checkpoint_hash FROM checkpoint WHERE member = ? ORDER BY tree_size",
            (self._member,),
        )
        for size, checkpoint_hash in rows:
            anchor = view.anchor(self._member, checkpoint_hash)
            if anchor is not None:
                self._sizes.append(size)
                self._anchors.append(anchor)

    def check(self, found: Findings, row: EntryRow, entry: Entry) -> None:
        """Recover an entry's signer, and ask whether the key was valid when the entry was anchored."""
        try:
            signer = recover(row.entry_id, row.leaf[LEAF_BYTES - SIGNATURE_BYTES :])
        except VerificationError as error:
            found.add("signature_wrong", row.table, row.key, error.message, column="leaf")
            return
        if entry.member != self._member:
            found.differs(
                row.table, row.key, "leaf", entry.member, self._member, code="entry_of_another"
            )
            return
        if isinstance(self._view, SealtrailError):
            found.skip("own entries", self._view.code, f"event keys: {self._view.message}")
            return
        try:
            step, _ = self._steps.event_key_step(
                entry.member, signer, self._locate(int(row.key["leaf_index"]))
            )
        except SealtrailError as error:  # the member's record is damaged: named with the chain's
            found.skip("own entries", error.code, f"event keys: {error.message}")
            return
        if step.outcome is Outcome.DOES_NOT_HOLD:
            message = step.reason or "the signer is no event key"
            found.add("signature_wrong", row.table, row.key, message, column="leaf")
        elif step.outcome is Outcome.COULD_NOT_CHECK and step.code not in NO_FAULT:
            found.skip("own entries", step.code or "unknown", step.reason or "")

    def _locate(self, leaf_index: int) -> Located:
        at = bisect_right(self._sizes, leaf_index)
        anchor = self._anchors[at] if at < len(self._anchors) else None
        number = anchor.sequence if anchor else None
        if number not in self._located:
            self._located[number] = Located(
                checkpoint=None,
                anchor=anchor,
                checkpoint_step=HOLDS[StepName.CHECKPOINT],
                anchor_step=HOLDS[StepName.ANCHOR],
            )
        return self._located[number]
