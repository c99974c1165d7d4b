"""What another node sends is believed only if all of it holds; otherwise it is refused by name and nothing is kept."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import msgspec
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from peers_world import Peer, PeersWorld, peers_world
from provenance_world import commissioning, event, record_of, shipping
from scenarios import CLINIC, MAKER, PHARMACY, WHOLESALER
from sealtrail.evidence import EntryRecord, PackageLimits, PackageNetwork, parse_package
from sealtrail.membership.records import Status
from sealtrail.peers.client import PACKAGE_MEDIA_TYPE, PACKAGES_PATH
from sealtrail.peers.signatures import PeerKeyId, sign_request
from sealtrail.services.answers.presentation import AS_RECORDED
from sealtrail.services.answers.views import query_document
from sealtrail.signing import Ed25519Signer, SignedEntry, encode_leaf, entry_id, parse_leaf
from sealtrail.store.events import load_by_entries

PACK = "urn:epc:id:sgtin:4012345.011122.P1"


class Pair(msgspec.Struct, frozen=True):
    """A sender that says what a test has it say, its receiver, and the sender's two entries."""

    world: PeersWorld
    maker: Peer
    wholesaler: Peer
    entry_ids: tuple[bytes, ...]

    def records(self) -> tuple[EntryRecord, ...]:
        """The entries as they would be sent."""
        return parse_package(self.maker.package(WHOLESALER, self.entry_ids)).package.entries

    async def refused(self, body: bytes, status: int, code: str) -> None:
        """Send a body and see it refused without a trace."""
        before = self.wholesaler.counts()
        answered, problem, _ = await self.maker.post(self.wholesaler, body)
        assert (answered, problem.get("code")) == (status, code), problem
        assert self.wholesaler.counts() == before


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with peers_world(tmp_path) as world:
        maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
        await maker.stop_delivering()
        ids = await maker.record(
            commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK)
        )
        yield Pair(world, maker, wholesaler, tuple(ids))


