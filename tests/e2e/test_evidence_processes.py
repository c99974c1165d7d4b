"""Evidence as its users meet it: node processes make it, the command line verifies it, attackers change it."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import find_tool
from e2e.devnet_process import RunningDevnet, devnet, sealtrail, until

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))

from story import Party, Story

SECONDS_MAX = 120.0
JAVASCRIPT = Path(__file__).resolve().parents[2] / "node/sealtrail/web/verify/cli.mjs"


class Told:
    """A devnet in which the demo's story was told, and the pack whose journey it is."""

    def __init__(self, running: RunningDevnet, folder: Path) -> None:
        self.running = running
        self.folder = folder
        nodes = {n["name"]: n for n in running.described["nodes"]}
        self.story = Story(
            manufacturer=_party(nodes["manufacturer"]),
            wholesaler=_party(nodes["wholesaler"]),
            pharmacy=_party(nodes["pharmacy"]),
            now=datetime.datetime.now(datetime.UTC),
            run=7,
        )
        for number, chapter in enumerate(self.story.chapters()):
            path = folder / f"{number}.json"
            path.write_text(json.dumps(chapter.document))
            self.run("capture", str(path), at=chapter.who)
        until(self._proven, "all of the story's anchors", SECONDS_MAX)
        self.trust = folder / "trust.json"
        self.run("trust", "export", "-o", str(self.trust))

    def run(self, *arguments: str, at: str = "pharmacy", check: bool = True) -> Any:
        node = self.running.node(at)
        return sealtrail(*arguments, "--node", node["url"], "--token", node["token"], check=check)

    def _proven(self) -> bool:
        answer = json.loads(self.run("trace", self.story.traced, "--json", check=False).stdout)
        steps = [s for s in answer["journey"] if s["entry_id"]]
        return len(steps) > 9 and all(s["entry_grade"] == "chain-proven" for s in steps)

    def evidence(self, item: str, name: str, *more: str, at: str = "pharmacy") -> Path:
        path = self.folder / name
        self.run("evidence", item, "-o", str(path), *more, at=at)
        return path

    def verified(self, bundle: Path, *more: str) -> tuple[int, dict[str, Any]]:
        result = sealtrail(
            "verify", str(bundle), "--trust", str(self.trust), "--json", *more, check=False
        )
        return result.returncode, json.loads(result.stdout or result.stderr)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("evidence")
    with devnet(folder / "net") as running:
        yield Told(running, folder)


def _party(node: dict[str, Any]) -> Party:
    gln, rights = node["glns"][0], node["numbering_rights"]
    return Party(name=node["name"], gln=gln, prefix=rights[0] if rights else gln[:7])


def test_a_pack_is_proven_through_all_three_logs(told: Told) -> None:
    bundle = told.evidence(told.story.traced, "pack.jsonl")
    code, report = told.verified(bundle, "--item", told.story.traced)
    assert code == 0, report
    assert report["completeness"] == "index-asserted"
    assert {log["name"] for log in report["logs"] if log["covered"]} == {
        "manufacturer",
        "wholesaler",
        "pharmacy",
    }


def test_the_bundle_tells_nothing_of_the_other_packs(told: Told) -> None:
    bundle = told.evidence(told.story.traced, "alone.jsonl").read_bytes()
    whole = told.evidence(told.story.traced, "whole.jsonl", "--whole")
    others = [p for p in told.story.packs if p != told.story.traced]
    assert len(others) > 10
    shown = _shown_texts(bundle)
    assert told.story.traced in shown
    assert [p for p in others if p in shown] == []
    assert others[0] in _shown_texts(whole.read_bytes())
    assert told.verified(whole)[0] == 0


def _shown_texts(bundle: bytes) -> str:
    import base64

    texts = []
    for line in bundle.splitlines():
        entry = json.loads(line)
        values = [entry.get("content")]
        partial = entry.get("partial") or {}
        values += [p["value"] for p in partial.get("parts", []) if "value" in p]
        values += [e["value"] for e in partial.get("items", {}).get("elements", [])]
        texts += [base64.b64decode(v).decode() for v in values if v]
    return "\n".join(texts)


