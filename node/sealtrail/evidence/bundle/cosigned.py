"""Cosignatures under a bundle's checkpoints: by whom, and when, by clocks that are neither the log's nor the chain's.

Known are the witness keys of the bundle's members, under their own names, and the witnesses that the trust file names.
Lines of others are no more than noise, as for every reader of notes.

Source: docs/protocol.md sections 15 and 20, step 11.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealtrail.errors import VerificationError
from sealtrail.evidence.bundle.audited import index_audited_by, witness_keys_of
from sealtrail.evidence.bundle.members import MembersPart
from sealtrail.evidence.bundle.report import BundleStepName, Notebook
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.log.checkpoint import SignedCheckpoint
from sealtrail.log.cosignature import Cosignature, Witness, verify_cosignature, witness_name
from sealtrail.log.timed_signature import distinct_signers
from sealtrail.membership.records import Purpose
from sealtrail.signing import Domain, origin_of

_STEP = BundleStepName.COSIGNATURES


class Cosigners:
    """Knows the witnesses of one bundle, and checks what stands under its checkpoints."""

    def __init__(
        self, notebook: Notebook, trust: TrustFile, members: MembersPart, domain: Domain
    ) -> None:
        self._notebook = notebook
        self._needed = trust.cosignatures.needed
        self._named = {
            Witness(each.name, from_hex(each.public_key)) for each in trust.cosignatures.witnesses
        }
        self._members = members
        self._domain = domain
        self._known: dict[tuple[str, bytes], tuple[Witness, bytes | None]] | None = None
        self._checked = 0

    def check(self, member: bytes, signed: SignedCheckpoint) -> tuple[Cosignature, ...]:
        """Return the cosignatures of known witnesses under a checkpoint of that log, and note what is wrong."""
        found = []
        own = witness_keys_of(self._members, member)
        for line in signed.signatures:
            witness, by = self._witnesses().get((line.name, line.key_id), (None, None))
            if witness is None or by == member:  # nobody is his own witness
                continue
            if witness.public_key in own:  # nor is he by another's name
                continue
            try:
                found.append(verify_cosignature(signed.checkpoint, line, witness))
                self._checked += 1
            except VerificationError as e:
                place = (
                    f"checkpoint of {signed.checkpoint.size} leaves of the log of {to_hex(member)}"
                )
                self._notebook.error(_STEP, e, place)
        return tuple(found)

    def audited_by(self, member: bytes, signed: SignedCheckpoint) -> tuple[bytes, ...]:
        """Return the members that audited the item index of a checkpoint of that log, and note what is wrong."""
        found = index_audited_by(signed.checkpoint, signed.signatures, self._members)
        for error in found.wrong:
            self._notebook.error(_STEP, error, f"index audit of the log of {to_hex(member)}")
        return found.members

    def require(self, member: bytes, found: Iterable[Cosignature]) -> None:
        """Note it if a covered log's last checkpoint has fewer cosignatures than the trust file demands."""
        by = {c.witness for c in found}
        # Who has several keys, or a key that has several names, counts once.
        counted = len(distinct_signers(by & self._named if self._named else by))
        if counted < self._needed:
            self._notebook.fails(
                _STEP,
                "cosignatures_too_few",
                f"{counted} witnesses cosigned the last checkpoint of {self._members.name(member)};"
                f" {self._needed} are demanded",
                place=f"log of {to_hex(member)}",
                advice="ask again when more witnesses have seen it",
            )

    def close(self) -> None:
        """Say what was read."""
        demanded = f"; {self._needed} demanded of each covered log" if self._needed else ""
        self._notebook.shows(_STEP, f"{self._checked} cosignatures{demanded}")

    def _witnesses(self) -> dict[tuple[str, bytes], tuple[Witness, bytes | None]]:
        """Return the known witnesses by name and key id, and which member each is, if one."""
        if self._known is None:
            self._known = {(w.name, w.key_id): (w, None) for w in self._named}
            for record in self._members.network().members:
                name = witness_name(origin_of(self._domain, record.member))
                for key in record.keys_for(Purpose.WITNESS, self._members.block):
                    if not key.compromised_since:
                        witness = Witness(name, key.public)
                        self._known[name, witness.key_id] = (witness, record.member)
        return self._known
