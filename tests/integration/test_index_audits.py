"""Auditors' nodes recompute other members' item indexes over real HTTP, say so where they are right, and find lies."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import aiohttp
import msgspec
import pytest

from peers_world import AUDITING, LOG_TOKEN, Peer, PeersWorld, peers_world, until
from provenance_world import commissioning, derived, record_of
from scenarios import AUDITOR, MAKER, REGULATOR, WHOLESALER, Actor
from sealtrail.errors import NotFoundError, SealtrailError, UnavailableError
from sealtrail.evidence.bundle.audited import index_audited_by
from sealtrail.log.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    parse_note,
    sign_note,
)
from sealtrail.log.index_audit import (
    IndexAuditor,
    index_audit_name,
    sign_index_audit,
    verify_index_audit,
)
from sealtrail.log.item_index import IndexHead, encode_index_document
from sealtrail.log.tiles import TILE_WIDTH
from sealtrail.membership.records import Purpose, Role, Status
from sealtrail.peers.client import INDEX_AUDITS_PATH
from sealtrail.services.witnesses.index_auditing import AuditingLimits, IndexAuditing
from sealtrail.services.witnesses.index_audits_taken import encode_given
from sealtrail.services.witnesses.log_reading import ReadingLimits
from sealtrail.signing import Ed25519Signer, origin_of
from sealtrail.store.run_file import RunFile

BEARER = {"Authorization": f"Bearer {LOG_TOKEN}"}
Change = Callable[[str, bytes], bytes]
ENCODE = "sealtrail.services.own_log.item_index.encode_index_document"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path, (MAKER, WHOLESALER, AUDITOR, REGULATOR)) as made:
        yield made


def packs(first: int, count: int) -> list[str]:
    return [f"urn:epc:id:sgtin:4012345.011122.I{n}" for n in range(first, first + count)]


async def grow(peer: Peer, count: int) -> None:
    """Record so many packs, and anchor them."""
    first = peer.log.size
    await peer.record(*(commissioning(MAKER, 10, epc) for epc in packs(first, count)))
    await peer.anchor()
    for other in peer.world.nodes.values():
        await other.follower.check_now()


def auditor_of(world: PeersWorld, actor: Actor) -> IndexAuditor:
    return IndexAuditor(
        index_audit_name(origin_of(world.domain, actor.member)),
        Ed25519Signer(derived(actor.name, "witness")).public_key,
    )


async def shown(peer: Peer) -> SignedCheckpoint:
    status, note, _ = await peer.get(peer, "/log/checkpoint", headers=BEARER)
    assert status == 200
    return parse_note(note.decode())


def failure_of(auditing: IndexAuditing, actor: Actor) -> str | None:
    failure = auditing._courses.failure(actor.member)
    return failure.code if failure else None


async def failed(auditing: IndexAuditing, actor: Actor, code: str) -> None:
    await until(lambda: failure_of(auditing, actor) == code, f"the failure {code}")


async def kept(peer: Peer, count: int = 1) -> None:
    """Wait until the node has so many audits of its index."""
    await until(lambda: len(peer.sql("SELECT 1 FROM index_audit")) >= count, f"{count} audits")


async def audit(auditor: Peer, of: Peer, limits: AuditingLimits = AUDITING) -> IndexAuditing:
    """Audit one log once; raise what came of it."""
    auditing = auditor.audit_service(limits)
    record = await auditor.database.read(
        lambda c: auditor.networks.view(c).record(of.actor.member, None)
    )
    assert record is not None
    await auditing._audit(record)
    return auditing


async def code_of_audit(auditor: Peer, of: Peer) -> str | None:
    """Audit one log once; return the code of the failure."""
    try:
        await audit(auditor, of)
    except SealtrailError as error:
        return error.code
    return None


def requests_of(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the tiles that the node is asked for from now on."""
    asked: list[str] = []
    tile = peer.published.tile

    async def noting(path: str) -> bytes:
        asked.append(path)
        return await tile(path)

    monkeypatch.setattr(peer.published, "tile", noting)
    return asked


