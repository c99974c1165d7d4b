"""What is fuzzed: each reads bytes from outside, and checks of what it accepted that it is of one form.

A reader may refuse with a coded error and do nothing else. ``check`` fails the target where accepting was wrong.
Seeds are the project's own vectors: coverage grows from what is nearly right.
"""

from __future__ import annotations

import base64
import gzip
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from bundle_story import Story
from bundle_world import bundle
from fuzz import events
from fuzz.mutations import Choices, mutated
from fuzz.target import Target, check
from sealtrail.chainproof.headers import encode_header, parse_header
from sealtrail.cli.capture_archives import ARCHIVE_SUFFIXES, read_members
from sealtrail.config.load import parse_config
from sealtrail.epcis.query import parse_filter
from sealtrail.evidence import parse_package
from sealtrail.evidence.audit_export import parse_export
from sealtrail.evidence.bundle.form import parse_section
from sealtrail.evidence.bundle.trust import TrustFile, encode_trust, parse_trust
from sealtrail.evidence.bundle.verify import verify_bundle
from sealtrail.gs1 import canonical, item_of_scan, parse_item, read_scan
from sealtrail.gs1.elements import encode_bracketed, parse_bracketed
from sealtrail.gs1.link_elements import encode_link, parse_link
from sealtrail.log.checkpoint import parse_note
from sealtrail.membership.encoding import encode_record, parse_record

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"
_SEEDS_MAX = 250
_TREE_SEED = bytes(8)
_ITEMS = (
    "urn:epc:id:sgtin:9521001.012345.A1%2F2",
    "urn:epc:class:lgtin:9521001.012345.L-7",
    "urn:epc:idpat:sgtin:9521001.012345.*",
    "https://id.gs1.org/01/09521001123454/10/L7/21/S1?17=271231",
    "https://shop.example/some/stem/gtin/9521001123454/lot/L%2d7/",
    "https://id.gs1.org/00/095210010000000012",
    "(01)09521001123454(17)271200(10)L7(21)S1",
    "urn:epc:id:gid:1.2.3",
)
_SCANS = (
    "]d20109521001123454212018\x1d1727123110L7",
    "010952100112345421A1B21727123110L7",
    "]E09521001123454|]e010L7",
    "[)>\x1e06\x1d9N110375286414\x1d1TL7\x1dD271231\x1dSA1\x1e\x04",
    "]Q1https://id.gs1.org/01/09521001123454/21/S1?17=271231",
    "(8003)00614141123452A(99)x",
    "9521001123454",
)


def _bundle(data: bytes) -> None:
    """Verify a bundle, one of whose lines was changed: the report may say anything, but it comes."""
    choices = Choices(data)
    lines, trust = _story()
    number = choices.below(len(lines))
    changed = json.dumps(mutated(json.loads(lines[number]), choices), separators=(",", ":"))
    whole = [*lines[:number], changed.encode() + b"\n", *lines[number + 1 :]]
    report = verify_bundle(whole, trust)
    check(bool(report.steps), "a report without steps")


@cache
def _story() -> tuple[list[bytes], TrustFile]:
    story = Story("fuzz")
    data = bundle(story.world, story.recipe())
    return data.splitlines(keepends=True), story.world.trust()


def _query(data: bytes) -> None:
    parse_filter(dict(parse_qsl(data.decode("utf-8", "replace"))))


