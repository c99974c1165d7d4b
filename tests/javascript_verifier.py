"""The verifier in JavaScript, under Node or in a browser: jobs go in, results come out.

``tests/javascript/jobs.js`` does the jobs. ``vector_cases`` are the project's vectors as jobs, each with what has to
come out; they run in both places.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TESTS = Path(__file__).parent
ROOT = TESTS.parent
RUNNER = TESTS / "javascript" / "run.mjs"
VECTORS = TESTS / "vectors"


class Case(NamedTuple):
    """A job; ``expected`` is its value, or the code of the refusal (None: any) if ``refused``."""

    name: str
    job: dict[str, Any]
    expected: Any
    refused: bool = False


class Javascript:
    """A Node process that does jobs; one line in, one line out."""

    def __init__(self, node: str) -> None:
        self._process = subprocess.Popen(
            [node, str(RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def result(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return what came of a job; a crash of the verifier fails the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "crash" not in result, (str(job)[:500], result)
        return result

    def value(self, job: dict[str, Any]) -> Any:
        """Return the value of a job that is not refused."""
        result = self.result(job)
        assert "value" in result, (str(job)[:500], result)
        return result["value"]

    def close(self) -> None:
        self._process.communicate(timeout=30)


def check_case(case: Case, result: dict[str, Any]) -> None:
    """Compare a result with what has to come out."""
    assert "crash" not in result, (case.name, result)
    if case.refused:
        assert "code" in result, (case.name, result)
        assert case.expected is None or result["code"] == case.expected, (case.name, result)
    else:
        assert result == {"value": case.expected}, case.name


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def vector_cases() -> Iterator[Case]:
    """Yield every vector that the verifier in JavaScript can be asked."""
    yield from _entries()
    yield from _roots()
    yield from _notes()
    yield from _tree()
    yield from _item_index()
    yield from _records()


def _entries() -> Iterator[Case]:
    vectors = load("entry/entry.json")
    for case in vectors["entries"]:
        names = ("leaf", "registry", "genesis_hash")
        expected = {
            "id": case["entry_id"],
            "signer": case["address"],
            "kind": case["kind"],
            "member": case["member"],
            "record_time_ms": str(case["record_time_ms"]),
            "roots": [case[n] for n in ("disclosure_root", "items_root", "references_root")],
            "leaf_hash": case["leaf_hash"],
        }
        yield Case(
            f"entry: {case['name']}",
            {"do": "leaf", "chain_id": str(case["chain_id"]), **{n: case[n] for n in names}},
            expected,
        )
    for case in vectors["bad_leaves"]:
        job = {"do": "leaf", "leaf": case["leaf"]}
        yield Case(f"leaf: {case['name']}", job, case["code"], refused=True)


def _roots() -> Iterator[Case]:
    vectors = load("entry/entry.json")
    items, references = (vectors["roots"][n] for n in ("items", "references"))
    job: dict[str, Any]
    for case in vectors["parts"]:
        job = {"content": encoded(case["content"].encode())}
        expected = [case["parts"], case["elements"]]
        yield Case(f"parts: {case['name']}", {**job, "do": "divide"}, expected)
        job |= {"do": "disclosure_root", "seed": case["seed"], "event_hash": case["event_hash"]}
        expected = [case["part_hashes"], case["root"]]
        yield Case(f"disclosure root: {case['name']}", job, expected)
    job = {"do": "item_keys", "salt": items["item_salt"], "items": items["items"]}
    yield Case("items root", job, [items["item_keys"], items["root"]])
    joined = "".join(f"{relation:02x}{entry}" for relation, entry in references["references"])
    yield Case(
        "references root", {"do": "references_root", "references": joined}, references["root"]
    )
    for bad, code in (("00", "references_malformed"), ("03" + "00" * 32, "relation_unknown")):
        job = {"do": "references_root", "references": bad}
        yield Case(f"references {bad[:4]}", job, code, refused=True)
    empty = vectors["roots"]["empty_root"]
    yield Case("the root of nothing", {"do": "root", "leaves": []}, empty)


def _notes() -> Iterator[Case]:
    vectors = load("checkpoint/checkpoint.json")
    key = {"origin": vectors["origin"], "key": vectors["public_key"]}
    for case in vectors["good"]:
        expected = {
            "size": str(case["size"]),
            "root": case["root_hash"],
            "hash": case["checkpoint_hash"],
        }
        yield Case(f"note: {case['name']}", {"do": "note", "note": case["note"], **key}, expected)
    for case in vectors["malformed"]:
        yield Case(
            f"note: {case['name']}", {"do": "note", "note": case["note"]}, None, refused=True
        )
    for case in vectors["unverified"]:
        job = {"do": "note", "note": case["note"], **key}
        yield Case(f"note: {case['name']}", job, case["code"], refused=True)


def _tree() -> Iterator[Case]:
    vectors = load("tree/ct-reference.json")
    leaves, roots = vectors["leaves"], vectors["roots"]
    for size, root in enumerate(roots, start=1):
        yield Case(f"root of {size}", {"do": "root", "leaves": leaves[:size]}, root)
    hashes = [_leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]
    for case in vectors["inclusion"]:
        index, size = case["leaf_index"], case["tree_size"]
        job = {
            "do": "inclusion",
            "index": index,
            "size": size,
            "leaf": hashes[index],
            "proof": case["proof"],
            "root": roots[size - 1],
        }
        yield Case(f"inclusion of {index} in {size}", job, expected=True)
        yield Case(
            f"inclusion in {size} under another root",
            {**job, "root": "00" * 32},
            "inclusion_root_differs",
            refused=True,
        )
    for case in vectors["consistency"]:
        first, second = case["first_size"], case["second_size"]
        job = {
            "do": "consistency",
            "first": first,
            "first_root": roots[first - 1],
            "second": second,
            "second_root": roots[second - 1],
            "proof": case["proof"],
        }
        yield Case(f"consistency of {first} and {second}", job, expected=True)
        job = {**job, "proof": [*case["proof"], "00" * 32]}
        yield Case(f"consistency of {first} and {second}, longer", job, None, refused=True)


def _leaf_hash(leaf: bytes) -> str:
    from sealtrail.log.tree import leaf_hash

    return leaf_hash(leaf).hex()


def _item_index() -> Iterator[Case]:
    for case in load("item-index/item-index.json")["cases"]:
        postings = json.loads(case["content"])["postings"]
        expected = [{"first": r["first"], "postings": r["postings"]} for r in case["runs"]]
        yield Case(f"runs of {postings}", {"do": "runs", "postings": postings}, expected)
        for proof in case["proofs"]:
            name = f"{proof['item']} in {case['covers']}"
            job = {
                "do": "item_proof",
                "content": case["content"],
                "key": proof["key"],
                "runs": proof["runs"],
            }
            yield Case(name, job, proof["leaves"])
            for n, run in enumerate(proof["runs"]):
                for field in ("key", "next_key", "leaf_indices", "hashes"):
                    runs = [*proof["runs"]]
                    runs[n] = {**run, field: _spoilt(run[field])}
                    yield Case(f"{name}, {field}", {**job, "runs": runs}, None, refused=True)
                shorter = {**job, "runs": proof["runs"][:n] + proof["runs"][n + 1 :]}
                yield Case(f"{name}, without run {n}", shorter, "item_runs_differ", refused=True)


def _spoilt(text: str) -> str:
    data = bytearray.fromhex(text)
    if data:
        data[-1] ^= 1
        return data.hex()
    return "00"


def _records() -> Iterator[Case]:
    for case in load("registry-record/records.json")["cases"]:
        if "malformed" in case:
            job = {"do": "record", "record": case["malformed"]}
            yield Case(f"record: {case['name']}", job, "record_malformed", refused=True)
            continue
        record = case["record"]
        expected = {
            "encoded": case["encoded"],
            "digest": case["digest"],
            "member": record["member"],
            "name": record["name"],
            "glns": record["glns"],
            "keys": [key["public"] for key in record["keys"]],
        }
        yield Case(f"record: {case['name']}", {"do": "record", "record": case["encoded"]}, expected)
        if "consent" in case:
            consent = case["consent"]
            job = {**consent, "do": "consent", "record_digest": case["digest"]}
            yield Case(f"consent: {case['name']}", job, [consent["digest"], record["member"]])