def test_the_same_question_gives_the_same_bundle(told: Told) -> None:
    def body(name: str) -> tuple[int, bytes]:
        data = told.evidence(told.story.traced, name).read_bytes()
        lines = data.splitlines(keepends=True)
        return json.loads(lines[0])["proof_block"], b"".join(lines[:-1])

    def twice() -> bool:
        first, second = body("first.jsonl"), body("second.jsonl")
        return first[0] == second[0] and first[1] == second[1]

    until(twice, "two bundles of one block", SECONDS_MAX)


def test_a_lot_is_proven(told: Told) -> None:
    lot = f"https://id.gs1.org/01/{told.story.gtin}/10/{told.story.lot}"
    code, report = told.verified(told.evidence(lot, "lot.jsonl", at="manufacturer"))
    assert code == 0, report


def test_a_whole_log_is_audited(told: Told) -> None:
    path = told.folder / "log.jsonl"
    result = told.run("evidence", "--log", "-o", str(path), check=False)
    if result.returncode:  # a token of a devnet has all scopes
        raise AssertionError(result.stderr)
    code, report = told.verified(path)
    assert code == 0, report
    assert report["entries"] > 5


def test_an_item_that_nobody_knows_is_proven_to_be_in_no_covered_log(told: Told) -> None:
    code, report = told.verified(told.evidence(told.story.never_commissioned, "never.jsonl"))
    assert code == 0, report
    assert report["verdicts"]["identifier"]["verdict"] == "unknown"


def _queries(told: Told) -> list[str]:
    link = urllib.parse.quote(told.story.traced, safe="")
    return [
        "EQ_bizStep=shipping%7Creceiving",
        f"MATCH_anyEPC={link}",
        f"MATCH_anyEPC={link}&EQ_bizStep=commissioning&GE_eventTime=2020-01-01T00:00:00%2B01:00",
        "EQ_bizStep=void_shipping&EQ_action=DELETE",
    ]


def _by_javascript(bundle: Path, trust: Path) -> tuple[int, dict[str, Any]]:
    node = find_tool("node")
    if node is None:
        pytest.skip("Node is not here")
    done = subprocess.run(
        [node, str(JAVASCRIPT), str(bundle), str(trust), "--json"],
        capture_output=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    return done.returncode, json.loads(done.stdout or "{}")


@pytest.mark.parametrize("number", range(4))
def test_what_matches_a_query_is_proven_to_both_verifiers(told: Told, number: int) -> None:
    query = _queries(told)[number]
    path = told.folder / f"query-{number}.jsonl"
    told.run("evidence", "--query", query, "-o", str(path))
    code, report = told.verified(path)
    assert code == 0, report
    assert (report["completeness"], report["findings"]) == ("none", [])
    assert (report["entries"] > 0) == (number < 3)
    code, other = _by_javascript(path, told.trust)
    assert code == 3, other
    assert other["question"] == {"kind": "query", "query": query}
    left_open = {p["code"] for step in other["steps"] for p in step["problems"]}
    assert left_open <= {
        *("query_not_checked", "verdicts_not_judged"),
        *("event_hash_not_computed", "schema_not_checked"),
    }


def test_a_query_that_was_changed_is_found_by_both(told: Told) -> None:
    path = told.folder / "query.jsonl"
    told.run("evidence", "--query", "EQ_bizStep=receiving", "-o", str(path))
    data = path.read_bytes()
    assert data.count(b"EQ_bizStep=receiving") == 1
    path.write_bytes(data.replace(b"EQ_bizStep=receiving", b"EQ_bizStep=accepting"))
    assert told.verified(path)[0] == 2
    assert _by_javascript(path, told.trust)[0] == 2


def test_a_changed_byte_is_found(told: Told) -> None:
    data = bytearray(told.evidence(told.story.traced, "flipped.jsonl").read_bytes())
    data[len(data) // 2] ^= 1
    path = told.folder / "flipped.jsonl"
    path.write_bytes(data)
    assert told.verified(path)[0] == 2


def test_a_stranger_may_not_ask_for_what_concerns_others(told: Told) -> None:
    """The first node knows nothing of the pack's later life: a bundle of its own covers what others let it see."""
    code, report = told.verified(
        told.evidence(told.story.traced, "from-maker.jsonl", at="manufacturer")
    )
    assert code in (0, 3), report
    assert report["issuer"] == "manufacturer"
