"""The verifier in JavaScript, written from the protocol by itself, decides as the one in Python does."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import sha256, sha512, shake_256
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import rfc8785
import rlp
from coincurve import PrivateKey
from sha3 import keccak_256

import bundle_story
from bundle_story import Audited, Story, claim
from bundle_world import (
    PACK,
    Member,
    Recipe,
    World,
    answered,
    bundle,
    commissioning,
    event,
    lines_of,
    signed,
    verify,
)
from conftest import ROOT, find_tool
from javascript_verifier import Case, Javascript, check_case, encoded, load, vector_cases
from sealtrail.chainproof.headers import Header, encode_header, header_from_json, parse_header
from sealtrail.chainproof.receipts import encode_receipt, receipt_at, receipt_from_json
from sealtrail.chainproof.trie import ordered_trie_proof
from sealtrail.chainproof.validators import (
    Interval,
    ValidatorHistory,
    follow,
    form_of_genesis,
    validators_at_genesis,
    verify_final,
)
from sealtrail.epcis import RecordedEvent, parse_document, read_content
from sealtrail.errors import InputError, SealtrailError
from sealtrail.evidence.audit_digest import AuditDigest, encode_digest
from sealtrail.evidence.bundle.form import AnyLine, encode_line
from sealtrail.evidence.bundle.lines import CheckpointLine
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import (
    Cosignatures,
    KnownWitness,
    Pinned,
    TrustFile,
    ValidatorInterval,
    encode_trust,
    parse_trust,
)
from sealtrail.gs1 import canonical
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.item_index import (
    IndexHead,
    encode_index_document,
    index_root,
    parse_index_document,
)
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import Role
from sealtrail.signing import ZERO_SEED, Ed25519Signer, Kind, verify_ed25519
from unit import (
    test_bundle_attacks,
    test_bundle_claims,
    test_bundle_extension_events,
    test_bundle_index_audits,
    test_bundle_mutations,
    test_bundle_queries,
    test_bundle_redaction,
    test_bundle_sections,
    test_bundle_shared_keys,
    test_bundle_xml,
)
from unit.test_gs1_canonical import CAPITALS, LINKS, OTHERS, URNS

pytestmark = pytest.mark.full

# What the verifier in JavaScript leaves open, and says so.
LEFT_OPEN = {
    "event_hash_not_computed",
    "schema_not_checked",
    "containers_not_followed",
    "verdicts_not_judged",
    "query_not_checked",
    "media_type_unsupported",
    "content_unreadable",
}


@pytest.fixture(scope="module")
def javascript() -> Iterator[Javascript]:
    node = find_tool("node")
    if node is None:
        pytest.skip("node is not at hand: install Node.js 18 or newer")
    javascript = Javascript(node)
    yield javascript
    javascript.close()


@pytest.mark.parametrize("case", list(vector_cases()), ids=lambda case: case.name)
def test_a_vector_comes_out_as_it_has_to(case: Case, javascript: Javascript) -> None:
    check_case(case, javascript.result(case.job))


# -- identifiers and events -------------------------------------------------------------------------


def test_identifiers_have_the_same_canonical_form(javascript: Javascript) -> None:
    plain = [each[0] for each in (*URNS, *LINKS, *CAPITALS)] + OTHERS
    random = Random(7)
    texts = plain + [mutated(random.choice(plain), random) for _ in range(2_500)]
    differing = [
        (text, found, canonical(text))
        for text in texts
        if (found := javascript.value({"do": "canonical", "text": text})) != canonical(text)
    ]
    assert differing == []


def mutated(text: str, random: Random) -> str:
    """Change a text a little, where it matters to identifiers."""
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(text))
        piece = random.choice(
            ["", "/", ".", "%", "%2F", "%41", "0", "A", "*", "/21/x", "/10/L1", "/22/V", "/235/t", "ä", "#", ":"]
        )  # fmt: skip
        text = text[:at] + piece + text[at + random.randint(0, 2) :]
    return text


def test_events_name_the_same_items(javascript: Javascript) -> None:
    count = 0
    for case, recorded in hashed_events():
        found = javascript.value({"do": "items", "content": encoded(recorded.content)})
        expected = sorted([each.item, str(each.place)] for each in recorded.items)
        assert sorted(found) == expected, case
        count += bool(found)
    assert count > 200


def test_event_hashes_are_the_references_or_not_computed(javascript: Javascript) -> None:
    computed = 0
    for case, recorded in hashed_events():
        result = javascript.result({"do": "pre_hash", "content": encoded(recorded.content)})
        if result.get("code") != "event_hash_not_computed":
            assert result == {"value": case["prehash"]}
            computed += 1
    assert computed > 180  # of 358, many of which are there for what is not ordinary


def hashed_events() -> Iterator[tuple[dict[str, Any], RecordedEvent]]:
    root = Path(__file__).parents[1] / "vectors" / "event-hash"
    for name in ("cbv20.jsonl", "extensions.jsonl", "others.jsonl"):
        for line in (root / name).read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            event = parse_document(json.dumps(case["document"]).encode()).events[0]
            assert isinstance(event, RecordedEvent)
            yield case, event


def test_what_javascript_takes_for_an_event_python_does_too(javascript: Javascript) -> None:
    """Events changed in places: where JavaScript is sure of form and hash, Python reads it to the same."""
    random, sure, refused = Random(9), 0, 0
    contents = [each.content for _, each in hashed_events()]
    contents += [commissioning(5), event_of_all()] * 150  # most of the others are not ordinary
    for _ in range(3_000):
        content = rfc8785.dumps(changed_event(json.loads(random.choice(contents)), random))
        result = javascript.result({"do": "event", "content": encoded(content)})
        try:
            read = read_content(content, "application/ld+json")
        except InputError:
            refused += 1
            assert "code" in result or result["value"][0] is False, (content, result)
            continue
        assert result.get("code") != "content_unreadable", (content, result)
        if "value" in result:
            assert result["value"][1] == read.event_hash.hex(), content
            sure += result["value"][0]
    assert sure > 150
    assert refused > 500


def event_of_all() -> bytes:
    """Content of an event with much that an ordinary one has."""
    return event(
        5,
        bizLocation={"id": "urn:epc:id:sgln:9521234.00001.0"},
        bizTransactionList=[{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:1:2"}],
        sourceList=[{"type": "owning_party", "source": "urn:epc:id:pgln:9521234.00001"}],
        destinationList=[{"type": "location", "destination": "urn:epc:id:sgln:9521234.00002.0"}],
        persistentDisposition={"set": ["completeness_verified"]},
        quantityList=[
            {"epcClass": "urn:epc:class:lgtin:9521234.054321.L1", "quantity": 5, "uom": "KGM"}
        ],
    )


def changed_event(content: dict[str, Any], random: Random) -> dict[str, Any]:
    """Change one or two members of an event, at any depth."""
    values = [
        "", "x", "ADD", "DELETE", "+02:00", "+14:30", "2026-02-30T10:00:00.000Z", "2026-03-01T24:00:00Z", "007", "1e5",
        "2026-03-01T10:00:00.5+02:00", "shipping", "urn:epc:id:sscc:9521234.0000000001", "urn:x:1", "http://x.example/a",
        "urn:epc:id:sgtin:9521234.054321.a%2Fb", "https://id.gs1.org/01/09521234543213/10/L/21/7", [], {}, ["x", "x"],
        ["urn:x:1", "urn:x:1"], 5, 1.5, -1, True, None, {"id": "urn:x:2"}, "Temperature", "a b", " a", "ä", "𝔸",
    ]  # fmt: skip
    names = [
        "parentID",
        "epcList",
        "ilmd",
        "action",
        "cbvmda:lotNumber",
        "x:y",
        "eventID",
        "bizStep",
        "z",
    ]
    for _ in range(random.randint(1, 2)):
        inner: Any = content
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = random.choice(keys)
            below = inner[key]
            if isinstance(below, dict | list) and below and random.random() < 0.7:
                inner = below
                continue
            match random.randint(0, 3):
                case 0:
                    del inner[key]
                case 1 if isinstance(inner, dict):
                    inner[random.choice(names)] = deepcopy(random.choice(values))
                case 2 if isinstance(inner, list):
                    inner.append(deepcopy(random.choice([below, *values])))
                case _:
                    inner[key] = deepcopy(random.choice(values))
            break
    return content


# -- chains -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["clique", "qbft"])
def chain(request: pytest.FixtureRequest, shared: Path) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(
        (shared / "vectors/chain" / f"{request.param}.json").read_text()
    )
    return shown


def test_a_real_chain_is_followed_to_its_end(chain: dict[str, Any], javascript: Javascript) -> None:
    headers = [raw_header(h) for h in chain["headers"]]
    found = javascript.value({"do": "chain", "headers": [h.hex() for h in headers]})
    assert [state[0] for state in found["states"]] == [h["hash"] for h in chain["headers"]]
    members = ["0x" + each for each in found["states"][-1][1]]
    assert members == sorted(chain["validators_at_end"])


def test_a_header_of_a_real_chain_with_one_bit_changed_is_refused(
    chain: dict[str, Any], javascript: Javascript
) -> None:
    headers = [raw_header(h) for h in chain["headers"][:8]]
    for at in range(0, 8 * len(headers[4]), 97):
        changed = bytearray(headers[4])
        changed[at // 8] ^= 1 << at % 8
        job = {"do": "chain", "headers": [h.hex() for h in [*headers[:4], changed, *headers[5:]]]}
        assert "code" in javascript.result(job), at


def test_finality_in_a_real_chain_is_told_alike(
    chain: dict[str, Any], javascript: Javascript
) -> None:
    """True runs, short runs, runs of changed headers and by other validators: the same sealers, or the same code."""
    headers = [header_from_json(shown) for shown in chain["headers"]]
    form = form_of_genesis(headers[0])
    states = [validators_at_genesis(headers[0], form)]
    for header in headers[1:]:
        states.append(follow(states[-1], header))
    intervals: list[Interval] = []
    for state in states:
        if not intervals or intervals[-1].members != state.members:
            intervals.append(Interval(first_block=state.number + 1, members=state.members))
    random, seen = Random(11), set[str]()
    for _ in range(160):
        at, length = random.randrange(1, len(headers) - 1), random.randint(1, 6)
        run = [changed_header(each, random) for each in headers[at : at + length]]
        known = intervals if random.random() < 0.8 else [*intervals[:1]]
        job = {
            "do": "final",
            "headers": [encode_header(each).hex() for each in run],
            "form": form.name,
            "epoch": form.epoch,
            "intervals": [[each.first_block, [m.hex() for m in each.members]] for each in known],
        }
        result = javascript.result(job)
        history = ValidatorHistory(form=form, intervals=tuple(known))
        if "code" in result:
            with pytest.raises(SealtrailError) as caught:
                verify_final(run, history)
            assert result["code"] == caught.value.code, result
            seen.add(result["code"])
        else:
            final = verify_final(run, history)
            expected = {"sealers": [each.hex() for each in final.sealers], "needed": final.needed}
            assert result["value"] == {**expected, "of": final.of}
            seen.add("final")
    assert {"final", "header_not_next", "sealer_unauthorized", "header_form_wrong"} <= seen
    assert "header_too_late" in seen


@pytest.mark.parametrize(("number", "refused"), [(0, True), (1, True), (3, True), (4, False)])
def test_a_chain_whose_time_json_does_not_keep_is_not_followed(
    number: int, refused: bool, chain: dict[str, Any], javascript: Javascript
) -> None:
    headers = [header_from_json(shown) for shown in chain["headers"][:4]]
    late = [
        msgspec.structs.replace(each, time=2**53) if n == number else each
        for n, each in enumerate(headers)
    ]
    job = {"do": "chain", "headers": [encode_header(each).hex() for each in late]}
    result = javascript.result(job)
    assert result.get("code") == ("header_too_late" if refused else None)


def changed_header(header: Header, random: Random) -> Header:
    """Return a header that is changed now and then."""
    if random.random() < 0.8:
        return header
    changes: list[dict[str, Any]] = [
        {"difficulty": 3 - header.difficulty},
        {"difficulty": 7},
        {"nonce": b"\1" * 8},
        {"nonce": b"\xff" * 8},
        {"mix_hash": bytes(31) + b"\1"},
        {"beneficiary": b"\2" * 20},
        {"gas_used": header.gas_limit + 1},
        {"uncles_hash": bytes(32)},
        {"extra_data": header.extra_data[:-1]},
        {"extra_data": header.extra_data[:-65] + bytes(65)},
        {"extra_data": b""},
        {"time": header.time - 100},
        {"time": 2**53},
        {"state_root": bytes(32)},
    ]
    return msgspec.structs.replace(header, **random.choice(changes))


def test_slots_of_a_real_chain_are_proven(chain: dict[str, Any], javascript: Javascript) -> None:
    for entry in chain["proofs"]:
        proof = entry["proof"]
        for slot in proof["storageProof"]:
            job = {
                "do": "slot",
                "header": raw_header(chain["headers"][entry["block"]]).hex(),
                "address": proof["address"],
                "account": proof["accountProof"],
                "slot": str(int(slot["key"], 16)),
                "proof": slot["proof"],
            }
            root, value = javascript.value(job)
            assert (root, int(value, 16)) == (proof["storageHash"], int(slot["value"], 16))
            other = {**job, "address": "0x" + "11" * 20}
            assert javascript.result(other).get("code", "").startswith("proof_")


def raw_header(shown: dict[str, Any]) -> bytes:
    """Return a header's RLP from what JSON-RPC shows of it."""
    octets = (
        "parentHash",
        "sha3Uncles",
        "miner",
        "stateRoot",
        "transactionsRoot",
        "receiptsRoot",
        "logsBloom",
    )
    numbers = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
    items: list[Any] = [bytes.fromhex(shown[n][2:]) for n in octets]
    items += [int(shown[n], 16) for n in numbers]
    items += [bytes.fromhex(shown[n][2:]) for n in ("extraData", "mixHash", "nonce")]
    if "baseFeePerGas" in shown:
        items.append(int(shown["baseFeePerGas"], 16))
    return bytes(rlp.encode(items))


