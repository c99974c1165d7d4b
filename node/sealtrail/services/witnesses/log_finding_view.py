"""A finding about a log as JSON: with what proves it, so that whoever reads it can check it."""

from __future__ import annotations

import json
from typing import Any

from sealtrail.services.receipts import rfc3339, rfc3339_if_spelt
from sealtrail.store.log_findings import LogFinding


def log_finding_view(number: int, finding: LogFinding) -> dict[str, Any]:
    """Return a finding; members that it has not are left out."""
    proof = finding.contradiction
    view: dict[str, Any] = {
        "number": number,
        "code": finding.code,
        "member": "0x" + finding.member.hex(),
        "found": rfc3339(finding.found_ms),
    }
    if proof is not None:
        pairs = (
            (proof.first_note, proof.first_sequence),
            (proof.second_note, proof.second_sequence),
        )
        view["checkpoints"] = [
            {"note": note} if sequence is None else {"note": note, "anchor": sequence}
            for note, sequence in pairs
        ]
    if finding.wrong_index is not None:
        view["checkpoints"] = [{"note": finding.wrong_index.note}]
        view["recomputed"] = json.loads(finding.wrong_index.recomputed)
    if finding.entry_id is not None and finding.promised_ms is not None:
        view["entry_id"] = "0x" + finding.entry_id.hex()
        view["promised"] = rfc3339_if_spelt(finding.promised_ms)
    if finding.settled_ms is not None:
        view["settled"] = rfc3339(finding.settled_ms)
    return view
