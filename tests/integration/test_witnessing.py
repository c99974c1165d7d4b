"""A node as a witness over HTTP: by C2SP tlog-witness, each status for its reason, and never two trees of one log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest

from peers_world import Peer, PeersWorld, peers_world
from provenance_world import commissioning, derived, record_of
from scenarios import MAKER, OUTSIDER, WHOLESALER
from sealtrail.errors import UnavailableError
from sealtrail.log.add_checkpoint import encode_add_checkpoint
from sealtrail.log.checkpoint import Checkpoint, parse_note, parse_signatures, sign_note
from sealtrail.log.cosignature import Witness, find_cosignature, witness_name
from sealtrail.log.tree import TreeHead
from sealtrail.membership.records import Key, Purpose, Status
from sealtrail.signing import Ed25519Signer, origin_of
from sealtrail.store.cosignatures import load_witnessed

MAKER_KEY = Ed25519Signer(derived(MAKER.name, "log"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path, (MAKER, WHOLESALER)) as made:
        yield made


@pytest.fixture
async def witness(world: PeersWorld) -> Peer:
    return await world.peer(WHOLESALER)


@pytest.fixture
async def maker(world: PeersWorld, witness: Peer) -> Peer:
    """A node whose log has 300 entries and no witness yet."""
    peer = await world.peer(MAKER)
    packs = (f"urn:epc:id:sgtin:4012345.011122.W{n}" for n in range(299))
    await peer.record(*(commissioning(MAKER, 10, each) for each in packs))
    return peer


def note_at(maker: Peer, size: int, *, root: bytes | None = None) -> str:
    """The maker's checkpoint of that size, as its node would sign it; or of another root."""
    true = maker.database.read_sync(lambda c: maker.log.root_at(c, size))
    origin = origin_of(maker.world.domain, MAKER.member)
    return sign_note(Checkpoint(origin, size, root or true), MAKER_KEY)


def proof(maker: Peer, old: int, size: int) -> list[bytes]:
    return maker.database.read_sync(lambda c: maker.log.consistency_proof(c, old, size))


def request(maker: Peer, old: int, size: int) -> bytes:
    return encode_add_checkpoint(old, proof(maker, old, size), note_at(maker, size))


async def ask(witness: Peer, body: bytes) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{witness.url}/peer/v1/add-checkpoint", data=body) as response,
    ):
        return response.status, response.content_type, await response.text()


def identity(witness: Peer) -> Witness:
    origin = origin_of(witness.world.domain, WHOLESALER.member)
    return Witness(
        witness_name(origin), Ed25519Signer(derived(WHOLESALER.name, "witness")).public_key
    )


def state(witness: Peer) -> TreeHead | None:
    found = witness.database.read_sync(lambda c: load_witnessed(c, MAKER.member))
    return found and found.head


async def test_a_log_is_cosigned_from_size_to_size(maker: Peer, witness: Peer) -> None:
    for old, size in ((0, 1), (1, 2), (2, 255), (255, 256), (256, 257), (257, 257), (257, 300)):
        status, _, lines = await ask(witness, request(maker, old, size))
        assert status == 200, lines
        checkpoint = parse_note(note_at(maker, size)).checkpoint
        assert find_cosignature(checkpoint, parse_signatures(lines), identity(witness))
        assert state(witness) == checkpoint.head


async def test_the_first_checkpoint_may_have_any_size(maker: Peer, witness: Peer) -> None:
    assert (await ask(witness, request(maker, 0, 300)))[0] == 200


@pytest.mark.parametrize(("old", "size"), [(0, 300), (100, 300), (201, 300), (0, 10), (300, 300)])
async def test_another_old_size_is_409_with_the_size_that_stands(
    maker: Peer, witness: Peer, old: int, size: int
) -> None:
    await ask(witness, request(maker, 0, 200))
    assert await ask(witness, request(maker, old, size)) == (409, "text/x.tlog.size", "200\n")
    assert state(witness) == parse_note(note_at(maker, 200)).checkpoint.head


async def test_a_log_that_was_never_seen_stands_at_0(maker: Peer, witness: Peer) -> None:
    assert await ask(witness, request(maker, 5, 300)) == (409, "text/x.tlog.size", "0\n")


BAD_PROOFS = {
    "none": lambda hashes: [],
    "one hash short": lambda hashes: hashes[:-1],
    "one hash more": lambda hashes: [*hashes, bytes(32)],
    "another first hash": lambda hashes: [bytes(32), *hashes[1:]],
    "in another order": lambda hashes: list(reversed(hashes)),
    "63 hashes": lambda hashes: [bytes(32)] * 63,
}