# -- bundles ----------------------------------------------------------------------------------------


class Both:
    """Verifies by both, and fails where they disagree on what both check."""

    def __init__(self, javascript: Javascript) -> None:
        self._javascript = javascript
        self.count = 0

    def __call__(self, data: bytes, trust: TrustFile, **more: Any) -> BundleReport:
        self.count += 1
        job = {
            "do": "bundle",
            "bundle": encoded(data),
            "trust": encoded(encode_trust(trust)),
            **more,
        }
        other = self._javascript.result(job)
        if "code" in other:
            with pytest.raises(SealtrailError) as caught:
                verify(data, trust, **more)
            assert (other["code"], other["kind"]) == (caught.value.code, "input"), other
            raise caught.value
        report = verify(data, trust, **more)
        assert "value" in other, (other, [s for s in report.steps if s.problems])
        self.compare(report, other["value"])
        return report

    def compare(self, report: BundleReport, other: dict[str, Any]) -> None:
        assert other["digest"] == report.digest.hex()
        for step, found in zip(report.steps, other["steps"], strict=True):
            assert (found["number"], found["name"]) == (step.number, str(step.name))
            codes = {p["code"] for p in found["problems"]}
            seen = (step.problems, found)
            if found["outcome"] == "could not check":
                assert step.outcome == "could not check" or codes & LEFT_OPEN, seen
            elif step.outcome != "could not check":
                assert found["outcome"] == step.outcome, seen
                failed = {p["code"] for p in found["problems"] if p["outcome"] == "does not hold"}
                expected = {p.code for p in step.problems if p.outcome == "does not hold"}
                assert failed == expected or (failed < expected and codes & LEFT_OPEN), seen


