"""An answer as JSON: what ``GET /v1/provenance`` gives, and the command line and explorer show.

Digests, addresses and proofs are ``0x`` hex; times RFC 3339.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sealtrail.custody import Finding, Step, Verdicts
from sealtrail.custody.custodian import Custodian, Party
from sealtrail.evidence import LogProof, Outcome
from sealtrail.membership.records import Anchor, role_names
from sealtrail.services.answers.history import Found
from sealtrail.services.answers.judging import Corrected
from sealtrail.services.answers.provenance import Answer, CoveredLog
from sealtrail.services.receipts import rfc3339, rfc3339_if_spelt
from sealtrail.services.store_check import CheckState

Json = dict[str, Any]

# The item index and its audit come later: until then no answer claims that nothing was left out.
COMPLETENESS = "not claimed"
_RESTORE = "the database was damaged or tampered with; restore a backup"


def answer_view(answer: Answer) -> Json:
    """Return an answer as JSON values."""
    judgement = answer.judgement
    return {
        "question": _question(answer),
        "verdicts": _verdicts(judgement.verdicts),
        "findings": [_finding(each) for each in judgement.findings],
        "journey": [_step(step, answer.found) for step in judgement.journey],
        "state": _state(answer),
        "corrections": [correction_view(each, answer) for each in answer.corrections],
        "names": answer.names,
        "candidates": list(answer.candidates),
        "chain": _chain(answer),
        "store": _store(answer.store),
        "coverage": {
            "completeness": COMPLETENESS,
            "cut": answer.cut,
            "covered": [_log(each) for each in answer.covered],
            "not_covered": [_log(each) for each in answer.not_covered],
        },
    }


def _question(answer: Answer) -> Json:
    question, item = answer.question, answer.item
    return {
        "item": question.item,
        "scheme": item.scheme,
        "gtin": item.gtin,
        "serial": item.serial,
        "lot": item.lot,
        "sscc": item.sscc,
        "expiry": item.expiry,
        "as_of": None if question.as_of_us is None else rfc3339(question.as_of_us // 1000),
        "known_at": None if question.known_at is None else rfc3339(question.known_at * 1000),
    }


def correction_view(corrected: Corrected, answer: Answer) -> Json:
    """Return a correction as JSON values, with the item's verdicts without it and with it."""
    correction, declaration = corrected.correction, corrected.correction.declaration
    error = declaration.event.error_declaration
    return {
        "event_id": declaration.event_id,
        "declaration": _hex(declaration.entry_id),
        "declared_by": _hex(declaration.member),
        "declared_at": None if error is None else error.declaration_time.text,
        "record_time": rfc3339_if_spelt(declaration.record_time_ms),
        "grade": declaration.grade,
        "reason": None if error is None else error.reason,
        "declares": [_hex(each) for each in correction.declares],
        "taken_out": sorted(_hex(each) for each in correction.taken_out),
        "corrective_events": [
            {"event_id": event_id, "entries": [_hex(each) for each in entries]}
            for event_id, entries in corrected.correctives.items()
        ],
        "findings": [each.code for each in correction.findings],
        "verdicts_before": None if corrected.before is None else _verdicts(corrected.before),
        "verdicts_after": _verdicts(answer.judgement.verdicts),
    }


def _verdicts(verdicts: Verdicts) -> Json:
    return {
        name: {"verdict": verdict.value, "reasons": list(verdict.reasons)}
        for name, verdict in verdicts.named
    }


def _finding(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "class": finding.finding_class,
        "message": finding.message,
        "hint": finding.hint,
        "entries": [_hex(each) for each in finding.entries],
    }


def _step(step: Step, found: dict[bytes, Found]) -> Json:
    plain: Json = {
        name: getattr(step, name)
        for name in (
            "kind",
            "effect",
            "grade",
            "entry_grade",
            "event_time_zone_offset",
            "event_type",
            "action",
            "biz_step",
            "disposition",
            "read_point",
            "biz_location",
            "containers",
            "via",
            "by_class",
            "findings",
        )
    }
    return {
        **plain,
        "event_time": step.event_time or _time(step.time_us),
        "recorded_by": _party(step.recorded_by),
        "custodian_before": _custodian(step.custodian_before),
        "custodian_after": _custodian(step.custodian_after),
        "in_transit_to": _party(step.in_transit_to),
        "owner": _party(step.owner),
        "entry_id": None if step.entry_id is None else _hex(step.entry_id),
        "repeats": [_hex(each) for each in step.repeats],
        **_evidence(found.get(step.entry_id) if step.entry_id else None),
    }


