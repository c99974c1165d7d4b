"""A node's log over HTTP in tiles: to whom it is shown, what is shown of it, and what is not."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from peers_world import LOG_TOKEN, OTHER_TOKEN, Peer, PeersWorld, peers_world
from provenance_world import commissioning
from scenarios import AUDITOR, MAKER, REGULATOR, WHOLESALER, Actor
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.tree import leaf_hash, root_hash, split_hashes
from sealtrail.membership.records import Status

BEARER = {"Authorization": f"Bearer {LOG_TOKEN}"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path, (MAKER, WHOLESALER, AUDITOR, REGULATOR)) as made:
        yield made


def packs(first: int, count: int) -> list[str]:
    return [f"urn:epc:id:sgtin:4012345.011122.T{n}" for n in range(first, first + count)]


async def grown(world: PeersWorld, *sizes: int) -> Peer:
    """A node whose log was anchored at each of those sizes."""
    maker = await world.peer(MAKER)
    for size in sizes:
        first = maker.log.size
        new = size - first - 1  # the last is the index entry
        await maker.record(*(commissioning(MAKER, 10, epc) for epc in packs(first, new)))
        await maker.anchor()
    return maker


def size_of(note: bytes) -> int:
    return parse_note(note.decode()).checkpoint.size


def leaves(bundle: bytes) -> list[bytes]:
    """Read an entry bundle, as the standard says, in a way of its own."""
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


def item_keys(bundle: bytes) -> list[list[bytes]]:
    found = []
    while bundle:
        end = 4 + 32 * int.from_bytes(bundle[:4], "big")
        found.append(list(split_hashes(bundle[4:end])))
        bundle = bundle[end:]
    return found


async def read(peer: Peer, path: str) -> bytes:
    status, body, headers = await peer.get(peer, path, headers=BEARER)
    assert status == 200, body
    assert headers["Cache-Control"] in ("no-store", "private, max-age=31536000, immutable")
    return body


async def test_whoever_may_read_a_log_reads_all_of_it_and_its_root_follows(
    world: PeersWorld,
) -> None:
    maker = await grown(world, 600)
    note = parse_note((await read(maker, "/log/checkpoint")).decode()).checkpoint
    assert note.size == 600
    bundles = [await read(maker, f"/log/tile/entries/{n}") for n in ("000", "001", "002.p/88")]
    found = [leaf for bundle in bundles for leaf in leaves(bundle)]
    assert [len(leaf) for leaf in found] == [191] * 600
    assert root_hash([leaf_hash(leaf) for leaf in found]) == note.root_hash

    tiles = [await read(maker, f"/log/tile/0/{n}") for n in ("000", "001", "002.p/88")]
    assert b"".join(tiles) == b"".join(leaf_hash(leaf) for leaf in found)
    upper = await read(maker, "/log/tile/1/000.p/2")
    assert upper == b"".join(root_hash(split_hashes(tile)) for tile in tiles[:2])

    keys = [
        each
        for n in ("000", "001", "002.p/88")
        for each in item_keys(await read(maker, f"/log/tile/keys/{n}"))
    ]
    # the items root stands in the leaf: 101 bytes in, behind version, kind, member, time and disclosure root
    assert [root_hash(leaf_hash(key) for key in each) for each in keys] == [
        leaf[62:94] for leaf in found
    ]
    assert {len(each) for each in keys[1:-1]} == {2}  # the pack and its lot
    assert keys[0] == keys[-1] == []  # genesis, and the index entry


async def test_partial_tiles_are_there_for_published_sizes_only(world: PeersWorld) -> None:
    maker = await grown(world, 40, 300)
    for path in ("0/000.p/40", "0/000", "0/001.p/44", "1/000.p/1", "entries/000.p/40", "keys/000"):
        await read(maker, f"/log/tile/{path}")
    await maker.record(commissioning(MAKER, 20, *packs(9_000, 1)))  # in the log, in no checkpoint
    refused = [
        "0/000.p/39", "0/000.p/41", "0/001.p/45", "0/001.p/43", "0/001", "0/002.p/1", "1/000.p/2", "1/000", "2/000.p/1",
        "entries/001.p/45", "entries/001", "keys/001.p/1", "63/000.p/1", "0/x009/x223/x372/x036/x854/x775/807",
        "63/x009/x223/x372/x036/x854/x775/807.p/255",
    ]  # fmt: skip
    for path in refused:
        status, body, _ = await maker.get(maker, f"/log/tile/{path}", headers=BEARER)
        assert (status, b'"tile_unknown"' in body) == (404, True), path


async def read_undecoded(
    peer: Peer, path: str, coding: str | None
) -> tuple[bytes, Mapping[str, str]]:
    """Read as a client that decodes nothing; with no ``Accept-Encoding`` if ``coding`` is None."""
    headers = BEARER if coding is None else {**BEARER, "Accept-Encoding": coding}
    async with (
        aiohttp.ClientSession(
            auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
        ) as session,
        session.get(peer.url + path, headers=headers) as response,
    ):
        assert response.status == 200
        return await response.read(), response.headers


@pytest.mark.parametrize(
    ("coding", "compressed"),
    [
        (None, False),
        ("", False),
        ("identity", False),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip", True),
        ("GZIP;q=0.5, identity", True),
        ("br, x-gzip", True),
        ("identity;q=0, *", True),
    ],
)
async def test_entry_bundles_are_compressed_for_who_takes_gzip(
    world: PeersWorld, coding: str | None, compressed: bool
) -> None:
    maker = await grown(world, 300)
    for name in ("entries/000", "entries/001.p/44"):
        plain = await read(maker, f"/log/tile/{name}")
        body, headers = await read_undecoded(maker, f"/log/tile/{name}", coding)
        assert headers["Vary"] == "Accept-Encoding"
        assert headers.get("Content-Encoding") == ("gzip" if compressed else None)
        assert (gzip.decompress(body) if compressed else body) == plain
        assert len(body) == int(headers["Content-Length"])
        assert not compressed or len(body) < 0.8 * len(plain)


async def test_what_is_all_hashes_is_never_compressed(world: PeersWorld) -> None:
    maker = await grown(world, 300)
    for name in ("checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/keys/000"):
        _, headers = await read_undecoded(maker, f"/log/{name}", "gzip")
        assert not {"Content-Encoding", "Vary"} & set(headers), name


@pytest.mark.parametrize(
    "path",
    ["0/0", "0/000.p/256", "64/000", "x/000", "entries/000/", "0/%30%30%30.p/0", "0/..%2f000"],
)
async def test_a_path_that_names_no_tile_is_400(world: PeersWorld, path: str) -> None:
    maker = await grown(world, 3)
    status, body, _ = await maker.get(maker, f"/log/tile/{path}", headers=BEARER)
    assert (status, b'"tile_path_malformed"' in body) == (400, True)


async def test_a_log_without_an_anchor_shows_nothing(world: PeersWorld) -> None:
    maker = await world.peer(MAKER)
    for path in ("/log/checkpoint", "/log/tile/0/000.p/1", "/log/tile/entries/000.p/1"):
        status, body, _ = await maker.get(maker, path, headers=BEARER)
        assert (status, b'"checkpoint_missing"' in body) == (404, True)


async def test_a_checkpoint_is_shown_once_it_is_submitted_and_stays_shown(
    world: PeersWorld,
) -> None:
    maker = await grown(world, 5)
    world.chain.mines_itself = False
    await maker.record(commissioning(MAKER, 20, *packs(50, 1)))
    maker.ledger.down = True
    await maker.anchoring.beat()
    assert size_of(await read(maker, "/log/checkpoint")) == 5  # pending: nobody has seen it

    maker.ledger.down = False
    await maker.anchoring._sender.advance()
    assert size_of(await read(maker, "/log/checkpoint")) == 7
    status, _, _ = await maker.get(maker, "/log/tile/0/000.p/7", headers=BEARER)
    assert status == 200
    maker.database.write_sync(
        lambda c: c.execute("UPDATE anchor_outbox SET state = 'pending' WHERE sequence = 2")
    )
    assert size_of(await read(maker, "/log/checkpoint")) == 7


@pytest.mark.parametrize(
    "path", ["/log/checkpoint", "/log/tile/0/000.p/3", "/log/tile/keys/000.p/3"]
)
@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, b"token_missing"),
        ("Bearer wrong", 401, b"token_unknown"),
        (f"Bearer {OTHER_TOKEN}", 403, b"scope_missing"),
    ],
)
async def test_the_log_is_shown_to_tokens_of_its_scope_only(
    world: PeersWorld, path: str, authorization: str | None, status: int, code: bytes
) -> None:
    maker = await grown(world, 3)
    headers = {"Authorization": authorization} if authorization else {}
    answered, body, _ = await maker.get(maker, path, headers=headers)
    assert (answered, code in body) == (status, True)


@pytest.mark.parametrize("reader", [AUDITOR, REGULATOR])
async def test_auditors_and_regulators_read_a_log_as_members(
    world: PeersWorld, reader: Actor
) -> None:
    maker, other = await grown(world, 300), await world.peer(reader)
    status, note, _ = await other.get(maker, "/peer/v1/log/checkpoint")
    assert (status, size_of(note)) == (200, 300)
    for path in ("0/000", "0/001.p/44", "entries/000", "keys/001.p/44"):
        status, body, _ = await other.get(maker, f"/peer/v1/log/tile/{path}")
        assert (status, body) == (200, await read(maker, f"/log/tile/{path}"))


async def test_another_member_reads_no_log(world: PeersWorld) -> None:
    maker, wholesaler = await grown(world, 3), await world.peer(WHOLESALER)
    for path in ("/peer/v1/log/checkpoint", "/peer/v1/log/tile/0/000.p/3"):
        status, body, _ = await wholesaler.get(maker, path)
        assert (status, b'"role_missing"' in body) == (403, True)


async def test_a_member_route_wants_a_signature_and_takes_each_once(world: PeersWorld) -> None:
    maker, auditor = await grown(world, 3), await world.peer(AUDITOR)
    path = "/peer/v1/log/tile/0/000.p/3"
    status, _, _ = await auditor.get(maker, path, headers=BEARER)
    assert status == 401
    signed = auditor.signed(maker.url + path, b"", "GET")
    assert (await auditor.get(maker, path, headers=signed))[0] == 200
    status, body, _ = await auditor.get(maker, path, headers=signed)
    assert (status, b'"peer_request_replayed"' in body) == (401, True)
    elsewhere = auditor.signed(maker.url + "/peer/v1/log/checkpoint", b"", "GET")
    assert (await auditor.get(maker, path, headers=elsewhere))[0] == 401
    with_body = auditor.signed(maker.url + path, b"something", "GET")
    status, body, _ = await auditor.get(maker, path, headers=with_body)
    assert (status, b'"peer_signature_invalid"' in body) == (401, True)


async def test_an_auditor_that_is_suspended_reads_no_log(world: PeersWorld) -> None:
    maker, auditor = await grown(world, 3), await world.peer(AUDITOR)
    await world.announce(AUDITOR, status=Status.SUSPENDED)
    status, _, _ = await auditor.get(maker, "/peer/v1/log/checkpoint")
    assert status == 401
