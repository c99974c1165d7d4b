"""Three verdicts, never merged into one: identifier, provenance, fitness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from sealtrail.custody.findings import Finding
from sealtrail.custody.hands import Custody, Gap
from sealtrail.custody.identifier import Birth
from sealtrail.custody.life import Life

_CONFLICTS = ("commissioned_twice", "two_custodians", "in_two_places")
_SUSPECT = frozenset(
    {
        "commissioned_twice",
        "two_custodians",
        "in_two_places",
        "shipped_twice",
        "commissioned_without_right",
        "used_before_commissioned",
        "after_end_of_life",
        "recorded_against_another",
        "identifier_mismatch",
    }
)

_UNREAD = frozenset({"evidence_does_not_hold", "content_withheld", "history_cut"})


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict and the reasons for it: which fields, where the gap, why not fit."""

    value: str = msgspec.field(name="verdict")
    reasons: tuple[str, ...] = ()


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """The three verdicts.

    identifier: known_matching, mismatch, unknown, conflict. provenance: complete, ends_only, gap, conflict.
    fitness: fit, not_fit, unknown.
    """

    identifier: Verdict
    provenance: Verdict
    fitness: Verdict

    @property
    def named(self) -> tuple[tuple[str, Verdict], ...]:
        """All three with their names, in this order."""
        return tuple(msgspec.structs.asdict(self).items())

    def with_caveats(self, caveats: tuple[str, ...]) -> Verdicts:
        """Return the same verdicts; those on provenance and fitness say why the history may not be all there is."""
        return Verdicts(
            identifier=self.identifier,
            provenance=_add_reasons(self.provenance, caveats),
            fitness=_add_reasons(self.fitness, caveats),
        )


def _add_reasons(verdict: Verdict, reasons: tuple[str, ...]) -> Verdict:
    return Verdict(value=verdict.value, reasons=(*verdict.reasons, *reasons))


def identifier_verdict(
    known: bool, mismatched: tuple[str, ...], findings: Iterable[Finding]
) -> Verdict:
    """Judge the identifier; ``mismatched`` names the fields of the scan that differ from the record."""
    if not known:
        return Verdict(value="unknown")
    conflicts = _codes(findings, _CONFLICTS)
    if conflicts:
        return Verdict(value="conflict", reasons=conflicts)
    if mismatched:
        return Verdict(value="mismatch", reasons=mismatched)
    return Verdict(value="known_matching")


def provenance_verdict(
    known: bool, birth: Birth, custody: Custody, gaps: Sequence[Gap], findings: Iterable[Finding]
) -> Verdict:
    """Judge how far back the chain of hands leads, unbroken."""
    listed = tuple(findings)
    if not known:
        return Verdict(value="gap", reasons=("no event on the item is held here",))
    conflicts = _codes(listed, _CONFLICTS)
    if conflicts:
        return Verdict(value="conflict", reasons=conflicts)
    unseen = [gap for gap in gaps if gap.code == "handover_not_held"]
    where = [_where(gap) for gap in gaps if gap not in unseen]
    where += [f.message for f in listed if f.code in _UNREAD]
    where += ["commissioning" for f in listed if f.code == "commissioned_without_right"]
    where += ["anchoring" for f in listed if f.code == "anchor_overdue"]
    if where:
        return Verdict(value="gap", reasons=tuple(dict.fromkeys(where)))
    if unseen:
        return Verdict(value="ends_only", reasons=tuple(_where(gap) for gap in unseen))
    if birth.edge or custody.outside:
        return Verdict(value="ends_only", reasons=("part of the history is outside the network",))
    if not birth.proper:
        return Verdict(value="ends_only", reasons=("no commissioning is held here",))
    return Verdict(value="complete")


def fitness_verdict(
    known: bool, life: Life, expired: bool, expiry_known: bool, findings: Iterable[Finding]
) -> Verdict:
    """Judge whether the item may be supplied, as far as its history can tell."""
    codes = {f.code for f in findings}
    reasons = list(life.unfit)
    if expired and "expired" not in reasons:
        reasons.append("expired")
    if codes & _SUSPECT and known:
        reasons.append("suspect")
    if reasons:
        return Verdict(value="not_fit", reasons=tuple(dict.fromkeys(reasons)))
    unknown = [] if known else ["unknown_item"]
    # what was not read may have been its dispensing
    unknown += sorted(codes & (_UNREAD | {"master_data_contradictory"}))
    if life.disposition == "returned":
        unknown.append("returned")
    if known and not expiry_known:
        unknown.append("expiry_unknown")
    if unknown:
        return Verdict(value="unknown", reasons=tuple(unknown))
    return Verdict(value="fit")


def _codes(findings: Iterable[Finding], among: tuple[str, ...]) -> tuple[str, ...]:
    found = {f.code for f in findings}
    return tuple(code for code in among if code in found)


def _where(gap: Gap) -> str:
    if gap.expected == "handover" and gap.party:
        return f"handover to {gap.party.label}"
    return f"{gap.expected} by {gap.party.label}" if gap.party else gap.expected