@pytest.mark.parametrize("name", BAD_PROOFS)
async def test_a_proof_that_does_not_hold_is_422_and_changes_nothing(
    maker: Peer, witness: Peer, name: str
) -> None:
    await ask(witness, request(maker, 0, 200))
    hashes: Sequence[bytes] = BAD_PROOFS[name](proof(maker, 200, 300))
    body = encode_add_checkpoint(200, hashes, note_at(maker, 300))
    status, kind, _ = await ask(witness, body)
    assert (status, kind) == (422, "application/problem+json")
    assert state(witness) == parse_note(note_at(maker, 200)).checkpoint.head
    # and proves nothing against the log: whoever asked may have made the proof up
    assert await witness.watch.findings(count_max=10) == []


async def test_a_proof_where_there_can_be_none_is_422(maker: Peer, witness: Peer) -> None:
    body = encode_add_checkpoint(0, [bytes(32)], note_at(maker, 300))
    assert (await ask(witness, body))[0] == 422
    assert state(witness) is None


async def test_a_log_that_is_rewritten_is_not_cosigned(maker: Peer, witness: Peer) -> None:
    await ask(witness, request(maker, 0, 200))
    other = note_at(maker, 300, root=b"\x01" * 32)
    body = encode_add_checkpoint(200, proof(maker, 200, 300), other)
    assert (await ask(witness, body))[0] == 422


async def test_another_tree_of_the_same_size_is_409_and_a_proof_of_a_fork_is_kept(
    maker: Peer, witness: Peer
) -> None:
    await ask(witness, request(maker, 0, 300))
    other = note_at(maker, 300, root=b"\x01" * 32)
    answer = await ask(witness, encode_add_checkpoint(300, [], other))
    assert answer == (409, "text/x.tlog.size", "300\n")
    ((_, found),) = await witness.watch.findings(count_max=10)
    assert (found.code, found.member) == ("log_forked", MAKER.member)
    assert found.contradiction is not None
    assert {found.contradiction.first_note, found.contradiction.second_note} == {
        other,
        note_at(maker, 300),
    }
    assert witness.watch.counts == {"log_forked": 1}
    # shown again, in whatever way, it is the same one
    await ask(witness, encode_add_checkpoint(0, [], other))
    assert len(await witness.watch.findings(count_max=10)) == 1
    assert (await ask(witness, request(maker, 300, 300)))[0] == 200


async def test_a_fork_from_what_a_package_brought_is_422(maker: Peer, witness: Peer) -> None:
    forked = note_at(maker, 300, root=b"\x01" * 32)
    checkpoint = parse_note(forked).checkpoint
    witness.database.write_sync(
        lambda c: c.execute(
            "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, NULL, 0)",
            (checkpoint.hash, MAKER.member, 300, checkpoint.root_hash, forked),
        )
    )
    status, _, body = await ask(witness, request(maker, 0, 300))
    assert (status, "log_forked" in body) == (422, True)
    assert state(witness) is None
    assert [f.code for _, f in await witness.watch.findings(count_max=10)] == ["log_forked"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"old 0", b"old 0\n\n", b"nonsense\n\n" + b"x" * 100, b"\xff" * 50, b"old 0\n" + b"A" * 44 + b"\n",
    ],
)  # fmt: skip
async def test_what_is_no_request_is_400_or_of_no_known_log(witness: Peer, body: bytes) -> None:
    status, kind, text = await ask(witness, body)
    assert (status, kind) in ((400, "application/problem+json"), (404, "application/problem+json"))
    assert status == 400 or "log_unknown" in text


async def test_a_larger_old_size_than_the_checkpoints_is_400(maker: Peer, witness: Peer) -> None:
    status, _, body = await ask(witness, encode_add_checkpoint(301, [], note_at(maker, 300)))
    assert (status, "old_size_too_large" in body) == (400, True)


async def test_extension_lines_are_refused(maker: Peer, witness: Peer) -> None:
    body = request(maker, 0, 300).replace(b"=\n\n", b"=\nextension\n\n")
    assert (await ask(witness, body))[0] == 400


async def test_a_body_over_the_limit_is_413(maker: Peer, witness: Peer) -> None:
    status, _, _ = await ask(witness, request(maker, 0, 300) + b"x" * 100_000)
    assert status == 413


def of_origin(maker: Peer, origin: str) -> bytes:
    note = sign_note(Checkpoint(origin, 300, bytes(32)), MAKER_KEY)
    return encode_add_checkpoint(0, [], note)


