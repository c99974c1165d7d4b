"""Cosignatures, add-checkpoint requests, and proofs that a log contradicts itself: what holds, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
import pytest

from sealtrail.errors import InputError, SealtrailError, VerificationError
from sealtrail.log.add_checkpoint import encode_add_checkpoint, parse_add_checkpoint
from sealtrail.log.checkpoint import (
    NOTE_CHARACTERS_MAX,
    SIGNATURES_MAX,
    Checkpoint,
    NoteSignature,
    parse_note,
    parse_signatures,
    sign_note,
    verifier_key,
    verify_note,
)
from sealtrail.log.contradiction import AnchoredNote, prove_fork, prove_rewind
from sealtrail.log.cosignature import (
    WITNESSES_MAX,
    Cosignature,
    Witness,
    cosign,
    find_cosignature,
    parse_witness,
    verify_cosignature,
    with_cosignatures,
    witness_name,
)
from sealtrail.log.ed25519 import Ed25519Signer

ORIGIN = f"sealtrail/0x{'11' * 32}/0x{'22' * 20}/0x{'33' * 20}"
LOG_KEY = Ed25519Signer(b"\x01" * 32)
WITNESS_KEY = Ed25519Signer(b"\x02" * 32)
NAME = witness_name(ORIGIN)
TIME = 1_679_315_147


def checkpoint(size: int = 7, root: bytes = b"\x05" * 32, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, root)


def note(size: int = 7, root: bytes = b"\x05" * 32, key: Ed25519Signer = LOG_KEY) -> str:
    return sign_note(checkpoint(size, root), key)


def code_of(act: Callable[[], object], kind: type[SealtrailError]) -> str:
    with pytest.raises(kind) as refused:
        act()
    return refused.value.code


# -- cosignatures --------------------------------------------------------------------------------


def test_a_cosignature_is_over_header_time_and_the_checkpoints_text() -> None:
    made = cosign(checkpoint(), NAME, WITNESS_KEY, TIME)
    message = f"cosignature/v1\ntime {TIME}\n{checkpoint().text}".encode()
    assert made.signature == TIME.to_bytes(8, "big") + WITNESS_KEY.sign(message)
    assert made.witness == Witness(NAME, WITNESS_KEY.public_key)
    verified = verify_cosignature(checkpoint(), made.note_signature, made.witness)
    assert (verified, verified.signed_at) == (made, TIME)


def test_a_member_cosigns_under_a_name_of_its_own() -> None:
    assert f"sealtrail-witness/0x{'11' * 32}/0x{'22' * 20}/0x{'33' * 20}" == NAME
    assert code_of(lambda: witness_name("example.com/log"), InputError) == "origin_malformed"


@pytest.mark.parametrize("bit", [0, 63, 64, 300, 575])
def test_a_cosignature_with_a_flipped_bit_is_refused(bit: int) -> None:
    made = cosign(checkpoint(), NAME, WITNESS_KEY, TIME)
    flipped = bytearray(made.signature)
    flipped[bit // 8] ^= 0x80 >> bit % 8
    line = NoteSignature(NAME, made.witness.key_id, bytes(flipped))
    refused = code_of(
        lambda: verify_cosignature(checkpoint(), line, made.witness), VerificationError
    )
    assert refused == "signature_wrong"


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (lambda w: Witness(w.name + "x", w.public_key), "cosignature_of_another"),
        (lambda w: Witness(w.name, LOG_KEY.public_key), "cosignature_of_another"),
    ],
)
def test_a_cosignature_is_its_witnesss_only(other: Callable[[Witness], Witness], code: str) -> None:
    made = cosign(checkpoint(), NAME, WITNESS_KEY, TIME)
    assert (
        code_of(
            lambda: verify_cosignature(checkpoint(), made.note_signature, other(made.witness)),
            VerificationError,
        )
        == code
    )


@pytest.mark.parametrize("length", [0, 64, 71, 73])
def test_a_cosignature_of_another_length_is_refused(length: int) -> None:
    witness = Witness(NAME, WITNESS_KEY.public_key)
    line = NoteSignature(NAME, witness.key_id, bytes(length))
    assert (
        code_of(lambda: verify_cosignature(checkpoint(), line, witness), VerificationError)
        == "signature_wrong"
    )


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    made = cosign(checkpoint(8), NAME, WITNESS_KEY, TIME)
    assert (
        code_of(
            lambda: verify_cosignature(checkpoint(), made.note_signature, made.witness),
            VerificationError,
        )
        == "signature_wrong"
    )


def test_an_ordinary_signature_by_the_witness_is_no_cosignature() -> None:
    witness = Witness(ORIGIN, WITNESS_KEY.public_key)
    signed = parse_note(note(key=WITNESS_KEY)).signatures
    assert (
        code_of(lambda: find_cosignature(checkpoint(), signed, witness), VerificationError)
        == "cosignature_missing"
    )


def test_lines_of_others_are_ignored_and_the_newest_of_ones_own_is_found() -> None:
    lines = [
        cosign(checkpoint(), "someone.example/else", LOG_KEY, TIME).note_signature,
        cosign(checkpoint(), NAME, WITNESS_KEY, TIME + 5).note_signature,
        cosign(checkpoint(), NAME, WITNESS_KEY, TIME).note_signature,
        NoteSignature(NAME, b"\0\0\0\0", b"whatever"),
    ]
    found = find_cosignature(checkpoint(), lines, Witness(NAME, WITNESS_KEY.public_key))
    assert found.signed_at == TIME + 5


def test_one_wrong_line_of_the_witness_refuses_its_answer() -> None:
    witness = Witness(NAME, WITNESS_KEY.public_key)
    lines = [
        cosign(checkpoint(), NAME, WITNESS_KEY, TIME).note_signature,
        cosign(checkpoint(9), NAME, WITNESS_KEY, TIME).note_signature,
    ]
    assert (
        code_of(lambda: find_cosignature(checkpoint(), lines, witness), VerificationError)
        == "signature_wrong"
    )


def test_a_cosigned_note_is_one_note_in_one_order() -> None:
    several = [
        cosign(checkpoint(), name, key, TIME)
        for name in ("b.example", "a.example")
        for key in (WITNESS_KEY, LOG_KEY)
    ]
    cosigned = with_cosignatures(note(), several)
    assert cosigned == with_cosignatures(note(), reversed(several))
    assert verify_note(cosigned, ORIGIN, LOG_KEY.public_key) == checkpoint()
    names = [s.name for s in parse_note(cosigned).signatures]
    assert names == [ORIGIN, "a.example", "a.example", "b.example", "b.example"]
    for each in several:
        assert find_cosignature(checkpoint(), parse_note(cosigned).signatures, each.witness) == each


@pytest.mark.parametrize("characters", [10, 200])
@pytest.mark.parametrize("count", [WITNESSES_MAX, SIGNATURES_MAX, 60])
def test_however_many_cosignatures_leave_a_readable_note(characters: int, count: int) -> None:
    many = [
        Cosignature(Witness(f"w{n:03d}".ljust(characters, "x"), bytes(32)), bytes(72))
        for n in range(count)
    ]
    cosigned = with_cosignatures(note(), many)
    assert len(cosigned) <= NOTE_CHARACTERS_MAX
    shown = parse_note(cosigned).signatures
    assert len(shown) - 1 == count if count == WITNESSES_MAX else len(shown) > WITNESSES_MAX


def test_a_witnesss_verifier_key_is_read_back() -> None:
    witness = Witness("witness.example/w1", WITNESS_KEY.public_key)
    assert parse_witness(witness.verifier_key) == witness


@pytest.mark.parametrize(
    "text",
    [
        "",
        "witness.example/w1",
        verifier_key("witness.example/w1", WITNESS_KEY.public_key),  # a log's key, type 1
        verifier_key("witness.example/w1", bytes(31), b"\x04"),
        verifier_key("witness.example/w1", bytes(33), b"\x04"),
        verifier_key("witness example", bytes(32), b"\x04"),
        verifier_key("w" * 201, bytes(32), b"\x04"),
        verifier_key("", bytes(32), b"\x04"),
        verifier_key("w.example", bytes(32), b"\x04") + "\n",
        verifier_key("w.example", bytes(32), b"\x04").replace("w.", "v."),
        "w.example+00000000+" + base64.b64encode(b"\x04" + bytes(32)).decode(),
        "w.example+12345678+!!!!",
    ],
)
def test_another_verifier_key_is_refused(text: str) -> None:
    assert code_of(lambda: parse_witness(text), InputError) == "verifier_key_malformed"


# -- add-checkpoint requests ---------------------------------------------------------------------

HASH = base64.b64encode(b"\x09" * 32).decode()


@pytest.mark.parametrize("proof", [(), (b"\x01" * 32,), tuple(bytes([n]) * 32 for n in range(63))])
def test_a_request_is_read_back(proof: tuple[bytes, ...]) -> None:
    body = encode_add_checkpoint(5, proof, note())
    request = parse_add_checkpoint(body)
    assert (request.old_size, request.proof, request.note) == (5, proof, note())
    assert (request.origin, request.signed().checkpoint) == (ORIGIN, checkpoint())


def test_a_request_is_written_as_the_standard_has_it() -> None:
    body = encode_add_checkpoint(5, [b"\x09" * 32], note())
    assert body == f"old 5\n{HASH}\n\n{note()}".encode()
    assert encode_add_checkpoint(0, [], note()) == f"old 0\n\n{note()}".encode()


@pytest.mark.parametrize(
    "head",
    [
        "", "old", "old ", "old 5 ", "old  5", " old 5", "OLD 5", "old 05", "old -1", "old +1", "old 5.0", "old ٥",
        "old 9223372036854775808", "old 99999999999999999999", f"{HASH}\nold 5", "old 5\n" + HASH[:-1],
        "old 5\n" + HASH + "=",
        "old 5\n" + HASH + " ", "old 5\n" + HASH[:42] + "/=", "old 5\nno hash", "old 5\r", "old 5" + f"\n{HASH}" * 64,
    ],
)  # fmt: skip
def test_another_head_is_no_request(head: str) -> None:
    body = f"{head}\n\n{note()}".encode()
    assert code_of(lambda: parse_add_checkpoint(body), InputError) == "add_checkpoint_malformed"


@pytest.mark.parametrize(
    "body",
    [b"", b"old 5\n", b"old 5\n\xff\n\n" + note().encode(), b"old 5\n\n" + b"x" * 40_000],
)
def test_what_is_no_text_or_too_much_of_it_is_no_request(body: bytes) -> None:
    assert code_of(lambda: parse_add_checkpoint(body), InputError) == "add_checkpoint_malformed"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "note_malformed"),
        (note()[:-1], "note_malformed"),
        (note().replace("\n\n", "\nextension\n\n"), "note_malformed"),
        (note().replace("sealtrail/", "other/"), "origin_malformed"),
        (note(size=4), "old_size_too_large"),
    ],
)
def test_a_request_without_a_fitting_checkpoint_is_refused(text: str, code: str) -> None:
    request = parse_add_checkpoint(f"old 5\n\n{text}".encode())
    assert code_of(request.signed, InputError) == code


# -- contradictions ------------------------------------------------------------------------------

KEYS = [LOG_KEY.public_key]
FORKED = (note(root=b"\x05" * 32), note(root=b"\x06" * 32))


def fork(first: str, second: str, keys: list[bytes] | None = None, origin: str = ORIGIN) -> object:
    return prove_fork(first, second, origin=origin, log_keys=KEYS if keys is None else keys)


def test_two_roots_of_one_size_prove_a_fork_in_one_form() -> None:
    proof = prove_fork(*FORKED, origin=ORIGIN, log_keys=KEYS)
    assert proof.code == "log_forked"
    assert {proof.first_note, proof.second_note} == set(FORKED)
    assert fork(*reversed(FORKED)) == proof
    cosigned = with_cosignatures(FORKED[0], [cosign(checkpoint(), NAME, WITNESS_KEY, TIME)])
    assert fork(cosigned, FORKED[1]) == proof
    # whoever is handed the proof comes to the same
    assert fork(proof.first_note, proof.second_note) == proof


def test_a_fork_is_proven_across_a_change_of_the_logs_key() -> None:
    other = Ed25519Signer(b"\x07" * 32)
    pair = (note(), note(root=b"\x06" * 32, key=other))
    assert fork(*pair, keys=[*KEYS, other.public_key])
    assert code_of(lambda: fork(*pair), VerificationError) == "note_unsigned"


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (note(), note(), "checkpoints_agree"),
        (note(7), note(8), "checkpoints_agree"),
        (note(7), note(8, b"\x06" * 32), "checkpoints_agree"),
        (note(), note(root=b"\x06" * 32, key=WITNESS_KEY), "note_unsigned"),
        (note(), checkpoint(root=b"\x06" * 32).text + "\n" + note().split("\n\n")[1], "signature_wrong"),
        (note(), sign_note(checkpoint(origin=ORIGIN[:-2] + "44"), LOG_KEY), "note_of_another_log"),
    ],
)  # fmt: skip
def test_what_is_not_signed_and_contradictory_proves_no_fork(
    first: str, second: str, code: str
) -> None:
    assert code_of(lambda: fork(first, second), VerificationError) == code
    assert code_of(lambda: fork(second, first), VerificationError) == code


def test_a_fork_of_another_log_is_none_of_this_one() -> None:
    assert (
        code_of(lambda: fork(*FORKED, origin=ORIGIN[:-2] + "44"), VerificationError)
        == "note_of_another_log"
    )
    assert code_of(lambda: fork(*FORKED, keys=[]), VerificationError) == "note_unsigned"
    other = ORIGIN[:-2] + "44"
    refused = code_of(lambda: fork(*FORKED, keys=[], origin=other), VerificationError)
    assert refused == "note_of_another_log"
    assert code_of(lambda: fork("nothing", FORKED[0]), InputError) == "note_malformed"


def rewind(first: AnchoredNote, second: AnchoredNote) -> object:
    return prove_rewind(first, second, origin=ORIGIN, log_keys=KEYS)


def test_a_smaller_tree_anchored_after_a_larger_one_proves_a_rewind() -> None:
    larger = AnchoredNote(sequence=4, note=note(9))
    smaller = AnchoredNote(sequence=5, note=note(7))
    proof = prove_rewind(larger, smaller, origin=ORIGIN, log_keys=KEYS)
    assert msgspec.structs.asdict(proof) == {
        "code": "log_rewound",
        "first_note": larger.note,
        "second_note": smaller.note,
        "first_sequence": 4,
        "second_sequence": 5,
    }


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ((4, note(7)), (5, note(9)), "checkpoints_agree"),
        ((5, note(9)), (4, note(7)), "checkpoints_agree"),
        ((4, note(9)), (4, note(7)), "checkpoints_agree"),
        ((4, note(7)), (5, note(7)), "checkpoints_agree"),
        ((4, note(9)), (5, note(7, key=WITNESS_KEY)), "note_unsigned"),
    ],
)
def test_what_only_grew_is_no_rewind(
    first: tuple[int, str], second: tuple[int, str], code: str
) -> None:
    pair = [AnchoredNote(sequence=sequence, note=text) for sequence, text in (first, second)]
    assert code_of(lambda: rewind(*pair), VerificationError) == code


def test_signature_lines_are_read_as_lines() -> None:
    made = cosign(checkpoint(), NAME, WITNESS_KEY, TIME)
    text = with_cosignatures("x\n\n", [made]).removeprefix("x\n\n")
    assert parse_signatures(text) == (made.note_signature,)
    for bad in ("", text[:-1], text + "\n", text.replace("\u2014", "-")):
        assert code_of(lambda b=bad: parse_signatures(b), InputError) == "note_malformed"
