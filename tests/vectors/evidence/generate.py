"""Writes package.json: one good package put together and signed by hand here, and many bad ones made of it.

Bad packages carry a good signature over what they say wherever that is possible, so that each is refused for its
own fault. Run: python tests/vectors/evidence/generate.py (from the project's root)
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).parents[2]))
from evidence_world import ANCHORS, DOMAIN, Party, digest_of, event_content
from sealtrail.signing import entry_id, parse_leaf

Json = dict[str, Any]
KEY = Ed25519PrivateKey.from_private_bytes(digest_of("maker", "peer"))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def sign(document: Json, prefix: bytes = b"sealtrail/package/1\n") -> bytes:
    body = {name: value for name, value in document.items() if name != "signature"}
    public = KEY.public_key().public_bytes_raw()
    value = b64(KEY.sign(prefix + rfc8785.dumps(body)))
    return rfc8785.dumps(body | {"signature": {"public_key": hexed(public), "value": value}})


def good() -> Json:
    maker, other = Party("maker"), Party("other")
    maker.begin()
    for serial in (1, 2, 3):
        maker.append(event_content(serial))
    other.append(event_content(4))
    entries = []
    for index in (3,):
        proof = maker.proven(index, 4).proof
        assert proof is not None
        record = maker.records[index]
        entries.append(
            {
                "leaf": b64(record.leaf),
                "media_type": record.media_type,
                "content": b64(record.content or b""),
                "seed": hexed(record.seed or b""),
                "proof": {
                    "checkpoint": 0,
                    "leaf_index": index,
                    "hashes": b64(b"".join(proof.hashes)),
                },
            }
        )
    withheld = {"leaf": b64(other.records[0].leaf), "media_type": "application/ld+json"}
    withheld["item_keys"] = b64(bytes(32) + b"\x01" * 32)
    return {
        "format": "sealtrail/package/1",
        "network": {
            "chain_id": DOMAIN.chain_id,
            "genesis_hash": hexed(DOMAIN.genesis_hash),
            "registry": hexed(DOMAIN.registry),
            "anchors": hexed(ANCHORS),
        },
        "issuer": hexed(maker.member),
        "recipient": hexed(other.member),
        "purpose": "consignment",
        "created_ms": 1_772_359_300_000,
        "subjects": [hexed(entry_id(parse_leaf(maker.records[3].leaf).entry, DOMAIN))],
        "entries": [*entries, withheld],
        "logs": [{"member": hexed(maker.member), "item_salt": hexed(maker.item_salt)}],
        "checkpoints": [
            {
                "note": maker.note(4),
                "anchor": {
                    "sequence": 1,
                    "block_number": 50,
                    "transaction_hash": hexed(digest_of("transaction")),
                },
            }
        ],
    }


def put(*path: Any) -> Callable[[Json], None]:
    """Set what stands at ``path[:-1]`` to ``path[-1]``."""

    def change(document: Json) -> None:
        *parents, name, value = path
        target: Any = document
        for parent in parents:
            target = target[parent]
        target[name] = value

    return change


def drop(*path: Any) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        *parents, name = path
        target: Any = document
        for parent in parents:
            target = target[parent]
        del target[name]

    return change


def twice(name: str, at: int) -> Callable[[Json], None]:
    return lambda document: document[name].append(document[name][at])


def resigned(document: Json) -> dict[str, tuple[Callable[[Json], None], str]]:
    """Faults that are signed like anything else; each with the pointer it is refused at."""
    entry = document["entries"][0]
    leaf = base64.b64decode(entry["leaf"])
    hashes = base64.b64decode(entry["proof"]["hashes"])
    note = document["checkpoints"][0]["note"]
    other = Party("other")
    other.append(event_content(4))
    return {
        "another format": (put("format", "sealtrail/package/2"), "/format"),
        "unknown member": (put("extra", 1), ""),
        "unknown member of an entry": (put("entries", 0, "extra", 1), "/entries/0"),
        "null spelt out": (put("entries", 1, "seed", None), ""),
        "empty references spelt out": (put("entries", 0, "references", ""), ""),
        "empty logs spelt out": (put("logs", []), ""),
        "network missing": (drop("network"), ""),
        "chain id negative": (put("network", "chain_id", -1), "/network/chain_id"),
        "chain id 0": (put("network", "chain_id", 0), "/network"),
        "chain id as text": (put("network", "chain_id", "1337"), "/network/chain_id"),
        "another chain id": (put("network", "chain_id", 1), "/subjects/0"),
        "registry in upper case": (
            put("network", "registry", hexed(DOMAIN.registry).upper()),
            "/network/registry",
        ),
        "registry short": (
            put("network", "registry", hexed(DOMAIN.registry)[:-2]),
            "/network/registry",
        ),
        "issuer without 0x": (put("issuer", document["issuer"][2:]), "/issuer"),
        "issuer with newline": (put("issuer", document["issuer"] + "\n"), "/issuer"),
        "recipient empty": (put("recipient", ""), "/recipient"),
        "purpose with a space": (put("purpose", "a b"), "/purpose"),
        "purpose too long": (put("purpose", "a" * 65), "/purpose"),
        "time negative": (put("created_ms", -1), "/created_ms"),
        "no subjects": (put("subjects", []), "/subjects"),
        "subject twice": (twice("subjects", 0), "/subjects"),
        "subject not in the package": (
            put("subjects", 0, hexed(digest_of("x"))),
            "/subjects/0",
        ),
        "no entries": (put("entries", []), "/subjects/0"),
        "entry twice": (twice("entries", 0), "/entries"),
        "leaf short": (put("entries", 0, "leaf", b64(leaf[:-1])), "/entries/0/leaf"),
        "leaf of kind 77": (
            put("entries", 0, "leaf", b64(leaf[:1] + b"\x4d" + leaf[2:])),
            "/entries/0/leaf",
        ),
        "leaf not base64": (put("entries", 0, "leaf", "***"), "/entries/0/leaf"),
        "media type empty": (put("entries", 0, "media_type", ""), "/entries/0/media_type"),
        "media type with newline": (
            put("entries", 0, "media_type", "a/b\n"),
            "/entries/0/media_type",
        ),
        "seed short": (put("entries", 0, "seed", "0x00"), "/entries/0/seed"),
        "references of 32 bytes": (
            put("entries", 0, "references", b64(bytes(32))),
            "/entries/0/references",
        ),
        "reference of relation 9": (
            put("entries", 0, "references", b64(b"\x09" + bytes(32))),
            "/entries/0/references",
        ),
        "item keys of 31 bytes": (
            put("entries", 1, "item_keys", b64(bytes(31))),
            "/entries/1/item_keys",
        ),
        "item keys descending": (
            put("entries", 1, "item_keys", b64(b"\x01" * 32 + bytes(32))),
            "/entries/1/item_keys",
        ),
        "item key twice": (
            put("entries", 1, "item_keys", b64(bytes(64))),
            "/entries/1/item_keys",
        ),
        "item keys that can be recomputed": (
            put("entries", 0, "item_keys", b64(bytes(32))),
            "/entries",
        ),
        "checkpoint number too high": (
            put("entries", 0, "proof", "checkpoint", 1),
            "/entries/0/proof/checkpoint",
        ),
        "checkpoint number negative": (
            put("entries", 0, "proof", "checkpoint", -1),
            "/entries/0/proof/checkpoint",
        ),
        "leaf index at the size": (
            put("entries", 0, "proof", "leaf_index", 4),
            "/entries/0/proof/leaf_index",
        ),
        "hashes of 33 bytes": (
            put("entries", 0, "proof", "hashes", b64(bytes(33))),
            "/entries/0/proof/hashes",
        ),
        "65 hashes": (
            put("entries", 0, "proof", "hashes", b64(hashes[:32] * 65)),
            "/entries/0/proof/hashes",
        ),
        "proof of another member's log": (
            put("checkpoints", 0, "note", other.note(1)),
            "/entries/0/proof/leaf_index",
        ),
        "proof of another member's log, index 0": (
            put("entries", 1, "proof", {"checkpoint": 0, "leaf_index": 0}),
            "/entries/1/proof/checkpoint",
        ),
        "note that is none": (put("checkpoints", 0, "note", "no"), "/checkpoints/0/note"),
        "note too long": (
            put("checkpoints", 0, "note", note + "x" * 8192),
            "/checkpoints/0/note",
        ),
        "checkpoint unused": (
            lambda d: d["checkpoints"].append({"note": other.note(1)}),
            "/checkpoints",
        ),
        "checkpoint twice": (twice("checkpoints", 0), "/checkpoints"),
        "anchor without block": (
            drop("checkpoints", 0, "anchor", "block_number"),
            "/checkpoints/0/anchor",
        ),
        "salt twice": (twice("logs", 0), "/logs"),
        "salt of a log without entries": (
            lambda d: d["logs"].append(
                {"member": "0x" + "ff" * 20, "item_salt": hexed(digest_of("salt"))}
            ),
            "/logs",
        ),
        "salt short": (put("logs", 0, "item_salt", "0x00"), "/logs/0/item_salt"),
    }


def raw(document: Json) -> dict[str, tuple[bytes, str]]:
    """Faults of the bytes themselves; each with the code it is refused with."""
    data = sign(document)
    text = data.decode()
    unsigned = rfc8785.dumps(document)
    value = json.loads(text)["signature"]["value"]
    return {
        "empty": (b"", "package_malformed"),
        "a number": (b"1", "package_malformed"),
        "null": (b"null", "package_malformed"),
        "an array": (b"[]", "package_malformed"),
        "deep": (b"[" * 100_000, "package_malformed"),
        "deep inside": (b'{"entries":' + b"[" * 100_000, "package_malformed"),
        "cut": (data[:-1], "package_malformed"),
        "a byte more": (data + b" ", "package_malformed"),
        "newline after": (data + b"\n", "package_malformed"),
        "byte order mark": (b"\xef\xbb\xbf" + data, "package_malformed"),
        "utf-16": (text.encode("utf-16"), "package_malformed"),
        "not utf-8": (data.replace(b"consignment", b"consignm\xffnt"), "package_malformed"),
        "indented": (json.dumps(json.loads(text), indent=1).encode(), "package_malformed"),
        "other order": (
            json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":")).encode(),
            "package_malformed",
        ),
        "escaped letter": (data.replace(b"consignment", b"\\u0063onsignment"), "package_malformed"),
        "escaped dash": (data.replace("\u2014".encode(), b"\\u2014"), "package_malformed"),
        "duplicate member": (b'{"purpose":"x",' + data[1:], "package_malformed"),
        "number with fraction": (data.replace(b":50,", b":50.0,"), "package_malformed"),
        "unsigned": (unsigned, "package_malformed"),
        "signature of zeros": (
            data.replace(value.encode(), b64(bytes(64)).encode()),
            "signature_wrong",
        ),
        "signature short": (
            data.replace(value.encode(), b64(bytes(63)).encode()),
            "signature_wrong",
        ),
        "signed without the prefix": (sign(document, b""), "signature_wrong"),
        "changed after signing": (
            data.replace(b"consignment", b"consignmenu"),
            "signature_wrong",
        ),
        "another recipient after signing": (
            data.replace(document["recipient"].encode(), document["issuer"].encode()),
            "signature_wrong",
        ),
    }


def main() -> None:
    document = good()
    bad = []
    for name, (change, pointer) in resigned(document).items():
        spoiled = copy.deepcopy(document)
        change(spoiled)
        bad.append(
            {
                "name": name,
                "package": b64(sign(spoiled)),
                "code": "package_malformed",
                "pointer": pointer,
            }
        )
    bad += [
        {"name": name, "package": b64(data), "code": code}
        for name, (data, code) in raw(document).items()
        if len(data) < 20_000
    ]
    vectors = {
        "source": "tests/vectors/evidence/generate.py",
        "good": [{"name": "one proven entry and one withheld", "package": b64(sign(document))}],
        "bad": bad,
    }
    Path(__file__).with_name("package.json").write_text(json.dumps(vectors, indent=0) + "\n")


if __name__ == "__main__":
    main()
