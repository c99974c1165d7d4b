"""The complete list of an item: from the index entry, verified as any other, and the item's proof."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from evidence_world import DOMAIN, JSON, Party, View, digest_of, event_content
from sealtrail.epcis import read_content
from sealtrail.errors import VerificationError
from sealtrail.evidence import EntryRecord, Grade, Verifier, verify_complete_list
from sealtrail.log.item_index import (
    IndexHead,
    add_postings,
    encode_index_document,
    index_root,
    runs_of,
)
from sealtrail.log.item_proof import ItemProof
from sealtrail.log.item_run import RunInMemory, prove_in_run
from sealtrail.signing import Kind, item_keys


class Indexed:
    """A member with some events, an index entry over them, and a checkpoint that the chain has."""

    def __init__(self, forgotten: Iterable[int] = ()) -> None:
        self.maker = Party("maker")
        self.maker.begin()
        for serial in (1, 2, 3, 2):
            self.maker.append(event_content(serial))
        forgotten = set(forgotten)
        lists: dict[bytes, bytes] = {}
        for leaf, record in enumerate(self.maker.records[1:], start=1):
            assert record.content is not None
            keys = item_keys(self.maker.item_salt, read_content(record.content, JSON).items)
            if leaf not in forgotten:
                add_postings(lists, leaf, keys)
        postings = sum(len(joined) // 8 for joined in lists.values())
        self.run = RunInMemory(runs_of(postings)[0], lists)
        root = index_root([self.run.head])
        self.head = IndexHead(covers=5, postings=postings, root_hash=root)
        self.maker.append(encode_index_document(self.head), Kind.INDEX)
        self.view = View(self.maker)
        self.view.put_anchor(self.maker, 6, block=50)
        self.verifier = Verifier(domain=DOMAIN, network=self.view)

    def key(self, serial: int) -> bytes:
        items = read_content(event_content(serial), JSON).items
        return item_keys(self.maker.item_salt, items[:1])[0]

    def proof(self, serial: int) -> ItemProof:
        return ItemProof((prove_in_run(self.run, self.key(serial)),))

    @property
    def entry(self) -> EntryRecord:
        return self.maker.proven(5, 6)


def refused(code: str, made: Indexed, record: EntryRecord, proof: ItemProof) -> None:
    with pytest.raises(VerificationError) as error:
        verify_complete_list(made.verifier, record, made.key(2), proof)
    assert error.value.code == code


def test_an_items_list_is_proven_complete() -> None:
    made = Indexed()
    found = verify_complete_list(made.verifier, made.entry, made.key(2), made.proof(2))
    assert found.leaf_indices == (2, 4)
    assert found.index == made.head
    assert found.entry.require() is Grade.CHAIN_PROVEN


def test_an_item_is_proven_to_be_named_nowhere() -> None:
    made = Indexed()
    found = verify_complete_list(made.verifier, made.entry, made.key(9), made.proof(9))
    assert found.leaf_indices == ()


def test_an_index_that_leaves_an_entry_out_is_another() -> None:
    honest, liar = Indexed(), Indexed(forgotten=[4])
    refused("item_index_root_differs", honest, honest.entry, liar.proof(2))
    # what the liar's own index says of it holds: that it lies, recomputing shows
    found = verify_complete_list(liar.verifier, liar.entry, liar.key(2), liar.proof(2))
    assert found.leaf_indices == (2,)
    assert liar.head.root_hash != honest.head.root_hash


def test_an_entry_that_is_no_index_proves_nothing() -> None:
    made = Indexed()
    refused("not_an_index_entry", made, made.maker.proven(1, 6), made.proof(2))


def test_an_index_entry_without_its_content_or_seed_proves_nothing() -> None:
    made = Indexed()
    for withheld in ("content", "seed"):
        record = msgspec.structs.replace(made.entry, **{withheld: None})
        refused("not_an_index_entry", made, record, made.proof(2))


def test_another_content_than_the_signed_one_proves_nothing() -> None:
    made = Indexed()
    other = msgspec.structs.replace(made.head, root_hash=digest_of("other"))
    record = msgspec.structs.replace(made.entry, content=encode_index_document(other))
    refused("disclosure_root_differs", made, record, made.proof(2))
