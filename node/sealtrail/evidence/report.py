"""What the verifier says: ten numbered steps, each with its outcome, and the grade that follows from them.

"Could not check" and "does not hold" are different outcomes, and neither ever stands for the other.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sealtrail.custody.history import Grade
from sealtrail.epcis import Part, PartialEvent, RecordedEvent
from sealtrail.errors import VerificationError
from sealtrail.log.checkpoint import Checkpoint
from sealtrail.membership.records import Anchor
from sealtrail.signing import Entry, Reference


class Outcome(StrEnum):
    """How a step came out."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    COULD_NOT_CHECK = "could not check"


class StepName(StrEnum):
    """The steps in their order; docs/protocol.md section 10 has the same list."""

    CONTENT = "content"
    EVENT_HASH = "event_hash"
    DISCLOSURE_ROOT = "disclosure_root"
    ITEMS_ROOT = "items_root"
    REFERENCES_ROOT = "references_root"
    SIGNATURE = "signature"
    EVENT_KEY = "event_key"
    INCLUSION = "inclusion"
    CHECKPOINT = "checkpoint"
    ANCHOR = "anchor"


STEP_NUMBERS = {name: number for number, name in enumerate(StepName, start=1)}


class Step(msgspec.Struct, frozen=True):
    """One step's outcome; ``code`` is stable, ``reason`` says what was found, ``advice`` what to do about it."""

    number: int
    name: StepName
    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    advice: str | None = None


class ShownEvent(PartialEvent, frozen=True, kw_only=True):
    """As much of an event as was shown, and what was not.

    ``withheld`` are the parts of which not even this is known, whether they hold anything;
    ``elements_withheld`` how many elements of the item lists are not shown, None if all items are withheld.
    """

    withheld: tuple[Part, ...]
    elements_withheld: int | None


class VerifiedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The verifier's answer on one entry.

    ``grade`` is None if any step does not hold: nothing is to be concluded from such an entry. It is never
    ``inferred`` or ``missing``: those are said of events that have no entry to verify.
    ``event`` is there only if the content was disclosed and the entry's disclosure root covers it, ``shown`` in its
    stead if parts of it were; ``references`` only if its references root covers them.
    ``tainted``: signed by a key that was reported compromised since before the anchor.
    """

    entry: Entry
    entry_id: bytes
    grade: Grade | None
    steps: tuple[Step, ...]
    event: RecordedEvent | None
    references: tuple[Reference, ...]
    signer: bytes | None
    leaf_index: int | None
    checkpoint: Checkpoint | None
    anchor: Anchor | None
    tainted: bool
    shown: ShownEvent | None = None

    def failures(self) -> tuple[Step, ...]:
        """Return the steps that do not hold."""
        return tuple(s for s in self.steps if s.outcome is Outcome.DOES_NOT_HOLD)

    def require(self) -> Grade:
        """Return the grade.

        Raises:
            VerificationError: a step does not hold; with that step's code, reason and advice.
        """
        if self.grade is not None:
            return self.grade
        first = self.failures()[0]
        raise VerificationError(
            first.code or "entry_does_not_hold",
            f"step {first.number}, {first.name}, of entry 0x{self.entry_id.hex()}: {first.reason}",
            advice=first.advice,
            entry_id="0x" + self.entry_id.hex(),
            step=str(first.name),
        )


__all__ = ["STEP_NUMBERS", "Grade", "Outcome", "ShownEvent", "Step", "StepName", "VerifiedEntry"]
