"""What the audit trail says of a capture: which leaves it recorded, by which job, and what the signatures mean."""

from __future__ import annotations

from collections.abc import Sequence

from sealtrail.errors import SealtrailError
from sealtrail.evidence.audit_record import Ending, Meaning
from sealtrail.services.audit_trail.note import AuditNote, Draft, runs
from sealtrail.services.receipts import Placed
from sealtrail.signing import Kind
from sealtrail.store.jobs import CaptureJob

# Code of a capture that was recorded before: it got the first receipt again.
DUPLICATE = "duplicate"


def about_document(
    note: AuditNote, job: CaptureJob, results: Sequence[Placed | SealtrailError], kind: Kind
) -> Draft:
    """Return the record of a document, once what became of it is known."""
    placed = [r.leaf_index for r in results if isinstance(r, Placed)]
    refused = next((r for r in results if isinstance(r, SealtrailError)), None)
    if refused is None:
        outcome = Ending.DONE
    else:
        outcome = Ending.PARTLY if placed else Ending.REFUSED
        note.pointer = refused.pointer
    return note.drafted(
        outcome,
        code=refused.code if refused else None,
        leaves=runs(placed),
        job=job.job_id,
        meaning=_meaning(kind) if placed else None,
    )


def about_event(
    note: AuditNote, result: Placed | SealtrailError, kind: Kind, *, duplicate: bool
) -> Draft:
    """Return the record of one event."""
    if isinstance(result, SealtrailError):
        note.pointer = result.pointer
        return note.drafted(Ending.REFUSED, code=result.code)
    return note.drafted(
        Ending.DONE,
        code=DUPLICATE if duplicate else None,
        leaves=((result.leaf_index, 1),),
        meaning=_meaning(kind),
    )


def _meaning(kind: Kind) -> Meaning:
    return Meaning.IMPORTER if kind is Kind.IMPORTED else Meaning.AUTHOR