@pytest.fixture
def both(javascript: Javascript) -> Both:
    return Both(javascript)


ATTACKS = (
    test_bundle_attacks,
    test_bundle_claims,
    test_bundle_extension_events,
    test_bundle_index_audits,
    test_bundle_queries,
    test_bundle_redaction,
    test_bundle_sections,
    test_bundle_shared_keys,
    test_bundle_xml,
)
NOT_OF_BUNDLES = {"test_signers_are_told_apart_in_any_order"}


def attacks() -> Iterator[Any]:
    """Yield every attack of the unit tests, with its arguments if it has any."""
    found = [item for module in ATTACKS for item in vars(module).items()]
    for name, attack in found:
        if not name.startswith("test_") or name in NOT_OF_BUNDLES:
            continue
        marks = [m for m in getattr(attack, "pytestmark", []) if m.name == "parametrize"]
        several = bool(marks) and isinstance(marks[0].args[0], tuple)
        for n, value in enumerate(marks[0].args[1] if marks else [None]):
            told = (
                getattr(value[0], "__name__", n) if several else getattr(value, "__name__", value)
            )
            given = list(value) if several else [value]
            yield pytest.param(attack, given if marks else [], id=f"{name[5:]}-{told}")


@pytest.mark.parametrize(("attack", "arguments"), list(attacks()))
def test_both_see_through_an_attack(
    attack: Callable[..., None],
    arguments: list[Any],
    both: Both,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each attack runs as it stands, and its own assertions with it; only every bundle is verified twice."""
    for module in ATTACKS:
        monkeypatch.setattr(module, "verify", both, raising=False)  # or it reads as its story does
    monkeypatch.setattr(bundle_story, "verify", both)
    attack(*arguments)
    assert both.count


@pytest.fixture(scope="module")
def story() -> Story:
    return Story("mutated for two")


@pytest.fixture(scope="module")
def whole(story: Story) -> bytes:
    return signed(answered(story.world, lines_of(story.world, story.recipe())), story.maker)


@pytest.fixture(scope="module")
def trust(story: Story) -> TrustFile:
    return story.world.trust(pinned=5)


def outcome(both: Both, data: bytes, trust: TrustFile) -> int:
    try:
        return both(data, trust).exit_code
    except SealtrailError as error:
        return error.exit_code


def test_what_javascript_checks_of_a_true_bundle_holds(
    whole: bytes, trust: TrustFile, javascript: Javascript
) -> None:
    job = {"do": "bundle", "bundle": encoded(whole), "trust": encoded(encode_trust(trust))}
    report = javascript.value(job)
    open_steps = {s["name"] for s in report["steps"] if s["outcome"] != "holds"}
    assert open_steps == {"verdicts"}
    codes = {p["code"] for step in report["steps"] for p in step["problems"]}
    assert codes == {"verdicts_not_judged"}
    assert report["exit_code"] == 3


def test_both_refuse_blocks_that_have_no_hash_by_the_chains_consensus(
    whole: bytes, trust: TrustFile, both: Both
) -> None:
    consensus = msgspec.structs.replace(trust.consensus, form="qbft")
    with pytest.raises(InputError) as caught:
        both(whole, msgspec.structs.replace(trust, consensus=consensus))
    assert (caught.value.code, caught.value.pointer) == ("bundle_malformed", "line 2/header")


def test_both_read_the_digest_of_an_audit_trail(both: Both) -> None:
    story = Story("audited")
    zeros = "0x" + "00" * 32
    digest = AuditDigest(count=0, first=0, head=zeros, root=zeros)
    for content in (encode_digest(digest), encode_digest(digest)[:-1]):
        story.maker.append(content, Kind.AUDIT_DIGEST)
    story.maker.seal()
    story.world.empty(6)
    report = both(bundle(story.world, story.recipe()), story.world.trust(pinned=5))
    codes = {p.code for step in report.steps for p in step.problems if step.name == "entries"}
    assert codes == {"audit_digest_malformed"}


def test_both_find_a_flipped_byte(whole: bytes, trust: TrustFile, both: Both) -> None:
    offset = 0
    for line in whole.splitlines(keepends=True):
        for at in sorted(set(test_bundle_mutations.places(line)))[::31]:
            changed = bytearray(whole)
            changed[offset + at] ^= 0x01
            assert outcome(both, bytes(changed), trust) != 0
        offset += len(line)


def test_both_find_what_the_issuer_changed_and_signed_again(
    story: Story, trust: TrustFile, both: Both
) -> None:
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    mutate(story, trust, both, [encode_line(line) for line in lines])
    assert both.count > 100


def test_both_find_what_the_issuer_changed_in_parts_and_signed_again(both: Both) -> None:
    shipment = test_bundle_redaction.Shipment("mutated in parts")
    trust = shipment.world.trust(pinned=5)
    lines = answered(shipment.world, lines_of(shipment.world, shipment.redacted()))
    mutate(shipment, trust, both, [encode_line(line) for line in lines], only="partial")
    assert both.count > 30


def mutate(
    story: Story, trust: TrustFile, both: Both, encoded_lines: list[bytes], *, only: str = ""
) -> None:
    """Verify by both with each value changed, or each of those below the member ``only``."""
    for n, data in enumerate(encoded_lines):
        for path in test_bundle_mutations.leaves(json.loads(data)):
            if path[-1] == "type" or (only and path[0] != only):
                continue
            changed = json.loads(data)
            inner = changed
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = test_bundle_mutations.altered(inner[path[-1]])
            again = [*encoded_lines[:n], rfc8785.dumps(changed) + b"\n", *encoded_lines[n + 1 :]]
            outcome(both, test_bundle_mutations.resigned(again, story), trust)


# -- what only the verifier in JavaScript is asked ----------------------------------------------------


def step_of(javascript: Javascript, data: bytes, trust: TrustFile, name: str) -> dict[str, Any]:
    job = {"do": "bundle", "bundle": encoded(data), "trust": encoded(encode_trust(trust))}
    steps = {step["name"]: step for step in javascript.value(job)["steps"]}
    found: dict[str, Any] = steps[name]
    return found


def cosigned(story: Story, witness: Ed25519Signer, *, name: str, spoil: bool = False) -> bytes:
    """Return a bundle whose last checkpoint has a witness's cosignature (C2SP tlog-cosignature)."""
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    at = max(n for n, line in enumerate(lines) if isinstance(line, CheckpointLine))
    line = lines[at]
    assert isinstance(line, CheckpointLine)
    text = line.note.partition("\n\n")[0] + "\n"
    signature = witness.sign(f"cosignature/v1\ntime 1772352000\n{text}".encode())
    key_id = sha256(name.encode() + b"\n\x04" + witness.public_key).digest()[:4]
    time = (1_772_352_000 + spoil).to_bytes(8, "big")
    blob = base64.b64encode(key_id + time + signature).decode()
    lines[at] = msgspec.structs.replace(line, note=f"{line.note}— {name} {blob}\n")
    return signed(lines, story.maker)


def test_cosignatures_of_known_witnesses_are_checked_and_counted(
    story: Story, whole: bytes, javascript: Javascript
) -> None:
    witness = Ed25519Signer(bytes(range(32)))
    known = Cosignatures(
        needed=1,
        witnesses=[KnownWitness(name="w.example/1", public_key="0x" + witness.public_key.hex())],
    )
    trust = story.world.trust(pinned=5, cosignatures=known)
    found = step_of(javascript, whole, trust, "cosignatures")
    assert [p["code"] for p in found["problems"]] == ["cosignatures_too_few"]
    good = cosigned(story, witness, name="w.example/1")
    assert step_of(javascript, good, trust, "cosignatures")["outcome"] == "holds"
    other = cosigned(story, witness, name="another.example")
    found = step_of(javascript, other, trust, "cosignatures")
    assert [p["code"] for p in found["problems"]] == ["cosignatures_too_few"]
    bad = cosigned(story, witness, name="w.example/1", spoil=True)
    codes = [p["code"] for p in step_of(javascript, bad, trust, "cosignatures")["problems"]]
    assert codes == ["signature_wrong", "cosignatures_too_few"]


def test_index_audits_are_checked_and_counted(javascript: Javascript) -> None:
    story = Audited()
    trust = story.world.trust(pinned=5)

    def problems(lines: list[AnyLine], step: str) -> list[str]:
        data = signed(lines, story.maker)
        return [p["code"] for p in step_of(javascript, data, trust, step)["problems"]]

    lines = answered(story.world, story.lines(story.agency, story.office))
    for count, expected in (
        (2, []),
        (1, []),
        (3, ["auditors_too_few"]),
        (0, ["auditors_missing"]),
    ):
        assert problems(claim(lines, "index-audited", count), "completeness") == expected
    older = answered(story.world, story.lines(story.agency, size=4))
    assert problems(older, "cosignatures") == ["signature_wrong"]
    assert problems(claim(older, "index-audited", 1), "completeness") == ["auditors_too_few"]
    retail = Audited("retail", Role.DISPENSER)
    noise = claim(answered(retail.world, retail.lines(retail.agency)), "index-audited", 1)
    data, trust = signed(noise, retail.maker), retail.world.trust(pinned=5)
    found = step_of(javascript, data, trust, "completeness")
    assert [p["code"] for p in found["problems"]] == ["auditors_too_few"]
    assert step_of(javascript, data, trust, "cosignatures")["outcome"] == "holds"


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "zeros": lambda _: bytes(100_000),
    "depth": lambda _: b"[" * 1_000_000 + b"\n",
    "depth in a header": lambda whole: whole.replace(
        b'"program":{', b'"program":' + b'{"a":' * 100_000, 1
    ),
    "a long name": lambda whole: b'{"' + b"a" * 5_000_000 + b'":1}\n' + whole,
    "a long line": lambda whole: b'{"a":"' + b"a" * (33 * 1024 * 1024) + b'"}\n' + whole,
    "many lists": lambda _: b"[" + b"[]," * 2_000_000 + b"[]]\n",
    "a name twice": lambda whole: whole.replace(b'{"format":', b'{"format":"x","format":', 1),
    "a prototype": lambda whole: whole.replace(
        b'{"format":', b'{"__proto__":{"type":"header"},"format":', 1
    ),
    "a constructor": lambda whole: whole.replace(b'"type":"header"', b'"type":"constructor"', 1),
    "a surrogate": lambda whole: whole.replace(b'"name":"sealtrail"', b'"name":"\\ud800"', 1),
    "a number too large": lambda whole: whole.replace(
        b'"proof_block":', b'"proof_block":9007199254740993', 1
    ),
    "an exponent": lambda whole: whole.replace(b'"chain_id":1337', b'"chain_id":1.337e3', 1),
    "infinity": lambda whole: whole.replace(b'"chain_id":1337', b'"chain_id":1e999', 1),
    "not UTF-8": lambda whole: whole.replace(b'"sealtrail"', b'"sealtrail\xff"', 1),
    "null": lambda whole: whole.replace(b'"sealtrail/evidence/1"', b"null", 1),
    "a line of null": lambda whole: b"null\n" + whole,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_with_a_code(
    name: str, whole: bytes, trust: TrustFile, javascript: Javascript
) -> None:
    job = {
        "do": "bundle",
        "bundle": encoded(HOSTILE[name](whole)),
        "trust": encoded(encode_trust(trust)),
    }
    result = javascript.result(job)
    assert result.get("code") in ("bundle_malformed", "bundle_line_too_long"), result
    assert result["kind"] == "input"


@pytest.mark.parametrize(
    "change",
    [
        lambda trust: trust.replace(b'"type"', b'"typ"'),
        lambda trust: trust.replace(b'"epoch"', b'"epoch": 1, "epoch"'),
        lambda trust: trust.replace(b'"epoch": 30000', b'"epoch": 0'),
        lambda trust: trust.replace(b'"from": 0', b'"from": 2'),
        lambda trust: trust.replace(b'"clique"', b'"none"'),
        lambda trust: trust.replace(b'"clique"', b'"toString"'),
        lambda trust: trust[:-10],
        lambda _: b"[" * 100_000,
        lambda _: b"",
        lambda _: b"null",
    ],
)
def test_a_malformed_trust_file_is_refused(
    change: Callable[[bytes], bytes], trust: TrustFile, javascript: Javascript
) -> None:
    changed = change(encode_trust(trust))
    assert changed != encode_trust(trust)
    result = javascript.result({"do": "trust", "trust": encoded(changed)})
    assert (result.get("code"), result.get("kind")) == ("trust_malformed", "input")


@pytest.mark.parametrize(
    ("data", "good"),
    [
        ("80", True), ("00", True), ("c0", True), ("83616263", True), ("c383616263", False), ("c3826162", True),
        ("8100", False), ("817f", False), ("8180", True), ("b800", False), ("b837" + "61" * 55, False),
        ("b838" + "61" * 56, True), ("b90038" + "61" * 56, False), ("c1", False), ("c000", False),
        ("f800", False), ("bfffffffffffffffff", False), ("ffffffffffffffffff", False), ("", False),
        ("c1" * 5 + "c0", False), ("c5c4c3c2c1c0", True),
    ],
)  # fmt: skip
def test_rlp_has_one_spelling(data: str, good: bool, javascript: Javascript) -> None:
    result = javascript.result({"do": "rlp", "data": data})
    assert result == {"value": data} if good else result.get("code") == "rlp_malformed"


def test_hashes_are_those_of_other_libraries(javascript: Javascript) -> None:
    random = Random(5)
    for length in [*range(0, 300, 7), 55, 56, 63, 64, 111, 112, 127, 128, 135, 136, 137, 10_000]:
        data = random.randbytes(length)
        found = javascript.value({"do": "hashes", "data": encoded(data)})
        assert found == [
            sha256(data).hexdigest(),
            sha512(data).hexdigest(),
            keccak_256(data).hexdigest(),
            shake_256(data).hexdigest(300),
        ]


def test_recovery_is_that_of_another_library(javascript: Javascript) -> None:
    random = Random(6)
    for n in range(40):
        key = PrivateKey(random.randbytes(32))
        digest = random.randbytes(32)
        seal = key.sign_recoverable(digest, hasher=None)
        address = keccak_256(key.public_key.format(compressed=False)[1:]).digest()[-20:]
        job = {
            "do": "recover",
            "digest": digest.hex(),
            "r": seal[:32].hex(),
            "s": seal[32:64].hex(),
            "id": seal[64],
        }
        assert javascript.value(job) == address.hex(), n
    for bad in ({"r": "00" * 32}, {"s": "00" * 32}, {"r": "ff" * 32}, {"id": 2}):
        assert javascript.result({**job, **bad}).get("code") == "signature_wrong"


@pytest.mark.parametrize("spoil", ["none", "message", "s + order", "s", "key", "r", "small key"])
def test_ed25519_written_out_and_the_platforms_decide_alike(
    spoil: str, javascript: Javascript
) -> None:
    signer = Ed25519Signer(bytes(range(32)))
    key, message = bytearray(signer.public_key), bytearray(b"some text")
    signature = bytearray(signer.sign(bytes(message)))
    match spoil:
        case "message":
            message[0] ^= 1
        case "s + order":
            order = 2**252 + 27742317777372353535851937790883648493
            s = int.from_bytes(signature[32:], "little") + order
            signature[32:] = s.to_bytes(32, "little")
        case "s":
            signature[40] ^= 1
        case "key":
            key[3] ^= 1
        case "r":
            signature[3] ^= 1
        case "small key":  # of order 1: whoever signs with S = 0 and R = the identity
            key = bytearray([1] + [0] * 31)
            signature = bytearray([1] + [0] * 63)
    job = {
        "do": "ed25519",
        "key": key.hex(),
        "message": message.hex(),
        "signature": signature.hex(),
    }
    try:
        verify_ed25519(bytes(key), bytes(message), bytes(signature))
    except SealtrailError:
        right = False
    else:
        right = True
    assert javascript.value(job) == [right, right]
    assert right == (spoil in ("none", "small key"))


def read_alike() -> dict[str, tuple[bytes, Callable[[bytes], object], Callable[[bytes], Any]]]:
    """Return what is read, how Python reads it, and the job that has JavaScript do it."""
    record = bytes.fromhex(load("registry-record/records.json")["cases"][1]["encoded"][2:])
    note = load("checkpoint/checkpoint.json")["good"][2]["note"].encode()
    document = load("item-index/item-index.json")["cases"][1]["content"].encode()
    world = Story("read alike").world
    return {
        "record": (
            record,
            lambda data: parse_record(data, block=1),
            lambda data: {"do": "record", "record": data.hex()},
        ),
        "note": (
            note,
            lambda data: parse_note(data.decode(errors="replace")),
            lambda data: {"do": "note", "note": data.decode(errors="replace")},
        ),
        "index document": (
            document,
            parse_index_document,
            lambda data: {"do": "index_document", "data": data.hex()},
        ),
        "header": (
            encode_header(world.blocks[3].header),
            parse_header,
            lambda data: {"do": "header", "data": data.hex()},
        ),
        "trust": (
            encode_trust(world.trust(pinned=5)),
            parse_trust,
            lambda data: {"do": "trust", "trust": encoded(data)},
        ),
    }


@pytest.mark.parametrize("name", ["record", "note", "index document", "header", "trust"])
def test_changed_bytes_are_read_alike(name: str, javascript: Javascript) -> None:
    data, read, job = read_alike()[name]
    random, good, bad = Random(13), 0, 0
    for _ in range(800):
        changed = bytearray(data)
        for _ in range(random.randint(0, 2)):
            at = random.randrange(len(changed))
            piece = random.choice([b"", b"0", b"\n", b" ", b"\0", b"\xff", b'"', bytes(32), b"1"])
            changed[at : at + random.choice([0, 1, 1, 1, 32])] = piece
        result = javascript.result(job(bytes(changed)))
        try:
            read(bytes(changed))
        except SealtrailError:
            bad += 1
            assert "code" in result, bytes(changed)
        else:
            good += 1
            assert "value" in result, (bytes(changed), result)
    assert good > 100
    assert bad > 150


def test_changed_proofs_of_receipts_are_told_alike(
    chain: dict[str, Any], javascript: Javascript
) -> None:
    random = Random(14)
    for number, shown in chain["receipts"].items():
        header = header_from_json(chain["headers"][int(number)])
        receipts = [encode_receipt(receipt_from_json(each)) for each in shown]
        for _ in range(60):
            index = random.randrange(len(receipts) + 1)
            proof = list(ordered_trie_proof(receipts, min(index, len(receipts) - 1)))
            at = random.randrange(len(proof))
            match random.randint(0, 4):
                case 0:
                    flipped = bytearray(proof[at])
                    flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
                    proof[at] = bytes(flipped)
                case 1:
                    del proof[at]
                case 2:
                    proof.insert(at, proof[at])
            job = {
                "do": "receipt",
                "header": encode_header(header).hex(),
                "index": index,
                "proof": [each.hex() for each in proof],
            }
            result = javascript.result(job)
            if "code" in result:
                with pytest.raises(SealtrailError) as caught:
                    receipt_at(header, index, proof)
                assert result["code"] == caught.value.code
            else:
                logs = [log.address.hex() for log in receipt_at(header, index, proof).logs]
                assert result["value"] == logs


# -- the command --------------------------------------------------------------------------------------

CLI = ROOT / "node" / "sealtrail" / "web" / "verify" / "cli.mjs"


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        ([], 3),
        (["--json"], 3),
        (["--item", "https://id.gs1.org/01/09521234543213/21/7"], 3),
        (["--item", "https://id.gs1.org/01/09521234543213/21/8"], 1),
        (["--min-block", "100000"], 1),
        (["--min-block", "x"], 2),
        (["--unknown"], 2),
    ],
)
def test_the_commands_exit_code_says_what_came_out(
    arguments: list[str],
    exit_code: int,
    whole: bytes,
    trust: TrustFile,
    javascript: Javascript,
    tmp_path: Path,
) -> None:
    assert javascript
    bundle_file, trust_file = tmp_path / "bundle.jsonl", tmp_path / "trust.json"
    bundle_file.write_bytes(whole)
    trust_file.write_bytes(encode_trust(trust))
    done = command(str(bundle_file), str(trust_file), *arguments)
    assert done.returncode == exit_code, done.stderr
    if "--json" in arguments:
        assert json.loads(done.stdout)["exit_code"] == exit_code


