"""Whether what a bundle about a query shows is what was asked for; that it is all of it, nobody claims.

Source: docs/protocol.md section 20, step 6.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealtrail.epcis.query import filter_of_query, matches
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.lines import QueryQuestion
from sealtrail.evidence.bundle.report import BundleStepName, Notebook
from sealtrail.evidence.bundle.sections import Kept
from sealtrail.evidence.wire import to_hex
from sealtrail.signing import EVENT_KINDS

_STEP = BundleStepName.QUESTION


def check_query(notebook: Notebook, question: QueryQuestion, entries: Iterable[Kept]) -> None:
    """Check that each event that is shown whole is one that the query asks for."""
    try:
        wanted = filter_of_query(question.query)
    except InputError as e:
        notebook.unknown(
            _STEP,
            "query_unreadable",
            f"which events it asks for is not known here: {e.message}",
            advice="verify with the version of this program that made the bundle",
        )
        return
    if wanted.needs_master_data:
        notebook.unknown(
            _STEP,
            "match_needs_master_data",
            "which events it asks for depends on master data, which a bundle does not show: the issuer's word",
        )
        return
    not_shown = 0
    for each in entries:
        verified = each.verified
        if verified.event is None:
            not_shown += verified.entry.kind in EVENT_KINDS
        elif not matches(wanted, verified.event, verified.entry.record_time_ms):
            notebook.fails(
                _STEP,
                "event_not_matching",
                "it is none of the events that the query asks for",
                place=f"entry {to_hex(verified.entry_id)}",
            )
    if not_shown:
        notebook.unknown(
            _STEP,
            "match_not_shown",
            f"{not_shown} events are not shown whole: that the query asks for them is the issuer's word",
        )
