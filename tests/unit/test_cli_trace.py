"""What `trace` shows and what its exit code says."""

from __future__ import annotations

from typing import Any

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
        "coverage": {"covered": [], "not_covered": [], "completeness": "not claimed"},
    } | changes


def step(**changes: Any) -> dict[str, Any]:
    names = (
        "biz_step effect event_type kind read_point biz_location recorded_by custodian_after"
        " in_transit_to event_time grade entry_grade proof"
    )
    empty: dict[str, Any] = dict.fromkeys(names.split())
    return empty | {"containers": [], "checks": [], "findings": []} | changes


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
    text = "\n".join(
        render(answer(journey=[step(kind="missing", grade="missing", entry_grade="missing")]))
    )
    assert "missing" in text


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
    assert exit_code(answer(store=store)) == 0
    assert "store" not in "\n".join(render(answer()))
