from __future__ import annotations

from hashlib import sha256

import pytest

from sealtrail.errors import InputError, VerificationError
from sealtrail.signing import (
    Domain,
    Ed25519Signer,
    Entry,
    EventSigner,
    Kind,
    Reference,
    Relation,
    disclosure_root,
    encode_references,
    entry_id,
    genesis_document,
    parse_references,
    recover,
    verify_ed25519,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DOMAIN = Domain(chain_id=1337, registry=b"\x11" * 20, genesis_hash=b"\x22" * 32)
SIGNER = EventSigner(b"\x01" * 32)
DIGEST = b"\x07" * 32
SIGNATURE = SIGNER.sign(DIGEST)


def entry() -> Entry:
    return Entry(
        kind=Kind.EVENT,
        member=SIGNER.address,
        record_time_ms=1_700_000_000_000,
        disclosure_root=b"\x01" * 32,
        items_root=b"\x02" * 32,
        references_root=b"\x03" * 32,
    )


def refusal(digest: bytes, signature: bytes) -> str:
    with pytest.raises(VerificationError) as e:
        recover(digest, signature)
    return e.value.code


def test_a_signature_recovers_to_its_signer() -> None:
    assert recover(DIGEST, SIGNATURE) == SIGNER.address


def test_signing_twice_gives_the_same_bytes() -> None:
    assert SIGNER.sign(DIGEST) == SIGNATURE


def test_another_digest_recovers_to_another_address() -> None:
    assert recover(b"\x08" * 32, SIGNATURE) != SIGNER.address


def test_the_high_s_twin_of_a_signature_is_refused() -> None:
    high = (ORDER - int.from_bytes(SIGNATURE[32:64], "big")).to_bytes(32, "big")
    twin = SIGNATURE[:32] + high + bytes((55 - SIGNATURE[64],))
    assert refusal(DIGEST, twin) == "signature_form"


@pytest.mark.parametrize("v", [0, 1, 26, 29, 30, 255])
def test_another_recovery_byte_form_is_refused(v: int) -> None:
    assert refusal(DIGEST, SIGNATURE[:64] + bytes((v,))) == "signature_form"


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    assert refusal(DIGEST, (SIGNATURE * 2)[:length]) == "signature_form"


def test_a_signature_that_no_key_can_have_made_is_refused() -> None:
    no_point = (5).to_bytes(32, "big")  # x = 5 is on no point of the curve
    assert refusal(DIGEST, no_point + SIGNATURE[32:]) == "signature_wrong"


@pytest.mark.parametrize("key", [b"", b"\x01" * 31, b"\x01" * 33])
def test_a_private_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(InputError, match="private_key_length"):
        EventSigner(key)


@pytest.mark.parametrize("scalar", [0, ORDER, 2**256 - 1])
def test_a_private_key_out_of_range_is_refused(scalar: int) -> None:
    with pytest.raises(InputError, match="private_key_out_of_range"):
        EventSigner(scalar.to_bytes(32, "big"))


@pytest.mark.parametrize(
    "other",
    [
        Domain(chain_id=1338, registry=DOMAIN.registry, genesis_hash=DOMAIN.genesis_hash),
        Domain(chain_id=1337, registry=b"\x12" * 20, genesis_hash=DOMAIN.genesis_hash),
        Domain(chain_id=1337, registry=DOMAIN.registry, genesis_hash=b"\x23" * 32),
    ],
)
def test_an_entry_has_another_id_on_another_network(other: Domain) -> None:
    assert entry_id(entry(), DOMAIN) != entry_id(entry(), other)


@pytest.mark.parametrize(
    ("chain_id", "registry", "genesis_hash"),
    [(0, 20, 32), (-1, 20, 32), (2**63, 20, 32), (1, 19, 32), (1, 20, 31), (1, 32, 20)],
)
def test_a_malformed_domain_is_refused(chain_id: int, registry: int, genesis_hash: int) -> None:
    with pytest.raises(InputError, match="domain_malformed"):
        Domain(chain_id=chain_id, registry=bytes(registry), genesis_hash=bytes(genesis_hash))


def test_without_the_seed_equal_values_have_unequal_roots() -> None:
    values = (b"\x01" * 32, b"\x02" * 32)
    assert disclosure_root(b"\x01" * 32, *values) != disclosure_root(b"\x02" * 32, *values)


def test_equal_values_at_two_places_are_not_interchangeable() -> None:
    one, two = b"\x01" * 32, b"\x02" * 32
    assert disclosure_root(one, one, two) != disclosure_root(one, two, one)
    assert disclosure_root(one, one, two, [one, two]) != disclosure_root(one, one, two, [two, one])


def test_references_come_back_as_they_were() -> None:
    references = (Reference(Relation.CORRECTS, b"\x01" * 32), Reference(Relation.RECEIVES, DIGEST))
    assert parse_references(encode_references(references)) == references


def test_references_of_a_broken_length_are_refused() -> None:
    with pytest.raises(InputError, match="references_malformed"):
        parse_references(bytes(34))


@pytest.mark.parametrize("relation", [0, 3, 255])
def test_an_unknown_relation_is_refused(relation: int) -> None:
    with pytest.raises(InputError, match="relation_unknown"):
        parse_references(bytes((relation,)) + DIGEST)


def test_the_genesis_document_is_one_line_of_sorted_members() -> None:
    member, item_salt = b"\x33" * 20, b"\x44" * 32
    assert genesis_document(DOMAIN, member, item_salt).decode() == (
        f'{{"chain_id":1337,"genesis_hash":"0x{"22" * 32}",'
        f'"item_salt_hash":"0x{sha256(item_salt).hexdigest()}","member":"0x{"33" * 20}",'
        f'"origin":"sealtrail/0x{"22" * 32}/0x{"11" * 20}/0x{"33" * 20}",'
        f'"registry":"0x{"11" * 20}","type":"sealtrail/genesis/1"}}'
    )


def test_an_ed25519_signature_holds_for_its_key_and_message_only() -> None:
    ours, theirs = Ed25519Signer(b"\x01" * 32), Ed25519Signer(b"\x02" * 32)
    signature = ours.sign(b"message")
    verify_ed25519(ours.public_key, b"message", signature)
    for key, message, bad in (
        (theirs.public_key, b"message", signature),
        (ours.public_key, b"massage", signature),
        (ours.public_key, b"message", signature[:-1]),
        (ours.public_key, b"message", b""),
    ):
        with pytest.raises(VerificationError, match="signature_wrong"):
            verify_ed25519(key, message, bad)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_ed25519_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(InputError, match="private_key_length"):
        Ed25519Signer(bytes(length))
    with pytest.raises(VerificationError, match="public_key_malformed"):
        verify_ed25519(bytes(length), b"", bytes(64))
