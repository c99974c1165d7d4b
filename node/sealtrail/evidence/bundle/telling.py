"""Makes the report of a bundle from what was read: who, what, when, on whose word, and what is trusted thereby."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sealtrail.custody.journey import Step
from sealtrail.evidence.bundle.answer import Conclusion
from sealtrail.evidence.bundle.chain import ChainPart
from sealtrail.evidence.bundle.lines import AnswerLine, HeaderLine, ItemQuestion, LogQuestion
from sealtrail.evidence.bundle.members import MembersPart
from sealtrail.evidence.bundle.report import (
    BundleReport,
    Notebook,
    ShownChain,
    ShownEntry,
    ShownLog,
)
from sealtrail.evidence.bundle.sections import Section
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.wire import from_hex, to_hex


def describe_question(header: HeaderLine) -> str:
    """Return what a bundle is about, in words."""
    question = header.question
    if isinstance(question, ItemQuestion):
        return question.item
    if isinstance(question, LogQuestion):
        return f"leaves {question.first} to {question.until} of the log of {question.member}"
    return f"the query {question.query}"


def tell(
    notebook: Notebook,
    header: HeaderLine,
    trust: TrustFile,
    *,
    digest: bytes,
    program: str,
    chain: ChainPart,
    members: MembersPart,
    sections: Sequence[Section],
    answer: AnswerLine,
    conclusion: Conclusion,
) -> BundleReport:
    """Return the report."""
    judgement = conclusion.judgement
    return BundleReport(
        digest=digest,
        question=describe_question(header),
        issuer=members.name(from_hex(header.issuer)),
        made_by=f"{header.program.name} {header.program.version}",
        verified_by=program,
        steps=notebook.steps(),
        chain=_chain(chain, trust, header),
        logs=tuple(_log(section, members) for section in sections),
        not_covered=tuple(
            _name(from_hex(each), members, trust) for each in answer.completeness.not_covered
        ),
        completeness=answer.completeness.grade,
        verdicts=tuple((name, each.value, each.reasons) for name, each in judgement.verdicts.named)
        if judgement
        else (),
        findings=tuple((f.code, f.message) for f in judgement.findings) if judgement else (),
        journey=tuple(_entry(step) for step in judgement.journey) if judgement else (),
        entries=sum(section.entries for section in sections),
        withheld_entries=conclusion.withheld.entries,
        withheld_parts=conclusion.withheld.parts,
    )


def _chain(chain: ChainPart, trust: TrustFile, header: HeaderLine) -> ShownChain | None:
    proof, sealing = chain.proof_header, chain.sealing
    if proof is None:
        return None
    sealed_by = sealing.sealed_by if sealing else ()
    operators = dict.fromkeys(trust.operator_of(each) for each in sealed_by)
    return ShownChain(
        form=trust.consensus.form,
        proof_block=header.proof_block,
        proof_hash=chain.hash_of(header.proof_block),
        proof_time=proof.time,
        pinned_block=trust.pinned.block,
        sealed_by=tuple(to_hex(each) for each in sealed_by),
        operators=tuple(operators),
        needed=sealing.needed if sealing else 0,
        validators=sealing.validators if sealing else 0,
    )


def _log(section: Section, members: MembersPart) -> ShownLog:
    anchor = section.anchor
    return ShownLog(
        member=section.member,
        name=members.name(section.member),
        covered=section.covered,
        entries=section.entries,
        sequence=anchor.sequence if anchor else 0,
        size=section.size,
        anchored=anchor.block_time if anchor else 0,
        cosigned_by=tuple(
            f"{_witness(each.witness.name, members)} at {_time(each.signed_at * 1_000_000)}"
            for each in section.cosigned
        ),
        index_audited_by=tuple(members.name(each) for each in section.index_audited_by),
    )


def _witness(name: str, members: MembersPart) -> str:
    """Return a witness's name, in short where it is a member that the bundle knows."""
    address = name.rpartition("/0x")[2]
    is_member = name.startswith("sealtrail-witness/") and len(address) == 40
    return members.name(bytes.fromhex(address)) if is_member else name


def _entry(step: Step) -> ShownEntry:
    return ShownEntry(
        event_time=step.event_time or _time(step.time_us),
        kind=step.kind,
        effect=step.effect,
        biz_step=step.biz_step,
        disposition=step.disposition,
        recorded_by=step.recorded_by.label if step.recorded_by else None,
        grade=str(step.grade or "none"),
        entry_id=step.entry_id,
        findings=tuple(step.findings),
    )


def _time(time_us: int | None) -> str | None:
    if time_us is None:
        return None
    try:
        return datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return None


def _name(member: bytes, members: MembersPart, trust: TrustFile) -> str:
    known = {each.member: each.name for each in trust.members}
    return known.get(to_hex(member)) or members.name(member)