async def test_a_log_of_nobody_here_is_404(maker: Peer, witness: Peer) -> None:
    domain = maker.world.domain
    own = origin_of(domain, WHOLESALER.member)
    origins = [
        "example.com/log",
        origin_of(domain, OUTSIDER.member),
        origin_of(domain, MAKER.member).replace("0x02", "0x03"),  # another registry
        own,
    ]
    for origin in origins:
        status, _, body = await ask(witness, of_origin(maker, origin))
        assert (status, "log_unknown" in body) == (404, True), origin


async def test_a_suspended_members_log_is_404(
    world: PeersWorld, maker: Peer, witness: Peer
) -> None:
    await world.announce(MAKER, status=Status.SUSPENDED)
    assert (await ask(witness, request(maker, 0, 300)))[0] == 404


async def test_a_checkpoint_without_the_logs_signature_is_403(maker: Peer, witness: Peer) -> None:
    checkpoint = parse_note(note_at(maker, 300)).checkpoint
    by_another = sign_note(checkpoint, Ed25519Signer(b"\x09" * 32))
    moved = checkpoint.text + "\n" + note_at(maker, 299).partition("\n\n")[2]
    for note, code in ((by_another, "note_unsigned"), (moved, "signature_wrong")):
        status, _, body = await ask(witness, encode_add_checkpoint(0, [], note))
        assert (status, code in body) == (403, True)
    assert state(witness) is None


async def test_unknown_signatures_beside_the_logs_are_ignored(maker: Peer, witness: Peer) -> None:
    others = sign_note(Checkpoint("example.com/w", 300, bytes(32)), MAKER_KEY)
    note = note_at(maker, 300) + others.partition("\n\n")[2]
    assert (await ask(witness, encode_add_checkpoint(0, [], note)))[0] == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"valid_until": 1}, 403),
        ({"compromised_since": 1, "compromise_reported": 2}, 403),
    ],
)
async def test_only_a_key_that_is_valid_now_speaks_for_a_log(
    world: PeersWorld, maker: Peer, witness: Peer, changes: dict[str, int], status: int
) -> None:
    keys = [k for k in record_of(MAKER).keys if k.purpose is not Purpose.LOG]
    log_key = Key(
        **{"purpose": Purpose.LOG, "public": MAKER_KEY.public_key, "valid_from": 0, **changes}
    )
    await world.announce(MAKER, keys=(*keys, log_key))
    assert (await ask(witness, request(maker, 0, 300)))[0] == status


async def test_a_member_without_a_witness_key_cosigns_nothing(maker: Peer, witness: Peer) -> None:
    witness.witnessing._key = None
    status, _, body = await ask(witness, request(maker, 0, 300))
    assert (status, "no_witness_here" in body) == (404, True)


async def test_of_requests_at_once_one_advances_and_nothing_goes_back(
    maker: Peer, witness: Peer
) -> None:
    await ask(witness, request(maker, 0, 10))
    sizes = [300, 20, 11, 150, 299, 12, 200]
    answers = await asyncio.gather(*(ask(witness, request(maker, 10, size)) for size in sizes))
    taken = [size for size, (status, _, _) in zip(sizes, answers, strict=True) if status == 200]
    assert len(taken) == 1
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 6
    assert {text for status, _, text in answers if status == 409} == {f"{taken[0]}\n"}
    assert state(witness) == parse_note(note_at(maker, taken[0])).checkpoint.head


async def test_nothing_is_cosigned_that_is_not_kept(maker: Peer, witness: Peer) -> None:
    """The disk is full: no cosignature leaves, and what was cosigned before stands."""
    await ask(witness, request(maker, 0, 200))
    write = witness.database.write

    async def failing(*_: object) -> None:
        raise UnavailableError("disk_full", "no room")

    witness.database.write = failing  # type: ignore[method-assign, assignment]
    assert (await ask(witness, request(maker, 200, 300)))[0] == 503
    witness.database.write = write  # type: ignore[method-assign]
    assert await ask(witness, request(maker, 300, 300)) == (409, "text/x.tlog.size", "200\n")
    assert (await ask(witness, request(maker, 200, 300)))[0] == 200


async def test_what_was_cosigned_is_remembered_after_a_restart(maker: Peer, witness: Peer) -> None:
    await ask(witness, request(maker, 0, 200))
    restarted = witness.witness_service()
    assert await restarted.add_checkpoint(request(maker, 200, 300))
    other = encode_add_checkpoint(0, [], note_at(maker, 100))
    assert await ask(witness, other) == (409, "text/x.tlog.size", "300\n")