def _evidence(found: Found | None) -> Json:
    """Return what shows a step: nothing for a missing one."""
    if found is None:
        return {
            "event_id": None,
            "content_hash": None,
            "leaf_index": None,
            "proof": None,
            "checks": [],
        }
    recorded, proof = found.recorded, found.record.proof
    return {
        "event_id": recorded.event_id,
        # an erased event has its entry's id in its stead
        "content_hash": None
        if recorded.content_hash == recorded.entry_id
        else _hex(recorded.content_hash),
        "record_time": rfc3339_if_spelt(recorded.record_time_ms),
        "entry_kind": recorded.kind.name.lower(),
        "leaf_index": None if proof is None else proof.leaf_index,
        "proof": _proof(found, proof),
        "checks": _checks(found),
    }


def _proof(found: Found, proof: LogProof | None) -> Json:
    """Return the way from the leaf to the chain, as far as there is one."""
    leaf = _hex(found.record.leaf)
    if proof is None:
        return {"leaf": leaf, "leaf_index": None, "checkpoint": None, "hashes": [], "anchor": None}
    verified = found.verified
    return {
        "leaf": leaf,
        "leaf_index": proof.leaf_index,
        "checkpoint": proof.note,
        "hashes": [_hex(each) for each in proof.hashes],
        "anchor": _anchor(verified.anchor if verified else None),
    }


def _anchor(anchor: Anchor | None) -> Json | None:
    if anchor is None:
        return None
    return {
        "sequence": anchor.sequence,
        "checkpoint_hash": _hex(anchor.checkpoint_hash),
        "block_number": anchor.block_number,
        "block_hash": _hex(anchor.block_hash),
        "block_time": rfc3339(anchor.block_time * 1000),
        "transaction_hash": _hex(anchor.transaction_hash),
        "member_suspended": anchor.suspended,
    }


def _checks(found: Found) -> list[Json]:
    """Return the verifier's steps that did not simply hold, and what the store contradicts itself in."""
    failed = Outcome.DOES_NOT_HOLD
    if found.verified is None:
        return [_check("leaf", failed, "leaf_unreadable", found.recorded.why_not)]
    checks = [
        _check(s.name, s.outcome, s.code, s.reason, s.advice)
        for s in found.verified.steps
        if s.outcome is not Outcome.HOLDS
    ]
    if found.fault is not None:
        checks.append(_check("store", failed, found.fault.code, found.fault.reason, _RESTORE))
    return checks


def _check(
    step: str, outcome: Outcome, code: str | None, reason: str | None, advice: str | None = None
) -> Json:
    return {"step": step, "outcome": outcome, "code": code, "reason": reason, "advice": advice}


def _state(answer: Answer) -> Json:
    state = answer.judgement.state
    return {
        "custodian": _custodian(state.custodian),
        "in_transit_from": _party(state.in_transit_from),
        "in_transit_to": _party(state.in_transit_to),
        "in_transit_since": _time(state.in_transit_since_us),
        "owner": _party(state.owner),
        "containers": list(state.containers),
        "disposition": state.disposition,
        "end_of_life": state.end_of_life,
        "lot": state.lot,
        "expiry": state.expiry,
    }


def _chain(answer: Answer) -> Json:
    chain, network = answer.chain, answer.network
    return {
        "status": "live" if chain.live else "stale",
        "checked_at": rfc3339(chain.checked_ms),
        "failure": chain.failure,
        "chain_id": network.chain_id,
        "genesis_hash": _hex(network.genesis_hash),
        "registry": _hex(network.registry),
        "anchors": _hex(network.anchors),
        "block_number": chain.block,
        "block_hash": _hex(chain.block_hash),
    }


def _store(state: CheckState) -> Json:
    """Say whether what events are found by was compared with what was recorded, since the node's start."""
    return {
        "status": "checked" if state.finished else "checking",
        "checked_events": state.checked_events,
        "events": state.events,
        "damaged": len(state.damaged),
    }


def _log(log: CoveredLog) -> Json:
    return {
        "member": _hex(log.member),
        "name": log.name,
        "events": log.events,
        "last_anchor": _anchor(log.anchor),
    }


def _custodian(custodian: Custodian | None) -> Json | None:
    if custodian is None:
        return None
    return {**(_party(custodian.party) or {}), "derived": custodian.derived}


def _party(party: Party | None) -> Json | None:
    if party is None:
        return None
    return {
        "id": party.key,
        "name": party.name,
        "gln": party.gln,
        "member": None if party.member is None else _hex(party.member),
        "roles": role_names(party.roles),
    }


def _time(time_us: int | None) -> str | None:
    if time_us is None:
        return None
    try:
        return rfc3339(time_us // 1000)
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return None


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def answer_json(answer: Answer) -> bytes:
    """Return an answer as JSON text."""
    return msgspec.json.encode(answer_view(answer))
