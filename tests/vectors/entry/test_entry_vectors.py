"""Entries, leaves, signatures and roots against vectors whose digests eth_account made."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sealtrail.epcis import MEDIA_TYPE, Part, divide, read_content
from sealtrail.epcis.records import ItemMention
from sealtrail.errors import InputError
from sealtrail.log.tree import EMPTY_ROOT, leaf_hash
from sealtrail.signing import (
    Domain,
    Entry,
    EventSigner,
    Kind,
    Reference,
    Relation,
    SignedEntry,
    disclosure_root,
    encode_leaf,
    entry_id,
    event_disclosure_root,
    item_keys,
    items_root,
    parse_leaf,
    recover,
    references_root,
)
from sealtrail.signing.disclosure import salt_parts

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "entry.json").read_text())
ROOTS = VECTORS["roots"]


def unhex(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


def read(case: dict[str, Any]) -> tuple[Domain, Entry]:
    domain = Domain(
        chain_id=case["chain_id"],
        registry=unhex(case, "registry"),
        genesis_hash=unhex(case, "genesis_hash"),
    )
    entry = Entry(
        kind=Kind(case["kind"]),
        member=unhex(case, "member"),
        record_time_ms=case["record_time_ms"],
        disclosure_root=unhex(case, "disclosure_root"),
        items_root=unhex(case, "items_root"),
        references_root=unhex(case, "references_root"),
    )
    return domain, entry


@pytest.mark.parametrize("case", VECTORS["entries"], ids=lambda case: case["name"])
def test_an_entry_is_signed_and_encoded_as_eth_account_does(case: dict[str, Any]) -> None:
    domain, entry = read(case)
    signer = EventSigner(unhex(case, "private_key"))
    digest = entry_id(entry, domain)
    assert digest == unhex(case, "entry_id")
    assert signer.address == unhex(case, "address")
    leaf = encode_leaf(SignedEntry(entry, signer.sign(digest)))
    assert leaf == unhex(case, "leaf")
    assert leaf_hash(leaf) == unhex(case, "leaf_hash")


@pytest.mark.parametrize("case", VECTORS["entries"], ids=lambda case: case["name"])
def test_a_leaf_reads_back_to_the_entry_and_its_signer(case: dict[str, Any]) -> None:
    domain, entry = read(case)
    signed = parse_leaf(unhex(case, "leaf"))
    assert signed.entry == entry
    assert recover(entry_id(entry, domain), signed.signature) == unhex(case, "address")


@pytest.mark.parametrize("case", VECTORS["bad_leaves"], ids=lambda case: case["name"])
def test_a_malformed_leaf_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError) as e:
        parse_leaf(unhex(case, "leaf"))
    assert e.value.code == case["code"]


def test_the_disclosure_root_is_the_salted_tree() -> None:
    case = ROOTS["disclosure"]
    hashes = unhex(case, "content_hash"), unhex(case, "event_hash")
    assert disclosure_root(unhex(case, "seed"), *hashes) == unhex(case, "root")


@pytest.mark.parametrize("case", VECTORS["parts"], ids=lambda case: case["name"])
def test_an_event_is_divided_and_salted_as_the_recursive_tree_has_it(case: dict[str, Any]) -> None:
    content, seed = case["content"].encode(), unhex(case, "seed")
    assert read_content(content, MEDIA_TYPE).content == content
    division = divide(content)
    assert [each.decode() for each in division.parts] == case["parts"]
    assert [each.decode() for each in division.elements] == case["elements"]
    salted = salt_parts(seed, division)
    assert salted.parts[Part.ITEMS] == unhex(case, "items_part")
    assert [each.hex() for each in salted.hashes] == case["part_hashes"]
    content_hash, event_hash = sha256(content).digest(), unhex(case, "event_hash")
    found = event_disclosure_root(seed, content, content_hash=content_hash, event_hash=event_hash)
    assert found == unhex(case, "root")
    assert found == disclosure_root(seed, content_hash, event_hash, salted.hashes)


def test_the_items_root_is_over_distinct_keys_in_order() -> None:
    case = ROOTS["items"]
    mentions = [ItemMention(item, place) for item, place in case["items"]]
    keys = item_keys(unhex(case, "item_salt"), mentions)
    assert [key.hex() for key in keys] == case["item_keys"]
    assert items_root(keys) == items_root([*reversed(keys), keys[0]]) == unhex(case, "root")


def test_the_references_root_keeps_their_order() -> None:
    case = ROOTS["references"]
    references = [Reference(Relation(n), bytes.fromhex(i)) for n, i in case["references"]]
    assert references_root(references) == unhex(case, "root")
    assert references_root(references[::-1]) != unhex(case, "root")


def test_roots_of_nothing_are_the_empty_trees() -> None:
    assert items_root([]) == references_root([]) == EMPTY_ROOT == unhex(ROOTS, "empty_root")
