"""Index audits as values, below a note, and who of them counts for a verifier."""

from __future__ import annotations

import pytest

from sealtrail.errors import InputError, UnavailableError
from sealtrail.evidence.bundle.audited import auditing_keys, index_audited_by
from sealtrail.log.checkpoint import (
    NOTE_CHARACTERS_MAX,
    Checkpoint,
    NoteSignature,
    parse_note,
    sign_note,
    verify_note,
)
from sealtrail.log.cosignature import cosign, with_cosignatures
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.index_audit import (
    IndexAudit,
    index_audit_name,
    parse_index_audit_name,
    sign_index_audit,
    verify_index_audit,
    with_index_audits,
)
from sealtrail.membership.records import (
    Anchor,
    Key,
    MemberRecord,
    Purpose,
    Role,
    Status,
)

NETWORK = f"0x{'11' * 32}/0x{'22' * 20}"
LOG, AUDITOR, REGULATOR = b"\x33" * 20, b"\x44" * 20, b"\x55" * 20
LOG_KEY = Ed25519Signer(b"\x01" * 32)
KEY, OTHER_KEY = Ed25519Signer(b"\x02" * 32), Ed25519Signer(b"\x03" * 32)
TIME = 1_679_315_147
BLOCK = 100


def origin_of(member: bytes, network: str = NETWORK) -> str:
    return f"sealtrail/{network}/0x{member.hex()}"


CHECKPOINT = Checkpoint(origin_of(LOG), 7, b"\x05" * 32)
NOTE = sign_note(CHECKPOINT, LOG_KEY)


def audited(member: bytes = AUDITOR, key: Ed25519Signer = KEY, **changes: str) -> IndexAudit:
    name = index_audit_name(origin_of(member, **changes))
    return sign_index_audit(CHECKPOINT, name, key, TIME)


class View:
    """Records at one block."""

    block = BLOCK

    def __init__(self, *records: MemberRecord) -> None:
        self.records = {each.member: each for each in records}

    def anchor(self, member: bytes, checkpoint_hash: bytes) -> Anchor | None:
        raise NotImplementedError

    def record(self, member: bytes, block: int | None) -> MemberRecord | None:
        if member not in self.records:
            raise UnavailableError("member_not_in_bundle", "no record")
        return self.records[member]


def record(
    member: bytes = AUDITOR,
    *,
    roles: Role = Role.AUDITOR,
    status: Status = Status.ACTIVE,
    public: bytes = KEY.public_key,
    purpose: Purpose = Purpose.WITNESS,
    valid: tuple[int, int] = (1, 0),
    compromised: int = 0,
) -> MemberRecord:
    key = Key(
        purpose=purpose,
        public=public,
        valid_from=valid[0],
        valid_until=valid[1],
        compromised_since=compromised,
        compromise_reported=compromised,
    )
    return MemberRecord(
        member=member,
        name="",
        status=status,
        roles=roles,
        node_url="",
        glns=(),
        rights=(),
        keys=(key,),
        version=1,
        block=1,
    )


def test_an_index_audit_is_over_header_time_and_the_checkpoints_text() -> None:
    made = audited()
    message = f"sealtrail/index-audit/1\ntime {TIME}\n{CHECKPOINT.text}".encode()
    assert made.signature == TIME.to_bytes(8, "big") + KEY.sign(message)
    assert verify_index_audit(CHECKPOINT, made.note_signature, made.auditor) == made


def test_a_member_audits_under_a_name_of_its_own() -> None:
    name = index_audit_name(origin_of(AUDITOR))
    assert name == f"sealtrail-index-audit/{NETWORK}/0x{AUDITOR.hex()}"
    parsed = parse_index_audit_name(name)
    assert parsed is not None
    assert str(parsed) == origin_of(AUDITOR)
    with pytest.raises(InputError) as refused:
        index_audit_name("example.com/log")
    assert refused.value.code == "origin_malformed"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "sealtrail-index-audit/",
        origin_of(AUDITOR),
        f"sealtrail-witness/{NETWORK}/0x{AUDITOR.hex()}",
        f"sealtrail-index-audit/{NETWORK}/0x{AUDITOR.hex()}/",
        f"sealtrail-index-audit/{NETWORK}/0x{AUDITOR.hex().upper()[:-1]}A",
        f"sealtrail-index-audit/sealtrail-index-audit/{NETWORK}/0x{AUDITOR.hex()}",
    ],
)
def test_another_name_is_no_auditors(name: str) -> None:
    assert parse_index_audit_name(name) is None


