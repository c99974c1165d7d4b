"""Recalls and thefts: who declared one of an item, who may, and who lifts it.

A mark stands until its declarer lifts it; a recall also until the holder of the number or a regulator does.
"""

from __future__ import annotations

from typing import NamedTuple

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import Parties
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Recorded
from sealtrail.custody.lifecycle import RECALLED, RELEASED, STICKY
from sealtrail.membership.records import Role
from sealtrail.signing import Kind


class Rights:
    """Who may recall things of these digits: who holds their numbering right then, and regulators."""

    def __init__(self, digits: str | None, parties: Parties) -> None:
        self._digits = digits
        self._parties = parties

    def may_recall(self, member: bytes | None, time_us: int) -> bool:
        """Tell whether the member's word recalls these things."""
        record = self._parties.record(member) if member is not None else None
        if record is None:
            return False
        numbers = self._digits is not None and record.may_number(self._digits, time_us // 1_000_000)
        return numbers or bool(record.roles & Role.REGULATOR)

    def numbered(self, time_us: int) -> bool:
        """Tell whether any member held the number then: else whose word it takes is beyond the network."""
        return self._digits is not None and self._parties.any_may_number(
            self._digits, time_us // 1_000_000
        )


class _Declarer(NamedTuple):
    """Whose word a mark is, and of what: the member's own, or an outsider's that it keeps; of the item or its lot."""

    member: bytes
    own: bool
    by_class: bool


class _Declared(NamedTuple):
    """How a mark was declared: by which entry first, and whether it stays until it is unset."""

    entry_id: bytes
    persistent: bool


class Marks:
    """The marks on one item while its touches go by."""

    def __init__(self, rights: Rights, parties: Parties) -> None:
        self._rights = rights
        self._parties = parties
        self._marks: dict[str, dict[_Declarer, _Declared]] = {}
        self._findings: list[Finding] = []
        self._recalled_by_right = False
        self._recalled_by_others: list[bytes] = []

    @property
    def standing(self) -> list[str]:
        """The marks that no one entitled has lifted, sorted."""
        return sorted(mark for mark, declared in self._marks.items() if declared)

    def findings(self) -> list[Finding]:
        """Return what the marks give reason to say, after all touches.

        A holder marks what its maker has recalled: that repeats the maker's word.
        """
        if self._recalled_by_right or not self._recalled_by_others:
            return self._findings
        message = "recalled by a member that neither numbers it nor regulates"
        return [
            *self._findings,
            finding("recall_without_right", message, self._recalled_by_others),
        ]

    def declare(self, touch: Touch, *, by_class: bool) -> None:
        """Take up what the touch declares of the item; of a lot or class only on the word of who may recall it."""
        recorded, event = touch.recorded, touch.recorded.event
        persistent = set(event.persistent_disposition.set if event.persistent_disposition else ())
        marks = ({event.disposition} | persistent) & STICKY
        if not marks:
            return
        may = self._rights.may_recall(recorded.member, recorded.time_us)
        if by_class and not may:
            message = "the lot was marked by a member that neither numbers it nor regulates"
            self._findings.append(finding("recall_without_right", message, [recorded.entry_id]))
            return
        if RECALLED in marks:
            self._recalled(recorded, may)
        for mark in marks:
            declared = self._marks.setdefault(str(mark), {})
            declarer = _declarer(recorded, by_class=by_class)
            first = declared.get(declarer, _Declared(recorded.entry_id, persistent=False))
            declared[declarer] = first._replace(persistent=first.persistent or mark in persistent)

    def _recalled(self, recorded: Recorded, may: bool) -> None:
        self._recalled_by_right = self._recalled_by_right or may
        if not may and recorded.kind == Kind.EVENT and self._rights.numbered(recorded.time_us):
            self._recalled_by_others.append(recorded.entry_id)

    def lift(self, touch: Touch, *, by_class: bool) -> None:
        """Lift what the touch lifts: ``unset`` by who may, or its declarer's word that the thing is in use again.

        That word is of a lot or of one item: a recalled lot's pack that goes its way is still recalled.
        """
        recorded, event = touch.recorded, touch.recorded.event
        if event.disposition in RELEASED:  # moving the thing on lifts no one else's mark
            for declared in self._marks.values():
                declarer = _declarer(recorded, by_class=by_class)
                if declarer in declared and not declared[declarer].persistent:
                    del declared[declarer]
        unset = event.persistent_disposition.unset if event.persistent_disposition else ()
        for mark in unset:
            self._unset(mark, recorded)

    def _unset(self, mark: str, recorded: Recorded) -> None:
        declared = self._marks.get(mark)
        if not declared:
            return
        if mark == RECALLED and self._rights.may_recall(recorded.recorder, recorded.time_us):
            declared.clear()
            return
        own = declared.keys() & {_declarer(recorded, by_class=each) for each in (False, True)}
        for each in own:
            del declared[each]
        if not own:
            by = ", ".join(sorted({self._parties.member(d.member).label for d in declared}))
            message = f"{mark} was unset by {self._parties.member(recorded.member).label}; declared by {by}"
            entries = [*(each.entry_id for each in declared.values()), recorded.entry_id]
            self._findings.append(finding("mark_lifted_by_other", message, entries))


def _declarer(recorded: Recorded, *, by_class: bool) -> _Declarer:
    return _Declarer(recorded.member, recorded.kind != Kind.RECEIVED, by_class)
