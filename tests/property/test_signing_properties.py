from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.errors import SealtrailError
from sealtrail.signing import (
    LEAF_BYTES,
    Domain,
    Entry,
    EventSigner,
    Kind,
    SignedEntry,
    encode_leaf,
    entry_id,
    items_root,
    parse_leaf,
    recover,
)

HASHES = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
DOMAIN = Domain(chain_id=7, registry=b"\x01" * 20, genesis_hash=b"\x02" * 32)
SIGNER = EventSigner(b"\x09" * 32)
ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    member=ADDRESSES,
    record_time_ms=st.integers(0, 2**64 - 1),
    disclosure_root=HASHES,
    items_root=HASHES,
    references_root=HASHES,
)


@given(ENTRIES)
def test_a_leaf_reads_back(entry: Entry) -> None:
    signed = SignedEntry(entry, SIGNER.sign(entry_id(entry, DOMAIN)))
    leaf = encode_leaf(signed)
    assert len(leaf) == LEAF_BYTES
    assert parse_leaf(leaf) == signed
    assert recover(entry_id(entry, DOMAIN), signed.signature) == SIGNER.address


@given(ENTRIES, st.integers(0, LEAF_BYTES * 8 - 1))
def test_one_flipped_bit_never_recovers_to_the_signer(entry: Entry, bit: int) -> None:
    leaf = bytearray(encode_leaf(SignedEntry(entry, SIGNER.sign(entry_id(entry, DOMAIN)))))
    leaf[bit // 8] ^= 1 << bit % 8
    try:
        signed = parse_leaf(bytes(leaf))
        signer = recover(entry_id(signed.entry, DOMAIN), signed.signature)
    except SealtrailError:
        return
    assert signer != SIGNER.address


@given(st.binary(max_size=400) | st.binary(min_size=189, max_size=189).map(b"\x01\x02".__add__))
def test_any_bytes_are_a_leaf_or_an_error_with_a_name(data: bytes) -> None:
    with contextlib.suppress(SealtrailError):
        assert encode_leaf(parse_leaf(data)) == data


@given(HASHES, st.binary(max_size=80))
def test_any_bytes_recover_to_an_address_or_an_error_with_a_name(
    digest: bytes, signature: bytes
) -> None:
    with contextlib.suppress(SealtrailError):
        assert len(recover(digest, signature)) == 20


@given(st.lists(HASHES, max_size=20), st.randoms())
def test_the_items_root_does_not_depend_on_order_or_repeats(
    keys: list[bytes], random: object
) -> None:
    shuffled = keys + keys[:3]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert items_root(shuffled) == items_root(keys)


def test_no_bytes_at_all_are_refused() -> None:
    with pytest.raises(SealtrailError):
        parse_leaf(b"")
