"""Records survive their encoding, and no bytes but a record's own are read as one."""

from __future__ import annotations

import contextlib

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sealtrail.errors import InputError
from sealtrail.ledger.registry_calls import (
    complete_recovery,
    deployment,
    recover_key,
)
from sealtrail.membership.encoding import encode_record, parse_record
from sealtrail.membership.records import (
    Key,
    MemberRecord,
    NumberingRight,
    Purpose,
    Role,
    Status,
)
from sealtrail.membership.requests import request_record

# a replacement character may also stand for bytes that aren't UTF-8: two encodings, by design
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=60)
BLOCK = st.integers(0, 2**40 - 1)
SECONDS = st.integers(0, 2**64 - 1)
KEYS = st.builds(
    Key,
    purpose=st.sampled_from(Purpose),
    public=st.binary(min_size=32, max_size=32),
    valid_from=BLOCK,
    valid_until=BLOCK,
    compromised_since=BLOCK,
    compromise_reported=BLOCK,
    recovered=st.booleans(),
)
RIGHTS = st.builds(NumberingRight, digits=TEXT, valid_from=SECONDS, valid_until=SECONDS)
RECORDS = st.builds(
    MemberRecord,
    member=st.binary(min_size=20, max_size=20),
    name=TEXT,
    status=st.sampled_from(Status),
    roles=st.integers(0, 63).map(Role),
    node_url=TEXT,
    glns=st.lists(TEXT, max_size=4).map(tuple),
    rights=st.lists(RIGHTS, max_size=4).map(tuple),
    keys=st.lists(KEYS, max_size=4).map(tuple),
    version=st.integers(0, 2**64 - 1),
    block=BLOCK,
)


@given(RECORDS)
def test_a_record_survives_its_encoding(record: MemberRecord) -> None:
    assert parse_record(encode_record(record), block=record.block) == record


@settings(max_examples=40)  # web3 tries each value several times
@given(RECORDS)
def test_a_call_carries_the_record_that_the_registry_hashes(record: MemberRecord) -> None:
    # the only argument of the call: its encoding, by web3 from the ABI, is ours
    assert complete_recovery(record)[4:] == encode_record(record)


ANY_CALLS = st.one_of(
    st.builds(
        lambda name, member: complete_recovery(request_record(member, name=name, roles=Role(0))),
        st.text(max_size=20),
        st.binary(max_size=40) | st.just(bytes(20)),
    ),
    st.builds(
        lambda public, block: complete_recovery(
            msgspec.structs.replace(
                request_record(bytes(20), name="", roles=Role(0)),
                keys=(Key(purpose=Purpose.LOG, public=public, valid_from=block),),
            )
        ),
        st.binary(max_size=40),
        st.integers(),
    ),
    st.builds(recover_key, st.binary(), st.binary(), last_block=st.integers()),
    st.builds(
        deployment,
        st.lists(st.binary(max_size=40) | st.just(bytes(20)), max_size=3),
        st.binary(max_size=40) | st.just(bytes(32)),
        recovery_delay_blocks=st.integers(),
    ),
)


@settings(max_examples=100)
@given(st.data())
def test_any_values_are_encoded_or_refused(data: st.DataObject) -> None:
    with contextlib.suppress(InputError):
        data.draw(ANY_CALLS)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        record = parse_record(data, block=1)
    except InputError:
        return
    assert encode_record(record) == data


@settings(max_examples=300)
@given(RECORDS, st.data())
def test_one_changed_byte_is_another_record_or_none(
    record: MemberRecord, data: st.DataObject
) -> None:
    encoded = bytearray(encode_record(record))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        changed = parse_record(bytes(encoded), block=record.block)
    except InputError:
        return
    assert changed != record