def test_index_audits_stand_below_cosignatures_by_name_and_key() -> None:
    cosignature = cosign(CHECKPOINT, f"sealtrail-witness/{NETWORK}/0x{'99' * 20}", KEY, TIME)
    audits = [audited(REGULATOR), audited(key=OTHER_KEY), audited()]
    note = with_index_audits(with_cosignatures(NOTE, [cosignature]), audits)
    listed = sorted(audits, key=lambda each: (each.auditor.name, each.auditor.public_key))
    assert parse_note(note).signatures[1:] == (
        cosignature.note_signature,
        *(each.note_signature for each in listed),
    )
    assert with_index_audits(NOTE, []) == NOTE
    assert verify_note(note, CHECKPOINT.origin, LOG_KEY.public_key) == CHECKPOINT


def test_what_a_note_has_no_room_for_is_left_out_from_the_end() -> None:
    audits = [audited(bytes([n]) * 20) for n in range(40)]
    note = with_index_audits(NOTE, audits)
    kept = parse_note(note).signatures[1:]
    assert 20 < len(kept) < 32
    assert list(kept) == [each.note_signature for each in audits[: len(kept)]]
    assert len(note) <= NOTE_CHARACTERS_MAX


def test_auditors_and_regulators_count_once_each() -> None:
    second = Key(purpose=Purpose.WITNESS, public=OTHER_KEY.public_key, valid_from=1)
    one = record()
    two_keys = MemberRecord(
        **{f: getattr(one, f) for f in one.__struct_fields__ if f != "keys"},
        keys=(*one.keys, second),
    )
    view = View(two_keys, record(REGULATOR, roles=Role.REGULATOR | Role.DISPENSER))
    lines = [
        each.note_signature for each in (audited(REGULATOR), audited(), audited(key=OTHER_KEY))
    ]
    found = index_audited_by(CHECKPOINT, lines, view)
    assert (found.members, found.wrong) == ((AUDITOR, REGULATOR), ())
    assert auditing_keys(two_keys, BLOCK) == [KEY.public_key, OTHER_KEY.public_key]


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(record(roles=Role.MANUFACTURER)),
        View(record(status=Status.SUSPENDED)),
        View(record(public=OTHER_KEY.public_key)),
        View(record(purpose=Purpose.LOG)),
        View(record(purpose=Purpose.PEER)),
        View(record(valid=(BLOCK + 1, 0))),
        View(record(valid=(1, BLOCK))),
        View(record(compromised=BLOCK)),
    ],
    ids=["unknown", "role", "suspended", "key", "log", "peer", "not yet", "ended", "compromised"],
)
def test_who_may_not_audit_does_not_count(view: View) -> None:
    found = index_audited_by(CHECKPOINT, [audited().note_signature], view)
    assert (found.members, found.wrong) == ((), ())


def test_a_logs_own_member_does_not_audit_it() -> None:
    own = record(LOG, roles=Role.AUDITOR)
    found = index_audited_by(CHECKPOINT, [audited(LOG).note_signature], View(own))
    assert (found.members, found.wrong) == ((), ())


def test_an_auditor_of_another_network_does_not_count() -> None:
    for network in (f"0x{'12' * 32}/0x{'22' * 20}", f"0x{'11' * 32}/0x{'23' * 20}"):
        line = audited(network=network).note_signature
        found = index_audited_by(CHECKPOINT, [line], View(record()))
        assert (found.members, found.wrong) == ((), ())


def test_a_wrong_line_of_an_auditor_is_told() -> None:
    good = audited().note_signature
    wrong = NoteSignature(good.name, good.key_id, good.signature[:-1] + b"\0")
    cosigned = cosign(CHECKPOINT, good.name, KEY, TIME).signature
    lines = [wrong, NoteSignature(good.name, good.key_id, cosigned), good]
    found = index_audited_by(CHECKPOINT, lines, View(record()))
    assert found.members == (AUDITOR,)
    assert [each.code for each in found.wrong] == ["signature_wrong"] * 2