def command(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    node = find_tool("node")
    assert node is not None
    return subprocess.run(
        [node, str(CLI), *arguments], capture_output=True, check=False, timeout=60
    )


def test_the_command_refuses_what_is_no_bundle(
    trust: TrustFile, javascript: Javascript, tmp_path: Path
) -> None:
    assert javascript
    trust_file, huge = tmp_path / "trust.json", tmp_path / "huge"
    trust_file.write_bytes(encode_trust(trust))
    with huge.open("wb") as file:
        file.truncate(
            200 * 1024 * 1024
        )  # one line of zeros, of which no more than a line's limit is read
    for path in (tmp_path / "absent", tmp_path, trust_file, huge):
        done = command(str(path), str(trust_file))
        assert done.returncode == 2, (path, done.stderr)
        assert b"    at " not in done.stderr  # no trace of a crash
    assert command("--help").returncode == 0


def test_validators_that_changed_after_the_pinned_block_are_no_failure(
    story: Story, whole: bytes, javascript: Javascript
) -> None:
    """With a signer more than the trust file knows, others are in turn: that says nothing against the chain."""
    trust = story.world.trust(pinned=5)
    genesis = story.world.blocks[0]
    known = trust.validators[0].validators[:2]
    older = msgspec.structs.replace(
        trust,
        validators=[ValidatorInterval(from_=0, validators=known)],
        pinned=Pinned(block=0, hash="0x" + genesis.hash.hex(), time=genesis.header.time),
    )
    found = step_of(javascript, whole, older, "chain")
    assert found["outcome"] == "could not check"
    assert {p["code"] for p in found["problems"]} == {"validators_unknown"}


def test_an_index_entry_that_covers_other_leaves_does_not_hold(javascript: Javascript) -> None:
    """Also one that is not the last: its place in the tree is known."""
    world = World("covers")
    maker = Member(world, "Maker")
    maker.append(commissioning(5))
    head = IndexHead(covers=99, postings=0, root_hash=index_root([]))
    maker.append(encode_index_document(head), Kind.INDEX, seed=ZERO_SEED)
    world.anchor(maker, len(maker.entries))
    world.empty(3)
    maker.seal()
    world.empty(6)
    recipe = Recipe(issuer=maker, logs=[maker], items=[(PACK, False)])
    data = bundle(world, recipe)
    found = step_of(javascript, data, world.trust(pinned=5), "entries")
    assert [p["code"] for p in found["problems"]] == ["index_covers_differs"]
