from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import rfc8785

from evidence_world import ANCHORS, DOMAIN, Party, View, digest_of, event_content
from sealtrail.epcis import DEFAULT
from sealtrail.epcis.bounds import content_values_at_most, values_of_size
from sealtrail.errors import InputError, SealtrailError, TooLargeError, UnavailableError
from sealtrail.evidence import (
    AnchorReference,
    EntryRecord,
    Package,
    PackageLimits,
    PackageNetwork,
    encode_package,
    parse_package,
    verify_issuer,
)
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.membership.records import Purpose
from sealtrail.signing import Domain, entry_id, item_key, parse_leaf

replace = msgspec.structs.replace
NETWORK = PackageNetwork(
    chain_id=DOMAIN.chain_id,
    genesis_hash=DOMAIN.genesis_hash,
    registry=DOMAIN.registry,
    anchors=ANCHORS,
)
MAKER, OTHER = Party("maker"), Party("other")
for _serial in range(1, 5):
    MAKER.append(event_content(_serial))


def id_of(record: EntryRecord) -> bytes:
    return entry_id(parse_leaf(record.leaf).entry, DOMAIN)


def package(*entries: EntryRecord, **changes: Any) -> Package:
    made = Package(
        network=NETWORK,
        issuer=MAKER.member,
        recipient=OTHER.member,
        purpose="consignment",
        created_ms=1_772_359_300_000,
        subjects=(id_of(entries[0]),),
        entries=entries,
    )
    return replace(made, **changes)


def read_back(sent: Package) -> Package:
    return parse_package(encode_package(sent, MAKER.peer_signer)).package


def refusal(sent: Package) -> InputError:
    with pytest.raises(InputError) as e:
        encode_package(sent, MAKER.peer_signer)
    return e.value


def test_a_package_comes_back_as_it_was() -> None:
    hint = AnchorReference(sequence=3, block_number=9, transaction_hash=digest_of("t"))
    first = MAKER.proven(0, 4)
    assert first.proof is not None
    hinted = replace(first, proof=replace(first.proof, anchor=hint))
    sent = package(hinted, MAKER.proven(1, 4), MAKER.proven(2, 3), MAKER.records[3])
    assert read_back(sent) == sent


def test_each_checkpoint_stands_once() -> None:
    sent = package(*(MAKER.proven(n, 4) for n in range(4)))
    assert encode_package(sent, MAKER.peer_signer).count(b"\\n\\n") == 1


def test_item_keys_that_can_be_recomputed_are_left_out() -> None:
    record = replace(MAKER.records[0], item_keys=(item_key(MAKER.item_salt, "x"),))
    assert read_back(package(record)).entries[0].item_keys == ()


def test_a_salt_given_with_one_entry_serves_all_of_its_member() -> None:
    without = replace(MAKER.records[1], item_salt=None)
    received = read_back(package(MAKER.records[0], without))
    assert [each.item_salt for each in received.entries] == [MAKER.item_salt] * 2


def test_what_was_withheld_comes_back_as_withheld() -> None:
    bare = replace(MAKER.records[0], content=None, seed=None, item_salt=None)
    assert read_back(package(bare)) == package(bare)


def test_an_empty_content_is_not_a_withheld_one() -> None:
    empty = replace(MAKER.records[0], content=b"")
    assert read_back(package(empty)).entries[0].content == b""


def test_two_salts_for_one_log_are_refused() -> None:
    other = replace(MAKER.records[1], item_salt=bytes(32))
    assert refusal(package(MAKER.records[0], other)).pointer == "/logs"


def test_a_purpose_that_no_reader_takes_is_not_sent() -> None:
    assert refusal(package(MAKER.records[0], purpose="Consignment!")).pointer == "/purpose"


def test_a_subject_outside_the_package_is_not_sent() -> None:
    sent = package(MAKER.records[0], subjects=(id_of(MAKER.records[1]),))
    assert refusal(sent).pointer == "/subjects/0"


@pytest.mark.parametrize(
    ("limits", "pointer"),
    [
        (PackageLimits(package_bytes_max=100), None),
        (PackageLimits(entries_max=1), "/entries"),
        (PackageLimits(checkpoints_max=0), "/checkpoints"),
        (PackageLimits(content_bytes_max=10), "/entries/0/content"),
        (PackageLimits(proof_hashes_max=3), "/entries"),
    ],
)
def test_what_is_over_a_limit_is_too_large(limits: PackageLimits, pointer: str | None) -> None:
    data = encode_package(package(MAKER.proven(0, 4), MAKER.proven(1, 4)), MAKER.peer_signer)
    with pytest.raises(TooLargeError) as e:
        parse_package(data, limits)
    assert e.value.pointer == pointer


