from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_world import ANCHORS, DOMAIN, Party, View, event_content
from sealtrail.errors import SealtrailError
from sealtrail.evidence import (
    EntryRecord,
    Grade,
    Package,
    PackageNetwork,
    Verifier,
    encode_package,
    parse_package,
)
from sealtrail.signing import Reference, Relation, encode_references, entry_id, parse_leaf

replace = msgspec.structs.replace
NETWORK = PackageNetwork(
    chain_id=DOMAIN.chain_id,
    genesis_hash=DOMAIN.genesis_hash,
    registry=DOMAIN.registry,
    anchors=ANCHORS,
)
HASHES = st.binary(min_size=32, max_size=32)
MAKER, OTHER = Party("maker"), Party("other")
for _serial in range(1, 8):
    MAKER.append(event_content(_serial))
    OTHER.append(event_content(_serial + 100))
VIEW = View(MAKER, OTHER)
VIEW.put_anchor(MAKER, 7, block=10)
PROVEN = [MAKER.proven(n, 7) for n in range(7)]
RECORDS = PROVEN + [OTHER.proven(n, size) for n in range(4) for size in (4, 7)]


def id_of(record: EntryRecord) -> bytes:
    return entry_id(parse_leaf(record.leaf).entry, DOMAIN)


def package(entries: list[EntryRecord], created_ms: int = 0) -> Package:
    return Package(
        network=NETWORK,
        issuer=MAKER.member,
        recipient=OTHER.member,
        purpose="consignment",
        created_ms=created_ms,
        subjects=tuple(id_of(each) for each in entries[:2]),
        entries=tuple(entries),
    )


DATA = encode_package(package([PROVEN[0], PROVEN[6]]), MAKER.peer_signer)
ENTRIES = st.lists(
    st.builds(
        lambda record, content, seed, references, proof: replace(
            record,
            content=record.content if content else None,
            seed=record.seed if seed else None,
            references=encode_references(references),
            proof=record.proof if proof else None,
        ),
        st.sampled_from(RECORDS),
        st.booleans(),
        st.booleans(),
        st.lists(st.builds(Reference, st.sampled_from(Relation), HASHES), max_size=3).map(tuple),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda record: record.leaf,
)


@given(ENTRIES, st.integers(0, 2**53 - 1))
def test_a_package_reads_back(entries: list[EntryRecord], created_ms: int) -> None:
    sent = package(entries, created_ms)
    data = encode_package(sent, MAKER.peer_signer)
    assert rfc8785.dumps(json.loads(data)) == data
    received = parse_package(data)
    assert received.package == sent
    assert received.public_key == MAKER.peer_signer.public_key


@settings(max_examples=400)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_package_with_any_byte_changed_is_refused(at: int, mask: int) -> None:
    spoiled = DATA[:at] + bytes((DATA[at] ^ mask,)) + DATA[at + 1 :]
    with pytest.raises(SealtrailError):
        parse_package(spoiled)


@given(st.integers(0, len(DATA) - 1))
def test_a_package_cut_anywhere_is_refused(at: int) -> None:
    with pytest.raises(SealtrailError):
        parse_package(DATA[:at])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=20,
)


@given(st.binary(max_size=300) | JSON.map(msgspec.json.encode))
def test_any_bytes_are_a_package_or_an_error_with_a_name(data: bytes) -> None:
    with pytest.raises(SealtrailError):
        parse_package(data)


@given(st.sampled_from(sorted(msgspec.json.decode(DATA))), JSON)
def test_any_member_put_into_a_package_is_refused_by_name(name: str, value: object) -> None:
    document = msgspec.json.decode(DATA)
    if document[name] == value:
        return
    document[name] = value
    with pytest.raises(SealtrailError):
        parse_package(msgspec.json.encode(document, order="sorted"))


@given(st.sampled_from(range(7)), st.integers(0, 2**16), st.data())
def test_a_proven_entry_with_one_flipped_bit_is_never_chain_proven(
    index: int, bit: int, data: st.DataObject
) -> None:
    record = PROVEN[index]
    assert record.content is not None
    assert record.seed is not None
    assert record.proof is not None
    part = data.draw(st.sampled_from(["leaf", "content", "seed", "note", "hashes"]))
    spoiled = {
        "leaf": lambda: replace(record, leaf=flip(record.leaf, bit)),
        "content": lambda: replace(record, content=flip(record.content or b"", bit)),
        "seed": lambda: replace(record, seed=flip(record.seed or b"", bit)),
        "note": lambda: with_note(record, bit),
        "hashes": lambda: with_hashes(record, bit),
    }[part]()
    verifier = Verifier(domain=DOMAIN, network=VIEW)
    assert verifier.verify(record).grade is Grade.CHAIN_PROVEN
    with contextlib.suppress(SealtrailError):
        assert verifier.verify(spoiled).grade is not Grade.CHAIN_PROVEN


def flip(data: bytes, bit: int) -> bytes:
    at = bit % (len(data) * 8)
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    return bytes(flipped)


def with_note(record: EntryRecord, bit: int) -> EntryRecord:
    assert record.proof is not None
    note = flip(record.proof.note.encode(), bit).decode(errors="replace")
    return replace(record, proof=replace(record.proof, note=note))


def with_hashes(record: EntryRecord, bit: int) -> EntryRecord:
    assert record.proof is not None
    joined = flip(b"".join(record.proof.hashes), bit)
    hashes = tuple(joined[at : at + 32] for at in range(0, len(joined), 32))
    return replace(record, proof=replace(record.proof, hashes=hashes))


@given(
    st.builds(
        EntryRecord,
        leaf=st.sampled_from([r.leaf for r in RECORDS]) | st.binary(max_size=200),
        content=st.none() | st.binary(max_size=60) | JSON.map(msgspec.json.encode),
        media_type=st.sampled_from(["application/ld+json", "text/xml", ""]),
        seed=st.none() | st.binary(max_size=40),
        references=st.binary(max_size=70),
        item_keys=st.lists(st.binary(max_size=33), max_size=3).map(tuple),
        item_salt=st.none() | st.binary(max_size=33),
        proof=st.none() | st.sampled_from([r.proof for r in RECORDS]),
    )
)
def test_any_record_is_answered_or_refused_by_name(record: EntryRecord) -> None:
    with contextlib.suppress(SealtrailError):
        assert len(Verifier(domain=DOMAIN, network=VIEW).verify(record).steps) == 10