async def test_a_package_is_taken_and_the_same_again_changes_nothing(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    assert (await pair.maker.post(pair.wholesaler, body))[:2] == (200, {"accepted": 2, "known": 0})
    after = pair.wholesaler.counts()
    assert (await pair.maker.post(pair.wholesaler, body))[:2] == (200, {"accepted": 0, "known": 2})
    assert pair.wholesaler.counts() == after


async def test_a_request_is_taken_once(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    _, _, headers = await pair.maker.post(pair.wholesaler, body)
    status, problem, _ = await pair.maker.post(pair.wholesaler, body, headers=headers)
    assert (status, problem["code"]) == (401, "peer_request_replayed")


async def test_a_request_to_one_node_is_worth_nothing_at_another(pair: Pair) -> None:
    pharmacy = await pair.world.peer(PHARMACY)
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    headers = pair.maker.signed(pair.wholesaler.url + PACKAGES_PATH, body)
    status, problem, _ = await pair.maker.post(pharmacy, body, headers=headers)
    assert (status, problem["code"]) == (401, "peer_signature_invalid")


async def test_another_body_under_a_signature_is_refused(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    headers = pair.maker.signed(pair.wholesaler.url + PACKAGES_PATH, body[:-1])
    before = pair.wholesaler.counts()
    status, problem, _ = await pair.maker.post(pair.wholesaler, body, headers=headers)
    assert (status, problem["code"]) == (401, "peer_signature_invalid")
    assert pair.wholesaler.counts() == before


async def test_who_is_no_member_is_not_even_read(pair: Pair) -> None:
    stranger = Ed25519PrivateKey.generate()
    url = pair.wholesaler.url + PACKAGES_PATH
    headers = sign_request(
        "POST",
        url,
        b"x",
        key_id=PeerKeyId(member=CLINIC.member, public=stranger.public_key().public_bytes_raw()),
        private_key=stranger,
        created_seconds=int(time.time()),
        nonce=secrets.token_urlsafe(),
    )
    status, problem, _ = await pair.maker.post(pair.wholesaler, b"x", headers=headers)
    assert (status, problem["code"]) == (401, "peer_key_unknown")


async def test_an_unsigned_request_is_refused(pair: Pair) -> None:
    status, problem, _ = await pair.maker.post(pair.wholesaler, b"{}", headers={"X-Nothing": "1"})
    assert (status, problem["code"]) == (401, "peer_signature_invalid")


async def test_a_suspended_member_is_refused(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    await pair.world.announce(MAKER, status=Status.SUSPENDED, node_url=pair.maker.url)
    await pair.refused(body, 401, "peer_key_unknown")


async def test_a_package_for_another_member_is_refused(pair: Pair) -> None:
    await pair.refused(pair.maker.package(PHARMACY, pair.entry_ids), 403, "package_for_another")


async def test_a_package_in_anothers_name_is_refused(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids, issuer=PHARMACY.member)
    await pair.refused(body, 422, "issuer_key_unknown")


async def test_another_members_package_passed_on_is_refused(pair: Pair) -> None:
    pharmacy = await pair.world.peer(PHARMACY)
    await pharmacy.stop_delivering()
    ids = await pharmacy.record(event(PHARMACY, "storing", 30, PACK))
    body = pharmacy.package(WHOLESALER, ids)
    await pair.refused(body, 403, "package_of_another")


async def test_a_package_of_another_network_is_refused(pair: Pair) -> None:
    identity = msgspec.structs.asdict(pair.world.identity)
    elsewhere = PackageNetwork(**{**identity, "chain_id": 1})
    subject = entry_id(parse_leaf(pair.records()[0].leaf).entry, elsewhere.domain)
    body = pair.maker.package(WHOLESALER, pair.entry_ids, network=elsewhere, subjects=(subject,))
    await pair.refused(body, 422, "package_of_another_network")


async def test_a_package_about_another_contract_of_anchors_is_refused(pair: Pair) -> None:
    identity = msgspec.structs.asdict(pair.world.identity)
    elsewhere = PackageNetwork(**{**identity, "anchors": bytes(20)})
    body = pair.maker.package(WHOLESALER, pair.entry_ids, network=elsewhere)
    await pair.refused(body, 422, "package_of_another_network")


async def test_a_second_item_salt_for_a_log_is_refused(pair: Pair) -> None:
    maker, wholesaler = pair.maker, pair.wholesaler
    assert (await maker.post(wholesaler, maker.package(WHOLESALER, pair.entry_ids)))[0] == 200
    other = maker.entry(event(MAKER, "storing", 30, PACK), salt=bytes(range(32)))
    await pair.refused(maker.package_of(WHOLESALER, other), 422, "item_salt_differs")


async def test_of_two_item_salts_that_come_at_once_one_is_kept(pair: Pair) -> None:
    maker, wholesaler = pair.maker, pair.wholesaler
    both = [
        maker.entry(event(MAKER, "storing", 30 + n, PACK), salt=bytes([n]) * 32) for n in range(2)
    ]
    answers = await asyncio.gather(
        *(maker.post(wholesaler, maker.package_of(WHOLESALER, each)) for each in both)
    )
    assert sorted(answer[0] for answer in answers) == [200, 422]
    assert len(wholesaler.others()) == 1


async def test_two_events_of_a_member_with_one_id_are_taken_and_told_of(pair: Pair) -> None:
    maker, wholesaler = pair.maker, pair.wholesaler
    both = [
        maker.entry(event(MAKER, "storing", 30 + n, PACK, eventID="urn:uuid:same"))
        for n in range(2)
    ]
    answer = await maker.post(wholesaler, maker.package_of(WHOLESALER, *both))
    assert answer[:2] == (200, {"accepted": 2, "known": 0})
    findings = (await wholesaler.view(PACK))["findings"]
    assert "event_id_reused" in {each["code"] for each in findings}


async def test_an_entry_without_items_cannot_give_a_log_its_salt(pair: Pair) -> None:
    maker, wholesaler = pair.maker, pair.wholesaler
    nothing = {**event(MAKER, "storing", 30), "epcList": []}
    any_salt = maker.entry(nothing, salt=bytes(32))
    assert (await maker.post(wholesaler, maker.package_of(WHOLESALER, any_salt)))[0] == 200
    assert wholesaler.sql("SELECT item_salt FROM foreign_entry") == [(None,)]
    true = maker.package(WHOLESALER, pair.entry_ids)
    assert (await maker.post(wholesaler, true))[:2] == (200, {"accepted": 2, "known": 0})


async def test_a_purpose_that_is_not_known_is_refused(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids, purpose="gossip")
    await pair.refused(body, 403, "package_purpose_unknown")


Change = Callable[[EntryRecord, EntryRecord], EntryRecord]
TAMPERED: dict[str, tuple[Change, str]] = {
    "content of another event": (
        lambda one, other: msgspec.structs.replace(one, content=other.content),
        "disclosure_root_differs",
    ),
    "content that is no event": (
        lambda one, _: msgspec.structs.replace(one, content=b"{}"),
        "content_unreadable",
    ),
    "another seed": (
        lambda one, _: msgspec.structs.replace(one, seed=bytes(32)),
        "disclosure_root_differs",
    ),
    "no seed": (lambda one, _: msgspec.structs.replace(one, seed=None), "entry_shows_no_event"),
    "no content": (
        lambda one, _: msgspec.structs.replace(one, content=None),
        "entry_shows_no_event",
    ),
    "another salt": (
        lambda one, _: msgspec.structs.replace(one, item_salt=bytes(32)),
        "items_root_differs",
    ),
    "a signature of nobody's": (
        lambda one, _: msgspec.structs.replace(
            one, leaf=one.leaf[:130] + bytes([one.leaf[130] ^ 1]) + one.leaf[131:]
        ),
        "",
    ),
    "another record time": (
        lambda one, _: msgspec.structs.replace(
            one, leaf=one.leaf[:29] + bytes([one.leaf[29] ^ 1]) + one.leaf[30:]
        ),
        "event_key_unknown",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
async def test_an_entry_that_was_tampered_with_refuses_the_whole_package(
    pair: Pair, name: str
) -> None:
    change, code = TAMPERED[name]
    good, other = pair.records()
    bad = change(good, other)
    if name in ("another salt", "a signature of nobody's", "another record time"):
        other = msgspec.structs.replace(other, item_salt=bad.item_salt)
    subject = pair.entry_ids[1:]
    body = pair.maker.package(WHOLESALER, pair.entry_ids, entries=(bad, other), subjects=subject)
    before = pair.wholesaler.counts()
    status, problem, _ = await pair.maker.post(pair.wholesaler, body)
    assert status == 422, problem
    assert not code or problem["code"] == code
    assert pair.wholesaler.counts() == before


async def test_an_inclusion_proof_that_leads_elsewhere_is_refused(pair: Pair) -> None:
    await pair.maker.anchor()
    await pair.wholesaler.follower.check_now()
    one, other = pair.records()
    assert one.proof is not None
    assert other.proof is not None
    wrong = msgspec.structs.replace(one, proof=msgspec.structs.replace(one.proof, hashes=()))
    body = pair.maker.package(WHOLESALER, pair.entry_ids, entries=(wrong, other))
    before = pair.wholesaler.counts()
    status, _, _ = await pair.maker.post(pair.wholesaler, body)
    assert status == 422
    assert pair.wholesaler.counts() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "package_malformed"),
        (b"{", "package_malformed"),
        (b"\xff\xfe\x00", "package_malformed"),
        (b"[" * 100_000, "package_malformed"),
        (b'{"format":"sealtrail/package/1"}', "package_malformed"),
        (b"null", "package_malformed"),
    ],
    ids=["nothing", "cut", "no text", "deep", "bare", "null"],
)
async def test_garbage_is_refused(pair: Pair, body: bytes, code: str) -> None:
    await pair.refused(body, 400, code)


async def test_every_cut_of_a_package_is_refused(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    before = pair.wholesaler.counts()
    for length in range(0, len(body), len(body) // 25):
        status, _, _ = await pair.maker.post(pair.wholesaler, body[:length])
        assert 400 <= status < 500
    assert pair.wholesaler.counts() == before


async def test_a_package_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    async with peers_world(tmp_path) as world:
        maker = await world.peer(MAKER)
        wholesaler = await world.peer(
            WHOLESALER, package_limits=PackageLimits(package_bytes_max=1_000)
        )
        status, problem, _ = await maker.post(wholesaler, b" " * 1_001)
        assert (status, problem["code"]) == (413, "body_too_large")
        url = wholesaler.url + PACKAGES_PATH
        body = b" " * 3_000

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 100):
                yield body[at : at + 100]

        headers = maker.signed(url, body) | {
            "Content-Type": "application/vnd.sealtrail.package+json"
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=chunks(), headers=headers) as response,
        ):
            assert response.status == 413


async def test_packages_that_are_too_much_together_are_put_off(tmp_path: Path) -> None:
    async with peers_world(tmp_path) as world:
        senders = await world.peer(MAKER), await world.peer(PHARMACY)
        wholesaler = await world.peer(
            WHOLESALER, package_limits=PackageLimits(package_bytes_max=1_000)
        )
        url, go_on = wholesaler.url + PACKAGES_PATH, asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b" " * 600
            await go_on.wait()
            yield b" "

        async def post(sender: Peer) -> tuple[int, str]:
            headers = sender.signed(url, b" " * 601) | {"Content-Type": PACKAGE_MEDIA_TYPE}
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, data=slow(), headers=headers) as response,
            ):
                return response.status, (await response.json(content_type=None))["code"]

        both = [asyncio.create_task(post(sender)) for sender in senders]
        (first,), (other,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        assert first.result() == (503, "node_busy")
        go_on.set()
        assert await other == (400, "package_malformed")
        assert (await senders[0].post(wholesaler, b" " * 600))[0] == 400


async def test_another_media_type_is_refused(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    status, problem, _ = await pair.maker.post(pair.wholesaler, body, media_type="application/json")
    assert (status, problem["code"]) == (415, "media_type_unsupported")


async def test_ones_own_entries_come_back_without_effect(pair: Pair) -> None:
    await pair.maker.post(pair.wholesaler, pair.maker.package(WHOLESALER, pair.entry_ids))
    await pair.wholesaler.stop_delivering()
    before = pair.maker.counts()
    returned = pair.wholesaler.package(MAKER, pair.entry_ids)
    status, answer, _ = await pair.wholesaler.post(pair.maker, returned)
    assert (status, answer) == (200, {"accepted": 0, "known": 2})
    assert pair.maker.counts() == before


async def test_a_key_that_was_replaced_signs_no_more(pair: Pair) -> None:
    body = pair.maker.package(WHOLESALER, pair.entry_ids)
    new = Ed25519Signer(secrets.token_bytes(32))
    keys = tuple(
        msgspec.structs.replace(k, public=new.public_key)
        if k.public == pair.maker.peer_signer.public_key
        else k
        for k in record_of(MAKER).keys
    )
    await pair.world.announce(MAKER, keys=keys, node_url=pair.maker.url)
    await pair.refused(body, 401, "peer_key_unknown")


@pytest.mark.parametrize("record_time_ms", [2**64 - 1, 253_402_300_800_000])
async def test_a_record_time_beyond_what_can_be_stored_or_spelt_is_refused(
    pair: Pair, record_time_ms: int
) -> None:
    record = pair.records()[0]
    entry = msgspec.structs.replace(parse_leaf(record.leaf).entry, record_time_ms=record_time_ms)
    digest = entry_id(entry, pair.world.domain)
    leaf = encode_leaf(SignedEntry(entry, pair.maker.signer.sign(digest)))
    body = pair.maker.package(
        WHOLESALER,
        pair.entry_ids,
        entries=(msgspec.structs.replace(record, leaf=leaf),),
        subjects=(digest,),
    )
    await pair.refused(body, 422, "record_time_out_of_range")


async def test_an_absurd_record_time_that_is_stored_already_breaks_no_answer(pair: Pair) -> None:
    maker, wholesaler = pair.maker, pair.wholesaler
    made = maker.entry(event(MAKER, "storing", 30, PACK))
    later = maker.entry(event(MAKER, "storing", 30, PACK), record_time_ms=2**53 - 1)
    assert (await maker.post(wholesaler, maker.package_of(WHOLESALER, made)))[0] == 200

    def as_it_was_once_taken(c: sqlite3.Connection) -> None:
        ids = (maker.id_of(later), maker.id_of(made))
        c.execute(
            "UPDATE event SET entry_id = ?, record_time_ms = (1 << 53) - 1 WHERE entry_id = ?", ids
        )
        c.execute(
            "UPDATE foreign_entry SET entry_id = ?, leaf = ?, seed = ? WHERE entry_id = ?",
            (ids[0], later.leaf, later.seed, ids[1]),
        )

    await wholesaler.database.write(as_it_was_once_taken)
    (stored,) = wholesaler.database.read_sync(
        lambda c: load_by_entries(c, [maker.id_of(later)]).values()
    )
    (shown,) = orjson.loads(query_document([stored], AS_RECORDED, now_ms=0))["epcisBody"][
        "queryResults"
    ]["resultsBody"]["eventList"]
    assert "recordTime" not in shown
    journey = (await wholesaler.view(PACK))["journey"]
    (step,) = (each for each in journey if each["content_hash"])
    assert step["record_time"] is None
    assert step["entry_grade"] == "signature-proven"
