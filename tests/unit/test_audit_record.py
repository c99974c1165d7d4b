"""Records and digests of the audit trail: one byte form, and what is refused."""

from __future__ import annotations

import json

import msgspec
import pytest
import rfc8785

from sealtrail.errors import InputError
from sealtrail.evidence.audit_digest import (
    AuditDigest,
    encode_digest,
    parse_digest,
    records_root,
)
from sealtrail.evidence.audit_record import (
    Action,
    AuditRecord,
    Ending,
    Input,
    Meaning,
    Subject,
    chain_hash,
    check_reason,
    clipped,
    encode_record,
    explain,
    parse_record,
)

RECORD = AuditRecord(
    n=7,
    salt="0123456789abcdef" * 2,
    time_ms=1_700_000_000_123,
    actor="user:" + "ab" * 16,
    action=Action.CAPTURE,
    outcome=Ending.PARTLY,
    code="field_missing",
    reason='Rückruf "A/7" \\ 薬 𝔸',
    meaning=Meaning.AUTHOR,
    route="POST /capture",
    subject=Subject(leaves=((4, 2), (9, 1)), job="cd" * 16),
    input=Input(digest="0x" + "11" * 32, size=1234, pointer="/epcisBody"),
)
BODY = encode_record(RECORD)


def test_a_record_is_read_as_it_was_written() -> None:
    assert parse_record(BODY) == RECORD


def test_a_record_is_in_jcs() -> None:
    assert rfc8785.dumps(json.loads(BODY)) == BODY


def test_number_zero_is_spelt_out() -> None:
    first = msgspec.structs.replace(RECORD, n=0)
    assert b'"n":0' in encode_record(first)
    assert parse_record(encode_record(first)) == first


def changed(**members: object) -> bytes:
    tree = {**json.loads(BODY), **members}
    return rfc8785.dumps({name: value for name, value in tree.items() if value is not ...})


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"[]",
        b"\xff" + BODY,
        BODY + b" ",
        BODY[:-1] + b',"n":7}',
        BODY.replace(b'"n":7', b'"n":7.0'),
        BODY.replace(b'"n":7', b'"n":7,"n":7'),
        changed(n=-1),
        changed(n=...),
        BODY.replace(b'"n":7', b'"n":9007199254740992'),
        changed(salt=...),
        changed(salt="short"),
        changed(salt="AB" * 16),
        changed(time_ms=...),
        changed(actor="alice"),
        changed(actor="user:" + "ab" * 16 + "\n"),
        changed(action="walk"),
        changed(outcome="well"),
        changed(more=1),
        changed(times=0),
        changed(times=1),
        changed(code=None),
        changed(reason="x" * 501),
        changed(subject={"entries": ["0x12"]}),
        changed(subject={"entries": ["0x" + "ab" * 32] * 1001}),
        changed(subject={"leaves": [[-1, 1]]}),
        changed(input={"digest": "0x" + "11" * 32}),
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_record_in_its_one_form_is_refused(octets: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_record(octets)
    assert caught.value.code == "audit_record_malformed"


def test_each_hash_covers_what_came_before() -> None:
    first = chain_hash(bytes(32), BODY)
    assert first != chain_hash(first, BODY)
    assert first != chain_hash(bytes(32), BODY[:-1])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 501, "reason_too_long"),
        ("a\nb", "reason_malformed"),
        ("a\x00", "reason_malformed"),
        ("\udce9", "reason_malformed"),
        ("\x1b[31m", "reason_malformed"),
        ("\u202eabc", "reason_malformed"),
        ("", "reason_empty"),
        ("   ", "reason_empty"),
    ],
)
def test_a_reason_that_is_no_text_is_refused(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        check_reason(text)
    assert caught.value.code == code


def test_a_reason_is_taken_without_the_blanks_around_it() -> None:
    assert check_reason("  Inspektion am 3. März ") == "Inspektion am 3. März"


def test_texts_of_ours_are_clipped_and_never_half_characters() -> None:
    assert clipped("p" * 600) == "p" * 500
    assert clipped("\ud800") == "?"
    assert clipped(None) is None


def test_a_record_is_told_in_words_with_the_meaning_of_the_signature() -> None:
    told = explain(RECORD, member="0xabc", time=lambda _: "T")
    assert told.startswith("T: user:")
    assert "handed in events" in told
    assert "recorded as its author" in told
    assert RECORD.reason is not None
    assert RECORD.reason in told


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_words(action: Action) -> None:
    record = msgspec.structs.replace(RECORD, action=action)
    assert explain(record, member="m", time=str)


DIGEST = AuditDigest(
    count=2, first=5, head="0x" + "22" * 32, root="0x" + records_root([b"a", b"b"]).hex()
)


def test_a_digest_is_read_as_it_was_written_and_in_jcs() -> None:
    octets = encode_digest(DIGEST)
    assert parse_digest(octets) == DIGEST
    assert rfc8785.dumps(json.loads(octets)) == octets
    assert DIGEST.end == 7


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        encode_digest(DIGEST) + b"\n",
        encode_digest(DIGEST).replace(b"digest/1", b"digest/2"),
        encode_digest(DIGEST).replace(b'"first":5', b'"first":-5'),
        encode_digest(DIGEST).replace(b'"first":5', b'"first":"5"'),
        encode_digest(DIGEST).replace(b"0x22", b"0X22"),
        encode_digest(DIGEST).replace(b'"count":2,', b""),
        encode_digest(DIGEST)[:-1] + b',"zzz":1}',
        b" " * 2000,
    ],
)
def test_what_is_no_digest_in_its_one_form_is_refused(octets: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_digest(octets)
    assert caught.value.code == "audit_digest_malformed"
