"""Writes entry.json. Digests come from eth_account, roots from a recursive tree: not from the code under test.

Run: python tests/vectors/entry/generate.py
"""

from __future__ import annotations

import json
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

import rfc8785
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

KINDS = range(1, 10)
FIELDS = (
    "uint8 version,uint8 kind,address member,uint64 recordTime,"
    "bytes32 disclosureRoot,bytes32 itemsRoot,bytes32 referencesRoot"
)
DOMAIN_FIELDS = "string name,string version,uint256 chainId,address verifyingContract,bytes32 salt"


def h(text: str) -> bytes:
    return sha256(text.encode()).digest()


def root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def salt_of(seed: bytes, number: int) -> bytes:
    return shake_256(seed).digest(32 * (number + 1))[-32:]


def types(fields: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields.split(",")]


def good(number: int, kind: int, chain_id: int, record_time_ms: int) -> dict[str, Any]:
    private_key = h(f"event key {number}")
    account = Account.from_key(private_key)
    member = h(f"member {number}")[:20] if number % 2 else bytes.fromhex(account.address[2:])
    registry, genesis_hash = h(f"registry {number}")[:20], h(f"genesis {number}")
    roots = [h(f"{name} {number}") for name in ("disclosure", "items", "references")]
    names = ("disclosureRoot", "itemsRoot", "referencesRoot")
    message = encode_typed_data(
        full_message={
            "types": {"EIP712Domain": types(DOMAIN_FIELDS), "Entry": types(FIELDS)},
            "primaryType": "Entry",
            "domain": {
                "name": "Sealtrail",
                "version": "1",
                "chainId": chain_id,
                "verifyingContract": "0x" + registry.hex(),
                "salt": genesis_hash,
            },
            "message": {
                "version": 1,
                "kind": kind,
                "member": "0x" + member.hex(),
                "recordTime": record_time_ms,
                **dict(zip(names, roots, strict=True)),
            },
        }
    )
    signed = account.sign_message(message)
    leaf = (
        bytes((1, kind)) + member + record_time_ms.to_bytes(8, "big") + b"".join(roots)
    ) + bytes(signed.signature)
    return {
        "name": f"kind {kind} on chain {chain_id}",
        "chain_id": chain_id,
        "registry": registry.hex(),
        "genesis_hash": genesis_hash.hex(),
        "private_key": private_key.hex(),
        "address": account.address[2:].lower(),
        "kind": kind,
        "member": member.hex(),
        "record_time_ms": record_time_ms,
        "disclosure_root": roots[0].hex(),
        "items_root": roots[1].hex(),
        "references_root": roots[2].hex(),
        "entry_id": keccak(b"\x19" + message.version + message.header + message.body).hex(),
        "leaf": leaf.hex(),
        "leaf_hash": sha256(b"\x00" + leaf).hexdigest(),
    }


def bad_leaves(leaf: bytes) -> list[dict[str, str]]:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    body, r, s, v = leaf[:126], leaf[126:158], leaf[158:190], leaf[190]
    high = (order - int.from_bytes(s, "big")).to_bytes(32, "big")
    cases = {
        "empty": (b"", "leaf_length"),
        "one byte short": (leaf[:-1], "leaf_length"),
        "one byte long": (leaf + b"\x00", "leaf_length"),
        "version 0": (b"\x00" + leaf[1:], "leaf_version"),
        "version 2": (b"\x02" + leaf[1:], "leaf_version"),
        "kind 0": (leaf[:1] + b"\x00" + leaf[2:], "leaf_kind"),
        "kind 10": (leaf[:1] + b"\x0a" + leaf[2:], "leaf_kind"),
        "kind 255": (leaf[:1] + b"\xff" + leaf[2:], "leaf_kind"),
        "v 0": (body + r + s + b"\x00", "leaf_signature_form"),
        "v 1": (body + r + s + b"\x01", "leaf_signature_form"),
        "v 29": (body + r + s + b"\x1d", "leaf_signature_form"),
        "v as EIP-155": (body + r + s + b"\x25", "leaf_signature_form"),
        "high s, v turned": (body + r + high + bytes((55 - v,)), "leaf_signature_form"),
        "high s": (body + r + high + bytes((v,)), "leaf_signature_form"),
        "s 0": (body + r + bytes(32) + bytes((v,)), "leaf_signature_form"),
        "r 0": (body + bytes(32) + s + bytes((v,)), "leaf_signature_form"),
        "r the order": (body + order.to_bytes(32, "big") + s + leaf[190:], "leaf_signature_form"),
        "signature of zeros": (body + bytes(65), "leaf_signature_form"),
        "zeros": (bytes(191), "leaf_version"),
    }
    return [
        {"name": name, "leaf": data.hex(), "code": code} for name, (data, code) in cases.items()
    ]


def roots() -> dict[str, Any]:
    seed, salt = h("seed"), h("item salt")
    content_hash, event_hash = h("content"), h("event hash")
    salted = [salt_of(seed, 0) + content_hash + event_hash, salt_of(seed, 1)]
    items = [
        ["https://id.gs1.org/01/09521234543213/21/1001", "epc"],
        ["https://id.gs1.org/01/09521234543213/10/LOT-1", "class"],
        ["urn:example:tote:7", "parent"],
        ["https://id.gs1.org/01/09521234543213/21/1001", "output"],
        ["https://id.gs1.org/01/09521234543213/10/LOT-1", "lot"],
    ]
    keys = [
        sha256(salt + item.encode() + (b"#packs" if place == "lot" else b"")).digest()
        for item, place in items
    ]
    references = [[1, h("corrected").hex()], [2, h("sent").hex()], [1, h("another").hex()]]
    return {
        "disclosure": {
            "seed": seed.hex(),
            "content_hash": content_hash.hex(),
            "event_hash": event_hash.hex(),
            "root": root(salted).hex(),
        },
        "items": {
            "item_salt": salt.hex(),
            "items": items,
            "item_keys": [key.hex() for key in sorted(set(keys))],
            "root": root(sorted(set(keys))).hex(),
        },
        "references": {
            "references": references,
            "root": root([bytes((n,)) + bytes.fromhex(i) for n, i in references]).hex(),
        },
        "empty_root": sha256().hexdigest(),
    }


CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]
PARTS = {
    "core": [
        "@context", "type", "eventTime", "eventTimeZoneOffset", "eventID", "action", "bizStep", "disposition",
        "persistentDisposition", "readPoint", "bizLocation", "parentID", "transformationID", "certificationInfo",
        "errorDeclaration",
    ],
    "parties": ["sourceList", "destinationList"],
    "documents": ["bizTransactionList"],
    "master_data": ["ilmd"],
}  # fmt: skip
LISTS = [
    "epcList", "childEPCs", "quantityList", "childQuantityList", "inputEPCList", "inputQuantityList",
    "outputEPCList", "outputQuantityList",
]  # fmt: skip
WHEN = {
    "@context": CONTEXT,
    "eventTime": "2026-03-01T10:00:00.000Z",
    "eventTimeZoneOffset": "+01:00",
}
PACK = "https://id.gs1.org/01/09521234543213/21/"
EVENTS: dict[str, dict[str, Any]] = {
    "one pack, master data": WHEN
    | {
        "type": "ObjectEvent",
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        "epcList": [PACK + "1001"],
        "readPoint": {"id": "https://id.gs1.org/414/9521234543206"},
        "ilmd": {"cbvmda:lotNumber": "LOT-1", "cbvmda:itemExpirationDate": "2029-12-31"},
    },
    "every part, lists out of order": WHEN
    | {
        "type": "TransactionEvent",
        "action": "OBSERVE",
        "parentID": "https://id.gs1.org/00/095212345432100013",
        "quantityList": [{"epcClass": PACK[:-3] + "10/LOT-1", "quantity": 2.5, "uom": "KGM"}],
        "epcList": [PACK + "1003", PACK + "1001", PACK + "1002"],
        "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:9521234.00001"}],
        "destinationList": [{"type": "location", "destination": "urn:epc:id:sgln:9521234.00002.0"}],
        "bizTransactionList": [
            {"type": "desadv", "bizTransaction": "urn:epc:id:gdti:9521234.00003.7"}
        ],
        "sensorElementList": [
            {"sensorReport": [{"type": "Temperature", "value": 1e-7, "uom": "CEL"}]}
        ],
        "@context": [*CONTEXT, {"ex": "https://example.com/"}],
        "ex:note": "caf\u00e9 \U0001d11e",
    },
    "lists without elements": WHEN
    | {
        "type": "AggregationEvent",
        "action": "DELETE",
        "parentID": "urn:example:tote:7",
        "childEPCs": [],
        "sourceList": [],
    },
    "no items at all": WHEN
    | {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "readPoint": {"id": "https://id.gs1.org/414/9521234543206"},
        "sensorElementList": [
            {"sensorReport": [{"type": "Temperature", "value": 5, "uom": "CEL"}]}
        ],
    },
}


def part_of(name: str, value: Any) -> str:
    if name in LISTS:
        return "items" if value else "core"
    return next((part for part, names in PARTS.items() if name in names), "rest")


def parts(name: str, event: dict[str, Any]) -> dict[str, Any]:
    seed, event_hash = h(f"seed of {name}"), h(f"event hash of {name}")
    content = rfc8785.dumps(event)
    members: dict[str, dict[str, Any]] = {
        part: {n: v for n, v in event.items() if part_of(n, v) == part} for part in (*PARTS, "rest")
    }
    octets = [rfc8785.dumps(each) if each else b"" for each in members.values()]
    elements = [rfc8785.dumps({n: each}) for n in LISTS for each in event.get(n, [])]
    items_root = root([salt_of(seed, 8 + n) + each for n, each in enumerate(elements)])
    octets.append(len(elements).to_bytes(4, "big") + items_root)
    hashes = [
        sha256(b"\x00" + salt_of(seed, 2 + n) + each).digest() for n, each in enumerate(octets)
    ]
    values = [sha256(content).digest() + event_hash, b"".join(hashes)]
    return {
        "name": name,
        "content": content.decode(),
        "seed": seed.hex(),
        "event_hash": event_hash.hex(),
        "parts": [each.decode() for each in octets[:-1]],
        "elements": [each.decode() for each in elements],
        "items_part": octets[-1].hex(),
        "part_hashes": [each.hex() for each in hashes],
        "root": root([salt_of(seed, n) + value for n, value in enumerate(values)]).hex(),
    }


def main() -> None:
    entries = [good(kind, kind, 1337, 1_700_000_000_000 + kind) for kind in KINDS]
    entries += [good(10, 2, 2**63 - 1, 2**64 - 1), good(11, 2, 1, 0)]
    vectors = {
        "source": "tests/vectors/entry/generate.py: digests and signatures by eth_account",
        "entries": entries,
        "bad_leaves": bad_leaves(bytes.fromhex(entries[1]["leaf"])),
        "roots": roots(),
        "parts": [parts(name, event) for name, event in EVENTS.items()],
    }
    Path(__file__).with_name("entry.json").write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
