"""Judges a gathered history with what the store knows beside it, and once more without each correction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from sealtrail.custody import (
    Beside,
    Correction,
    Described,
    Judgement,
    Parameters,
    Question,
    Recorded,
    Verdicts,
    classes_of,
    judge,
)
from sealtrail.gs1 import item_of, numbering_digits
from sealtrail.membership.records import Network
from sealtrail.store import masterdata
from sealtrail.store.events import entries_with_ids

CORRECTIONS_MAX = 8  # that are judged without, the newest: each costs a judgement
CORRECTIVES_MAX = 1_000  # ids of corrective events that are looked up for one answer
_VERSIONS_MAX = 100  # of master data of a product or lot
_LINK = "https://id.gs1.org/01/"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What all judgements of one answer go by; as :func:`sealtrail.custody.judge` takes them."""

    network: Network
    now_us: int
    parameters: Parameters
    own: bytes
    cut: bool
    anchors_until_us: int | None


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """A declaration, the entries of the corrective events it names, and the verdicts as they would be without both.

    ``correctives`` maps each id to the entries that are held of it. ``before`` is None where there are too many.
    """

    correction: Correction
    correctives: dict[str, tuple[bytes, ...]]
    before: Verdicts | None

    def with_caveats(self, caveats: tuple[str, ...]) -> Corrected:
        """Return the same; the verdicts say why the history may not be all there is."""
        before = None if self.before is None else self.before.with_caveats(caveats)
        return msgspec.structs.replace(self, before=before)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """An item's judgement, and its corrections."""

    judgement: Judgement
    corrections: tuple[Corrected, ...]


def judge_history(
    connection: sqlite3.Connection, question: Question, history: Sequence[Recorded], rules: Rules
) -> Judged:
    """Judge an item by its history; what is known beside it is read through ``connection``."""
    named = _correctives_named(history)
    correctives = entries_with_ids(connection, named[:CORRECTIVES_MAX])
    beside = Beside(
        described=_described(connection, question.item, history),
        unlisted=_unlisted(connection, question.item, rules),
        # what was not looked up is not called missing
        recorded_ids=frozenset((*correctives, *named[CORRECTIVES_MAX:])),
    )
    judgement = _judge(question, history, rules, beside)
    found = judgement.corrections
    judged = found[-CORRECTIONS_MAX:]
    return Judged(
        judgement=judgement,
        corrections=tuple(
            Corrected(
                correction=each,
                correctives={i: tuple(correctives.get(i, ())) for i in each.corrective_event_ids},
                before=_before(each, question, history, rules, beside) if each in judged else None,
            )
            for each in found
        ),
    )


def _judge(
    question: Question, history: Iterable[Recorded], rules: Rules, beside: Beside
) -> Judgement:
    return judge(
        question,
        history,
        rules.network,
        now_us=rules.now_us,
        parameters=rules.parameters,
        covered=frozenset({rules.own}),
        cut=rules.cut,
        anchors_until_us=rules.anchors_until_us,
        beside=beside,
    )


def _before(
    correction: Correction,
    question: Question,
    history: Iterable[Recorded],
    rules: Rules,
    beside: Beside,
) -> Verdicts:
    """Return the verdicts as if the error had not been declared, nor corrected."""
    corrective = frozenset(correction.corrective_event_ids)
    entry_id = correction.declaration.entry_id
    without = [r for r in history if r.entry_id != entry_id and r.event_id not in corrective]
    return _judge(question, without, rules, beside).verdicts


def _correctives_named(history: Iterable[Recorded]) -> list[str]:
    errors = (r.event.error_declaration for r in history)
    return list(dict.fromkeys(i for error in errors if error for i in error.corrective_event_ids))


def _described(
    connection: sqlite3.Connection, item: str, history: Sequence[Recorded]
) -> tuple[Described, ...]:
    """Return the master data of an item's product and lots, all versions that hold at some time."""
    gtin = item_of(item).gtin
    if gtin is None:
        return ()
    identifiers = {item, _LINK + gtin, *classes_of(item, history)}
    return tuple(
        Described(
            element=version.element,
            from_us=version.valid_from_ms * 1000,
            until_us=None if version.valid_until_ms is None else version.valid_until_ms * 1000,
        )
        for identifier in sorted(identifiers)
        for version in masterdata.versions(connection, identifier, limit=_VERSIONS_MAX)
        if version.valid_until_ms != version.valid_from_ms
    )


def _unlisted(connection: sqlite3.Connection, item: str, rules: Rules) -> bool:
    """Tell whether this node's member numbers the product, lists others that it numbers so, and not this one."""
    gtin, digits = item_of(item).gtin, numbering_digits(item)
    member = rules.network.member(rules.own)
    if gtin is None or digits is None or member is None:
        return False
    now_ms = rules.now_us // 1000
    rights = [
        right.digits
        for right in member.rights
        if right.valid_at(now_ms // 1000) and digits.startswith(right.digits)
    ]
    if not rights or masterdata.load(connection, [_LINK + gtin], now_ms):
        return False
    return any(masterdata.lists_products(connection, right, now_ms) for right in rights)