async def test_an_honest_log_is_audited_and_shows_it(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    regulator = await world.peer(REGULATOR)
    await grow(maker, 300)
    running = [await each.audit_others() for each in (auditor, regulator)]
    both = sorted([auditor_of(world, AUDITOR), auditor_of(world, REGULATOR)])
    await kept(maker, 2)
    signed = await shown(maker)
    assert [s.name for s in signed.signatures[1:]] == [each.name for each in both]
    for line, each in zip(signed.signatures[1:], both, strict=True):
        verify_index_audit(signed.checkpoint, line, each)
    found = await auditor.database.read(
        lambda c: index_audited_by(signed.checkpoint, signed.signatures, auditor.networks.view(c))
    )
    assert found.members == tuple(sorted([AUDITOR.member, REGULATOR.member]))
    assert not found.wrong
    status = {each.member: each for each in await running[0].status()}
    of_maker = status["0x" + MAKER.member.hex()]
    assert (of_maker.audited_size, of_maker.failure) == (signed.checkpoint.size, None)
    assert not await auditor.watch.findings(count_max=10)
    assert not await maker.watch.findings(count_max=10)


async def test_who_is_no_auditor_audits_nobody(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await grow(maker, 3)
    auditing = wholesaler.audit_service()
    assert await wholesaler.database.read(auditing._audited) == []


@pytest.mark.parametrize(
    ("settings", "audited"),
    [
        ({}, {MAKER.member, WHOLESALER.member}),
        ({"logs": "none"}, set()),
        ({"logs": "listed", "members": ["0x" + MAKER.member.hex()]}, {MAKER.member}),
        ({"logs": "listed"}, set()),
    ],
)
async def test_whose_logs_are_audited_is_set(
    world: PeersWorld, settings: dict[str, Any], audited: set[bytes]
) -> None:
    for actor in (MAKER, WHOLESALER):
        await world.peer(actor)
    auditor = await world.peer(AUDITOR)
    await world.announce(REGULATOR, node_url="")
    auditing = auditor.audit_service(**settings)
    found = {r.member for r in await auditor.database.read(auditing._audited)}
    assert found == audited
    await world.announce(AUDITOR, node_url=auditor.url, keys=record_of(AUDITOR).keys[:3])
    assert (
        await auditor.database.read(auditing._audited) == []
    )  # its witness key is registered no more


async def test_the_next_audit_reads_only_what_is_new(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 2500)  # 5,000 postings: a run of its own, and a tail
    asked = requests_of(maker, monkeypatch)
    await audit(auditor, maker)
    assert len(asked) == 2 * -(-maker.log.size // TILE_WIDTH)
    asked.clear()
    await audit(auditor, maker)  # the same checkpoint: nothing to read
    assert asked == []
    await grow(maker, 30)
    await audit(auditor, maker)
    size = maker.log.size
    last = f"{size // TILE_WIDTH:03d}.p/{size % TILE_WIDTH}"
    assert asked == [f"entries/{last}", f"keys/{last}"]
    signed = await shown(maker)
    verify_index_audit(signed.checkpoint, signed.signatures[1], auditor_of(world, AUDITOR))


async def test_runs_are_merged_as_the_log_grows(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    for count in (6000, 6400):  # 12,000 postings, then 24,800: four runs are one
        await grow(maker, count)
        await audit(auditor, maker)
    (folder,) = auditor.audits_folder.iterdir()
    runs = sorted(RunFile.open(path).head.run.postings for path in folder.glob("*.run"))
    assert runs == [4096, 4096, 16384]
    assert len((await shown(maker)).signatures) == 2


def lie_from_now_on(peer: Peer, monkeypatch: pytest.MonkeyPatch, **lie: Any) -> None:
    """Have the node's index entries say something else than its index."""
    append = peer.index._append_entry

    def lying(connection: Connection, head: IndexHead) -> None:
        said = encode_index_document(msgspec.structs.replace(head, **lie))
        with monkeypatch.context() as patch:
            patch.setattr(ENCODE, lambda _: said)
            append(connection, head)

    monkeypatch.setattr(peer.index, "_append_entry", lying)


@pytest.mark.parametrize("lie", [{"root_hash": b"\x07" * 32}, {"postings": 599}, {"covers": 300}])
async def test_an_index_that_lies_is_found(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 20)
    await audit(auditor, maker)
    lie_from_now_on(maker, monkeypatch, **lie)
    await grow(maker, 280)
    honest = await maker.database.read(
        lambda c: c.execute("SELECT covers, postings, root_hash FROM item_index").fetchall()
    )
    asked = requests_of(maker, monkeypatch)
    auditing = await auditor.audit_others()
    await failed(auditing, MAKER, "item_index_wrong")
    ((_, finding),) = await auditor.watch.findings(count_max=10)
    assert (finding.code, finding.member) == ("item_index_wrong", MAKER.member)
    signed = await shown(maker)
    assert len(signed.signatures) == 1  # nobody vouches for it
    assert finding.wrong_index is not None
    assert parse_note(finding.wrong_index.note) == signed
    covers, postings, root = max(honest)
    assert json.loads(finding.wrong_index.recomputed) == {
        "covers": covers,
        "postings": postings,
        "root": "0x" + root.hex(),
        "type": "sealtrail/item-index/1",
    }
    # before it said so, it read all of the log anew
    assert asked.count("entries/000") == 2
    async with (
        aiohttp.ClientSession(headers=BEARER) as session,
        session.get(f"{auditor.url}/v1/log-findings") as response,
    ):
        (view,) = (await response.json())["findings"]
    assert view["recomputed"] == json.loads(finding.wrong_index.recomputed)
    assert view["checkpoints"] == [{"note": finding.wrong_index.note}]


async def test_what_was_kept_here_accuses_nobody(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 2500)
    await audit(auditor, maker)
    (folder,) = auditor.audits_folder.iterdir()
    # the run says of itself that it is whole, and is another
    (run,) = folder.glob("*.run")
    data = bytearray(run.read_bytes())
    footer = data[-(sha256().digest_size + 32 + 8 * 3 + 32 + 32) :]
    begin = len(data) - len(footer)
    data[begin + 32 + 24] ^= 1  # its root
    data[-32:] = sha256(data[begin:-32]).digest()
    run.write_bytes(data)
    await grow(maker, 5)
    asked = requests_of(maker, monkeypatch)
    await audit(auditor, maker)
    assert "entries/000" in asked  # read anew
    assert not await auditor.watch.findings(count_max=10)
    assert len((await shown(maker)).signatures) == 2


@pytest.mark.parametrize("damage", ["state", "run", "run gone", "folder gone"])
async def test_a_damaged_mirror_is_read_again(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 2500)
    await audit(auditor, maker)
    (folder,) = auditor.audits_folder.iterdir()
    path = folder / "state" if damage == "state" else next(folder.glob("*.run"))
    if damage == "folder gone":
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
    elif damage == "run gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    await grow(maker, 5)
    asked = requests_of(maker, monkeypatch)
    await audit(auditor, maker)
    assert "entries/000" in asked
    assert len((await shown(maker)).signatures) == 2


def tampering(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, change: Callable[[str, bytes], bytes]
) -> None:
    """Have the node's tiles changed on their way out."""
    tile = peer.published.tile

    async def changed(path: str) -> bytes:
        return change(path, await tile(path))

    monkeypatch.setattr(peer.published, "tile", changed)


def in_keys(change: Callable[[bytes], bytes]) -> Change:
    return lambda path, body: change(body) if path.startswith("keys/001") else body


def in_entries(change: Callable[[bytes], bytes]) -> Change:
    return lambda path, body: change(body) if path.startswith("entries/001") else body


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda body: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


HOSTILE: list[tuple[Change, str]] = [
    (in_keys(lambda body: body[:-10]), "bundle_malformed"),
    (in_keys(lambda _: b""), "bundle_malformed"),
    (in_keys(lambda body: body + b"\0"), "bundle_malformed"),
    (in_keys(lambda body: b"\xff" * 4 + body), "bundle_malformed"),
    (in_keys(lambda body: bytes(4 * 45)), "item_keys_differ"),
    (in_keys(flipped(40)), "item_keys_differ"),
    # the same keys in another order have the same root
    (in_keys(lambda b: b[:4] + b[36:68] + b[4:36] + b[68:]), "item_keys_differ"),
    (in_keys(lambda b: b"\0\0\0\3" + b[4:36] + b[4:]), "item_keys_differ"),
    (in_entries(lambda body: body[:-1]), "bundle_malformed"),
    (in_entries(lambda body: body[:193]), "bundle_malformed"),
    (in_entries(lambda body: body + b"\0\0"), "bundle_malformed"),
    (in_entries(lambda body: bytes(2 * 45)), "leaf_length"),
    (in_entries(lambda body: bytes(60_000)), "peer_answer_malformed"),
    (in_entries(flipped(2)), "leaf_version"),
    (in_entries(flipped(20)), "log_leaves_differ"),
]


async def test_hostile_bytes_are_no_audit_and_no_finding(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 299)
    for number, (change, code) in enumerate(HOSTILE):
        with monkeypatch.context() as hostile:
            tampering(maker, hostile, change)
            assert (number, await code_of_audit(auditor, maker)) == (number, code)
        if code != "log_leaves_differ":  # nothing of what was taken before is looked at again
            shutil.rmtree(auditor.audits_folder)
    assert not await auditor.watch.findings(count_max=10)
    assert len((await shown(maker)).signatures) == 1
    await audit(
        auditor, maker
    )  # it shows what it signed, and what was read meanwhile harms nothing
    assert len((await shown(maker)).signatures) == 2


async def test_a_log_that_withholds_a_key_bundle_is_not_audited(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 299)

    def withheld(path: str, body: bytes) -> bytes:
        if path.startswith("keys/001"):
            raise NotFoundError("tile_unknown", "no")
        return body

    with monkeypatch.context() as hostile:
        tampering(maker, hostile, withheld)
        auditing = await auditor.audit_others(logs="listed", members=["0x" + MAKER.member.hex()])
        await failed(auditing, MAKER, "peer_not_taking")
        asked = requests_of(maker, hostile)
        await until(lambda: asked)
        assert "entries/000" not in asked  # what was read stays read
        assert not await auditor.watch.findings(count_max=10)
        assert auditing.failing == 1
        assert len((await shown(maker)).signatures) == 1


async def test_a_silent_member_holds_up_no_other(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    auditor = await world.peer(AUDITOR)
    await grow(maker, 3)
    await grow(wholesaler, 3)
    ended = asyncio.Event()

    async def silent(path: str) -> bytes:
        await ended.wait()
        return b""

    monkeypatch.setattr(maker.published, "tile", silent)
    limits = msgspec.structs.replace(AUDITING, logs_at_once=1, reading=ReadingLimits(seconds=0.3))
    auditing = await auditor.audit_others(limits)
    await failed(auditing, MAKER, "log_reading_cut")
    await kept(wholesaler)
    ended.set()


async def test_a_reading_that_is_cut_goes_on_and_what_it_finds_is_found(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    lie_from_now_on(maker, monkeypatch, root_hash=b"\x07" * 32)
    await grow(maker, 600)
    asked = 0
    ended = asyncio.Event()
    tile = maker.published.tile

    async def slow(path: str) -> bytes:
        nonlocal asked
        asked += 1
        if asked % 3 == 0:  # after each bundle of entries and keys
            await ended.wait()
        return await tile(path)

    monkeypatch.setattr(maker.published, "tile", slow)
    limits = msgspec.structs.replace(AUDITING, reading=ReadingLimits(seconds=0.3))
    auditing = await auditor.audit_others(limits)
    await until(lambda: auditor.watch.counts)
    ((_, finding),) = await auditor.watch.findings(count_max=10)
    assert finding.code == "item_index_wrong"
    assert auditing.failed >= 3
    ended.set()


async def test_a_checkpoint_that_the_chain_does_not_show_is_not_read(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    world.chain.mines_itself = False
    await maker.record(commissioning(MAKER, 20, *packs(50, 1)))
    await maker.anchoring.beat()
    await maker.anchoring._sender.advance()
    asked = requests_of(maker, monkeypatch)
    auditing = await auditor.audit_others()
    await failed(auditing, MAKER, "checkpoint_not_anchored")
    assert asked == []
    world.chain.mine(2)
    await auditor.follower.check_now()
    await kept(maker)


async def test_a_log_without_an_index_entry_at_its_end_is_not_audited(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)

    async def no_entry() -> Any:
        return maker.log.head()

    monkeypatch.setattr(maker.index, "end_log", no_entry)
    await grow(maker, 3)
    auditing = await auditor.audit_others()
    await failed(auditing, MAKER, "index_entry_missing")
    assert not await auditor.watch.findings(count_max=10)


async def test_a_log_larger_than_is_kept_is_not_audited(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 20)
    limits = msgspec.structs.replace(AUDITING, reading=ReadingLimits(postings_max=30))
    auditing = await auditor.audit_others(limits)
    await failed(auditing, MAKER, "log_too_large")


class Served(str):
    """A note of any bytes."""

    body: bytes

    def encode(self, *_: Any) -> bytes:
        return self.body


async def test_a_checkpoint_that_is_not_its_logs_is_refused(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    first = await maker.published.checkpoint()
    await grow(maker, 3)
    await audit(auditor, maker)
    await grow(maker, 3)
    own = await maker.published.checkpoint()
    key = Ed25519Signer(derived(MAKER.name, "log"))
    newest = parse_note(own).checkpoint
    fork = sign_note(Checkpoint(newest.origin, newest.size, b"\x09" * 32), key)
    auditor.database.write_sync(
        lambda c: c.execute(
            "INSERT INTO witnessed_log VALUES (?, ?, ?, ?, 1)",
            (MAKER.member, newest.size, b"\x09" * 32, fork),
        )
    )
    served: list[tuple[bytes | str, str]] = [
        (b"", "note_malformed"),
        (b"\xff\xfe", "note_malformed"),
        (b"x" * 40_000, "peer_answer_malformed"),
        (own.replace(MAKER.member.hex(), WHOLESALER.member.hex()), "note_of_another_log"),
        (own.replace("\u2014 sealtrail/", "\u2014 sealtrail-x/"), "note_unsigned"),
        (first.partition("\n\n")[0] + "\n\n" + own.partition("\n\n")[2], "signature_wrong"),
        (first, "log_shrank"),
        (own, "log_forked"),
    ]
    for note, code in served:
        answer = Served()
        answer.body = note if isinstance(note, bytes) else note.encode()

        async def checkpoint(answer: Served = answer) -> str:
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(maker.published, "checkpoint", checkpoint)
            assert (await code_of_audit(auditor, maker), note) == (code, note)
    assert [f.code for _, f in await auditor.watch.findings(count_max=10)] == ["log_forked"]


# -- the audited side ------------------------------------------------------------------------------------


async def post(sender: Peer, to: Peer, body: bytes) -> tuple[int, dict[str, Any]]:
    url = to.url + INDEX_AUDITS_PATH
    headers = {**sender.signed(url, body), "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as response,
    ):
        return response.status, await response.json(content_type=None)


async def given(world: PeersWorld, maker: Peer, by: Actor, **changes: Any) -> bytes:
    """Return the body in which a member audits the newest checkpoint."""
    checkpoint = (await shown(maker)).checkpoint
    name = changes.get("name", index_audit_name(origin_of(world.domain, by.member)))
    key = Ed25519Signer(derived(by.name, changes.get("key", "witness")))
    seconds = changes.get("seconds", 1_700_000_000)
    made = sign_index_audit(changes.get("signed", checkpoint), name, key, seconds)
    return encode_given(changes.get("hash", checkpoint.hash), made)


async def test_an_audit_is_kept_once(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    body = await given(world, maker, AUDITOR)
    assert await post(auditor, maker, body) == (200, {"known": False})
    assert await post(auditor, maker, body) == (200, {"known": True})
    later = await given(world, maker, AUDITOR, seconds=1_700_000_009)
    assert await post(auditor, maker, later) == (200, {"known": True})
    signed = await shown(maker)
    (_, line) = signed.signatures
    found = verify_index_audit(signed.checkpoint, line, auditor_of(world, AUDITOR))
    assert found.signed_at == 1_700_000_000
    assert maker.audits_taken.taken == 1


async def test_another_statement_is_refused(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    wholesaler = await world.peer(WHOLESALER)
    await grow(maker, 3)
    other = msgspec.structs.replace((await shown(maker)).checkpoint, size=99)
    cases: list[tuple[Peer, dict[str, Any], int, str]] = [
        (wholesaler, {}, 403, "role_missing"),
        (auditor, {"hash": b"\x01" * 32}, 404, "checkpoint_unknown"),
        (auditor, {"key": "peer"}, 422, "index_audit_of_another"),
        (auditor, {"name": "sealtrail-index-audit/x"}, 422, "index_audit_of_another"),
        (auditor, {"seconds": 9_999_999_999}, 422, "index_audit_in_future"),
        (auditor, {"signed": other}, 422, "signature_wrong"),
    ]
    for sender, changes, status, code in cases:
        body = await given(world, maker, sender.actor, **changes)
        answered, problem = await post(sender, maker, body)
        assert (answered, problem["code"]) == (status, code), changes
    assert len((await shown(maker)).signatures) == 1


async def test_another_members_statement_is_not_handed_on(world: PeersWorld) -> None:
    maker, regulator = await world.peer(MAKER), await world.peer(REGULATOR)
    await grow(maker, 3)
    body = await given(world, maker, AUDITOR)
    answered, problem = await post(regulator, maker, body)
    assert (answered, problem["code"]) == (422, "index_audit_of_another")


async def test_a_key_that_was_reported_compromised_audits_nothing(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    keys = tuple(
        msgspec.structs.replace(k, compromised_since=1, compromise_reported=1)
        if k.purpose is Purpose.WITNESS
        else k
        for k in record_of(AUDITOR).keys
    )
    await world.announce(AUDITOR, node_url=auditor.url, keys=keys)
    answered, problem = await post(auditor, maker, await given(world, maker, AUDITOR))
    assert (answered, problem["code"]) == (422, "index_audit_of_another")


async def test_who_is_auditor_no_more_audits_nothing(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    body = await given(world, maker, AUDITOR)
    await world.announce(AUDITOR, node_url=auditor.url, roles=Role.DISTRIBUTOR)
    answered, problem = await post(auditor, maker, body)
    assert (answered, problem["code"]) == (403, "role_missing")
    await world.announce(AUDITOR, node_url=auditor.url, status=Status.SUSPENDED)
    assert (await post(auditor, maker, body))[0] == 401


MALFORMED: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda _: b"[]",
    lambda _: b"\xff",
    lambda _: b"[" * 2000,
    lambda _: b'{"checkpoint":"0x00","line":""}',
    lambda b: b + b" ",
    lambda b: b.replace(b'{"checkpoint":', b'{ "checkpoint":'),
    lambda b: b.replace(b'{"checkpoint":', b'{"x":1,"checkpoint":'),
    lambda b: b.replace(b'"0x', b'"0X'),
    lambda b: b.replace(b'"0x', b'"0x00'),
    lambda b: b.replace(b'\\n"', b'"'),
    lambda b: b.replace(b'"line":"', b'"line":"' + b.partition(b'"line":"')[2][:-2]),
]


async def test_a_malformed_body_is_refused(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    whole = await given(world, maker, AUDITOR)
    for number, change in enumerate(MALFORMED):
        answered, problem = await post(auditor, maker, change(whole))
        assert (number, answered, problem["code"]) == (number, 400, "index_audit_malformed")
    assert len((await shown(maker)).signatures) == 1


async def test_a_large_body_and_an_unsigned_one_are_refused(world: PeersWorld) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    answered, problem = await post(auditor, maker, b"x" * 3000)
    assert (answered, problem["code"]) == (413, "body_too_large")
    async with (
        aiohttp.ClientSession() as session,
        session.post(maker.url + INDEX_AUDITS_PATH, data=b"{}") as response,
    ):
        assert response.status == 401


async def test_what_could_not_be_delivered_is_delivered_later(
    world: PeersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
    await grow(maker, 3)
    take = maker.audits_taken.take

    async def away(body: bytes, sender: bytes) -> bool:
        raise UnavailableError("store_busy", "not now")

    monkeypatch.setattr(maker.audits_taken, "take", away)
    auditing = await auditor.audit_others()
    await failed(auditing, MAKER, "peer_not_taking")
    (status,) = [s for s in await auditing.status() if s.member == "0x" + MAKER.member.hex()]
    assert (status.audited_size, status.is_delivered) == (maker.log.size, False)
    asked = requests_of(maker, monkeypatch)
    monkeypatch.setattr(maker.audits_taken, "take", take)
    await kept(maker)
    assert asked == []
    assert auditing.audited == 1