def event_of_values(count: int) -> bytes:
    """An event's content with so many values in an extension, beside some of its own."""
    event = json.loads(event_content(9))
    event["@context"].append({"x": "https://x.example/"})
    return rfc8785.dumps({**event, "x:numbers": [0] * count})


def test_what_all_entries_have_together_is_limited_with_its_number() -> None:
    party = Party("full")
    for count in (1_000, 2_000):
        party.append(event_of_values(count))
    full = package(*party.records, issuer=party.member, subjects=(id_of(party.records[0]),))
    keys = tuple(sorted(digest_of(n) for n in range(5)))
    keyed = [replace(each, item_salt=None, item_keys=keys) for each in party.records]
    referring = [replace(each, references=(b"\x01" + bytes(32)) * 5) for each in party.records]
    for entries, limits, said in (
        (party.records, PackageLimits(values_max=3_000), "values in the contents, at most 3000"),
        (keyed, PackageLimits(item_keys_max=9), "10 item keys, at most 9"),
        (referring, PackageLimits(references_max=9), "10 references, at most 9"),
    ):
        data = encode_package(replace(full, entries=tuple(entries)), party.peer_signer)
        with pytest.raises(TooLargeError, match=said):
            parse_package(data, limits)
    parse_package(data, PackageLimits(values_max=3_100, references_max=10))


def test_no_content_counts_for_more_values_than_are_read() -> None:
    assert content_values_at_most(b'{"a":"' + b"," * 1_000_000 + b'"}') == DEFAULT.event_values_max
    assert content_values_at_most(b'{"a":[0,1,2]}') == 5
    assert content_values_at_most(b'{"a":",,,,,,,,,,"}') <= values_of_size(18)


def issuer_refusal(view: View, sent: Package, signer: Ed25519Signer, domain: Domain) -> str:
    received = parse_package(encode_package(sent, signer))
    with pytest.raises(SealtrailError) as e:
        verify_issuer(received, domain=domain, anchors=ANCHORS, network=view)
    return e.value.code


def test_a_package_about_another_contract_of_anchors_is_of_another_network() -> None:
    elsewhere = replace(NETWORK, anchors=b"\xa4" * 20)
    sent = package(MAKER.records[0], network=elsewhere)
    code = issuer_refusal(View(MAKER), sent, MAKER.peer_signer, DOMAIN)
    assert code == "package_of_another_network"


def test_the_issuers_peer_key_is_accepted() -> None:
    received = parse_package(encode_package(package(MAKER.records[0]), MAKER.peer_signer))
    verify_issuer(received, domain=DOMAIN, anchors=ANCHORS, network=View(MAKER))


def test_another_members_peer_key_is_refused() -> None:
    view, sent = View(MAKER, OTHER), package(MAKER.records[0])
    assert issuer_refusal(view, sent, OTHER.peer_signer, DOMAIN) == "issuer_key_unknown"


def test_the_issuers_log_key_is_no_peer_key() -> None:
    sent = package(MAKER.records[0])
    assert issuer_refusal(View(MAKER), sent, MAKER.log_signer, DOMAIN) == "issuer_key_unknown"


def test_an_issuer_outside_the_network_is_refused() -> None:
    sent = package(MAKER.records[0])
    assert issuer_refusal(View(OTHER), sent, MAKER.peer_signer, DOMAIN) == "issuer_unknown"


def test_a_package_for_another_network_is_refused() -> None:
    elsewhere = Domain(chain_id=1, registry=DOMAIN.registry, genesis_hash=DOMAIN.genesis_hash)
    code = issuer_refusal(View(MAKER), package(MAKER.records[0]), MAKER.peer_signer, elsewhere)
    assert code == "package_of_another_network"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"valid_until": 100}, "issuer_key_unknown"),
        ({"valid_from": 101}, "issuer_key_unknown"),
        ({"compromised_since": 99}, "issuer_key_compromised"),
    ],
)
def test_a_peer_key_that_is_not_good_now_is_refused(change: dict[str, int], code: str) -> None:
    view = View(MAKER)
    record = view.versions[MAKER.member][0]
    keys = tuple(replace(k, **change) if k.purpose is Purpose.PEER else k for k in record.keys)
    view.versions[MAKER.member] = [replace(record, keys=keys)]
    assert issuer_refusal(view, package(MAKER.records[0]), MAKER.peer_signer, DOMAIN) == code


def test_an_unreachable_chain_refuses_nobody() -> None:
    view = View(MAKER)
    view.down = True
    received = parse_package(encode_package(package(MAKER.records[0]), MAKER.peer_signer))
    with pytest.raises(UnavailableError):
        verify_issuer(received, domain=DOMAIN, anchors=ANCHORS, network=view)