def _item(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    name = canonical(text)
    check(canonical(name) == name, "a canonical identifier has another one")
    parse_item(text)


def _scan(data: bytes) -> None:
    scan = read_scan(data.decode("utf-8", "replace"))
    if scan.elements:
        check(parse_bracketed(encode_bracketed(scan.elements)) == scan.elements, "brackets differ")
        link = encode_link(scan.elements)
        check(parse_link(link) == dict(scan.elements), "the link says something else")
    item = item_of_scan(scan)
    check(item.scheme == "other" or canonical(item.canonical) == item.canonical, "not canonical")


def _package(data: bytes) -> None:
    parse_package(data)


def _note(data: bytes) -> None:
    parse_note(data.decode("utf-8", "replace"))


def _header(data: bytes) -> None:
    check(encode_header(parse_header(data)) == data, "a header has two forms")


def _archive(data: bytes) -> None:
    """Read an archive of the kind that the first byte says."""
    name = f"a{ARCHIVE_SUFFIXES[data[0] % len(ARCHIVE_SUFFIXES)]}" if data else "a.zip"
    for member in read_members(BytesIO(data[1:]), name):
        check(member.name.startswith(name), "a member that is not named by its archive")


def _archives() -> list[bytes]:
    found = []
    for number, suffix in enumerate(ARCHIVE_SUFFIXES):
        packed = BytesIO()
        if suffix == ".zip":
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("in/a.json", b"{}")
        elif suffix == ".gz":
            packed.write(gzip.compress(b"{}"))
        else:
            with tarfile.open(fileobj=packed, mode="w" if suffix == ".tar" else "w:gz") as tar:
                tar.addfile(tarfile.TarInfo("in/a.json"))
        found.append(bytes([number]) + packed.getvalue())
    return found


def _vectors(name: str, *path: str | int) -> Callable[[], list[bytes]]:
    """Return what reads texts and Base64 of a vector file's cases as seeds."""

    def seeds() -> list[bytes]:
        tree: Any = json.loads((VECTORS / name).read_text())
        return [text.encode() for text in _texts(tree)][:_SEEDS_MAX]

    return seeds


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict | list):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(each)


def _packages() -> list[bytes]:
    cases = json.loads((VECTORS / "evidence" / "package.json").read_text())
    return [base64.b64decode(case["package"]) for case in cases["good"]]


def _section_seeds() -> list[bytes]:
    lines, _ = _story()
    return [b"".join(lines[1:-2]), *lines]


def _records() -> list[bytes]:
    return [encode_record(member.records[-1]) for member in Story("fuzz").world.members]


def _nothing() -> list[bytes]:
    return [b""]


TARGETS: dict[str, Target] = {
    "document": Target("EPCIS documents in JSON", events.read_document, events.json_documents),
    "tree": Target("EPCIS documents, changed as JSON", events.read_tree, lambda: [_TREE_SEED]),
    "xml": Target("EPCIS documents in XML", events.read_xml, events.xml_documents),
    "xml-tree": Target(
        "EPCIS documents, changed as XML", events.read_xml_tree, lambda: [_TREE_SEED]
    ),
    "twins": Target(
        "JSON events, written as XML and read back", events.compare_twins, lambda: [_TREE_SEED]
    ),
    "query-object": Target(
        "bodies of named queries", events.read_query_object, lambda: [_TREE_SEED]
    ),
    "bundle": Target("evidence bundles with a changed line", _bundle, lambda: [_TREE_SEED]),
    "query": Target(
        "parameters of an event query",
        _query,
        lambda: [
            b"eventType=ObjectEvent&EQ_bizStep=shipping|receiving&GE_eventTime=2026-01-01T00:00:00Z"
        ],
    ),
    "item": Target("identifiers in any spelling", _item, lambda: [i.encode() for i in _ITEMS]),
    "scan": Target("what scanners send", _scan, lambda: [s.encode() for s in (*_SCANS, *_ITEMS)]),
    "archive": Target("archives of documents", _archive, _archives),
    "package": Target("packages from other nodes", _package, _packages),
    "section": Target(
        "lines of a bundle's section",
        lambda data: _use(parse_section(data.splitlines(True))),
        _section_seeds,
    ),
    "trust": Target(
        "trust files", lambda data: _use(parse_trust(data)), lambda: [encode_trust(_story()[1])]
    ),
    "export": Target("exports of an audit trail", lambda data: _use(parse_export(data)), _nothing),
    "note": Target("signed checkpoints", _note, _vectors("checkpoint/checkpoint.json")),
    "header": Target("block headers", _header, _nothing),
    "record": Target("members' records", lambda data: _use(parse_record(data, block=1)), _records),
    "config": Target(
        "configuration files", lambda data: _use(parse_config(data, Path("node.toml"))), _nothing
    ),
}


def _use(_: object) -> None:
    """Take what was read, and do nothing with it."""
