"""What `trace` shows and what its exit code says."""

from __future__ import annotations

from typing import Any

import click
import pytest

from sealtrail.cli.trace import exit_code, render


def answer(**changes: Any) -> dict[str, Any]:
    verdicts = {"identifier": "known_matching", "provenance": "complete", "fitness": "fit"}
    verdicts |= changes.pop("verdicts", {})
    return {
        "question": {"item": "https://id.gs1.org/01/09521001001014/21/1"},
        "verdicts": {k: {"verdict": v, "reasons": []} for k, v in verdicts.items()},
        "journey": [],
        "findings": [],
        "candidates": [],
        "chain": {"status": "live", "chain_id": 31337, "block_number": 7, "failure": None},
        "store": {"status": "checked", "checked_events": 9, "events": 9, "damaged": 0},
        "coverage": {
            "covered": [],
            "not_covered": [],
            "completeness": "not claimed",
            "cut": False,
        },
    } | changes


def step(**changes: Any) -> dict[str, Any]:
    names = (
        "biz_step effect event_type kind read_point biz_location recorded_by custodian_after"
        " in_transit_to event_time grade entry_grade proof"
    )
    empty: dict[str, Any] = dict.fromkeys(names.split())
    return empty | {"kind": "event", "containers": [], "checks": [], "findings": []} | changes


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ({}, 0),
        ({"fitness": "not_fit"}, 0),
        ({"provenance": "ends_only"}, 0),
        ({"identifier": "unknown"}, 1),
        ({"identifier": "mismatch"}, 1),
        ({"identifier": "conflict"}, 1),
        ({"provenance": "conflict"}, 1),
    ],
)
def test_the_exit_code_follows_the_verdicts(verdicts: dict[str, str], code: int) -> None:
    assert exit_code(answer(verdicts=verdicts)) == code


@pytest.mark.parametrize(("kind", "code"), [("suspect", 1), ("procedural", 0), ("technical", 0)])
def test_only_a_suspect_finding_fails(kind: str, code: int) -> None:
    finding = {"code": "x", "class": kind, "message": "m", "hint": "h", "entries": []}
    assert exit_code(answer(findings=[finding])) == code
    assert any("m" in line for line in render(answer(findings=[finding])))


def test_a_step_shows_its_grade_and_its_anchor() -> None:
    anchor = {"sequence": 4, "block_number": 9}
    proven = step(
        biz_step="shipping", grade="inferred", entry_grade="chain-proven", proof={"anchor": anchor}
    )
    text = "\n".join(render(answer(journey=[proven])))
    assert "inferred" in text
    assert "its entry chain-proven" in text
    assert "anchor 4, block 9" in text


def test_a_step_that_is_missing_is_shown_as_missing() -> None:
    missing = step(kind="missing", effect="handover", grade="missing")
    (line,) = [x for x in render(answer(journey=[missing])) if "handover" in x]
    assert click.unstyle(line).endswith("∅ missing")


ANCHOR = {"anchor": {"sequence": 4, "block_number": 9}}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"kind": "refused", "proof": ANCHOR}, "✗ refused"),
        (
            {"kind": "corrected", "grade": "chain-proven", "entry_grade": "chain-proven"},
            "↺ corrected, its entry chain-proven",
        ),
        (
            {"kind": "withheld", "grade": "signature-proven", "entry_grade": "signature-proven"},
            "⌀ withheld, its entry signature-proven",
        ),
        ({"kind": "of_later", "grade": "chain-proven"}, "? of_later"),
    ],
)
def test_a_step_that_counts_for_nothing_is_never_shown_like_a_fact(
    changes: dict[str, Any], shown: str
) -> None:
    lines = render(answer(journey=[step(biz_step="dispensing", **changes)]))
    (line,) = [click.unstyle(x) for x in lines if "dispensing" in x]
    assert line.endswith(shown)


def test_a_refused_step_says_what_failed() -> None:
    check = {"step": "store", "outcome": "does not hold", "code": "c", "reason": "it is gone"}
    lines = render(answer(journey=[step(kind="refused", checks=[check])]))
    assert any("store: does not hold: it is gone" in line for line in lines)


def untold(name: str) -> dict[str, Any]:
    """Return what of an answer could hide that something speaks against the item."""
    withheld = {"code": "content_withheld", "class": "technical", "message": "m", "hint": "h"}
    return {
        "stale": {"chain": answer()["chain"] | {"status": "stale"}},
        "damaged": {"store": answer()["store"] | {"damaged": 1}},
        "damaged, checking": {"store": answer()["store"] | {"status": "checking", "damaged": 1}},
        "cut": {"coverage": answer()["coverage"] | {"cut": True}},
        "withheld": {"findings": [withheld]},
        "unchecked": {"journey": [step(grade="inferred", entry_grade="peer-asserted")]},
    }[name]


UNTOLD = ["stale", "damaged", "damaged, checking", "cut", "withheld", "unchecked"]


@pytest.mark.parametrize("name", UNTOLD)
def test_what_could_hide_something_makes_it_untold(name: str) -> None:
    assert exit_code(answer(**untold(name))) == 3


@pytest.mark.parametrize("name", UNTOLD)
def test_what_speaks_against_the_item_counts_more_than_what_is_untold(name: str) -> None:
    assert exit_code(answer(**untold(name), verdicts={"identifier": "unknown"})) == 1


def test_what_is_not_anchored_yet_is_told() -> None:
    fresh = step(grade="signature-proven", entry_grade="signature-proven")
    missing = step(kind="missing", grade="missing")
    assert exit_code(answer(journey=[fresh, missing])) == 0


def test_a_history_that_is_cut_is_said() -> None:
    assert any("history above is cut" in line for line in render(answer(**untold("cut"))))


def test_a_chain_that_could_not_be_asked_is_said() -> None:
    chain = {
        "status": "stale", "chain_id": 1, "block_number": 3,
        "failure": "chain_unreachable", "checked_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    text = "\n".join(render(answer(chain=chain)))
    assert "could not be asked" in text
    assert "2026-01-01T00:00:00Z" in text


def test_a_store_that_is_still_looked_through_or_damaged_is_said() -> None:
    store = {"status": "checking", "checked_events": 5, "events": 900, "damaged": 2}
    text = "\n".join(render(answer(store=store)))
    assert "5 of 900 events" in text
    assert "damaged at 2 events" in text
    assert exit_code(answer(store=store | {"damaged": 0})) == 0
    assert "store" not in "\n".join(render(answer()))


def correction(**changes: Any) -> dict[str, Any]:
    verdicts = {"fitness": {"verdict": "not_fit", "reasons": ["destroyed"]}}
    return {
        "event_id": "urn:uuid:1",
        "declared_at": "2026-03-02T10:00:00Z",
        "reason": "incorrect_data",
        "taken_out": ["0x01"],
        "findings": ["event_corrected"],
        "corrective_events": [{"event_id": "urn:uuid:2", "entries": []}],
        "verdicts_before": verdicts,
        "verdicts_after": {"fitness": {"verdict": "fit", "reasons": []}},
    } | changes


def shown(**changes: Any) -> str:
    return click.unstyle("\n".join(render(answer(**changes))))


def test_a_correction_is_shown_with_what_it_changed() -> None:
    text = shown(corrections=[correction()])
    assert "urn:uuid:1: incorrect_data" in text
    assert "instead: urn:uuid:2 (not recorded here)" in text
    assert "fitness: not fit (destroyed) before, fit since" in text


def test_a_correction_that_takes_nothing_out_says_why() -> None:
    told = correction(taken_out=[], findings=["correction_by_other"], verdicts_before=None)
    assert "takes nothing out: correction_by_other" in shown(corrections=[told])


def test_names_stand_beside_identifiers_and_command_no_terminal() -> None:
    place, gln = "urn:epc:id:sgln:4012345.00001.0", "4012345000016"
    party = {"name": None, "gln": gln, "id": gln}
    text = shown(
        names={
            "https://id.gs1.org/01/09521001001014/21/1": {"name": "Epcistra", "strength": "100 mg"},
            place: {"name": "Plant\x1b[2J", "city": "Bonn"},
            gln: {"name": "Apotheke"},
        },
        journey=[step(read_point=place, custodian_after=party)],
    )
    assert "Epcistra, 100 mg" in text
    assert f"at Plant\\x1b[2J, Bonn ({place}), custodian Apotheke" in text
