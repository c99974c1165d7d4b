"""A log's partners cosign its checkpoints: each for itself, whatever the others do, and what is shown was verified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from peers_world import LOG_TOKEN, Peer, PeersWorld, peers_world, until
from provenance_world import commissioning, derived, record_of
from scenarios import MAKER, PHARMACY, WHOLESALER, Actor
from sealtrail.config import WitnessesSettings
from sealtrail.config.settings import OtherWitnessSettings
from sealtrail.errors import InputError
from sealtrail.log.add_checkpoint import parse_add_checkpoint
from sealtrail.log.checkpoint import Checkpoint, SignedCheckpoint, encode_signatures, parse_note
from sealtrail.log.cosignature import Witness, cosign, find_cosignature, witness_name
from sealtrail.membership.records import Purpose, Status
from sealtrail.services.witnesses.witness_list import WitnessList
from sealtrail.signing import Ed25519Signer, origin_of

SIZES = (
    3,
    5,
    7,
)  # the genesis entry, and for each anchor an event and the index entry that ends it
BEARER = {"Authorization": f"Bearer {LOG_TOKEN}"}
OTHER_KEY = Ed25519Signer(b"\x0a" * 32)
OTHER = Witness("a.witness.example/w1", OTHER_KEY.public_key)
Answer = Callable[[bytes], Awaitable[web.Response]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path) as made:
        yield made


def identity(world: PeersWorld, actor: Actor) -> Witness:
    return Witness(
        witness_name(origin_of(world.domain, actor.member)),
        Ed25519Signer(derived(actor.name, "witness")).public_key,
    )


async def grow(peer: Peer, serial: str) -> None:
    """Record something, and anchor it."""
    await peer.record(commissioning(MAKER, 10, f"urn:epc:id:sgtin:4012345.011122.{serial}"))
    await peer.anchor()


async def shown(peer: Peer) -> SignedCheckpoint:
    status, note, _ = await peer.get(peer, "/log/checkpoint", headers=BEARER)
    assert status == 200
    return parse_note(note.decode())


async def cosigned(peer: Peer, size: int, *witnesses: Witness) -> SignedCheckpoint:
    """Wait until a checkpoint of that size is shown with these cosignatures; return it."""
    while True:
        signed = await shown(peer)
        names = {(s.name, s.key_id) for s in signed.signatures}
        if signed.checkpoint.size == size and {(w.name, w.key_id) for w in witnesses} <= names:
            return signed
        await asyncio.sleep(0.01)


@asynccontextmanager
async def other_witness(answer: Answer) -> AsyncIterator[str]:
    """Serve as a witness that answers as it likes; give its submission prefix."""

    async def add_checkpoint(request: web.Request) -> web.StreamResponse:
        return await answer(await request.read())

    application = web.Application()
    application.add_routes([web.post("/w/add-checkpoint", add_checkpoint)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/w"
    finally:
        await runner.cleanup()


def asking(prefix: str, ask: str = "all") -> WitnessesSettings:
    return WitnessesSettings(
        ask=ask,  # type: ignore[arg-type]
        others=[OtherWitnessSettings(url=prefix, verifier_key=OTHER.verifier_key)],
    )


async def honest(body: bytes) -> web.Response:
    checkpoint = parse_add_checkpoint(body).signed().checkpoint
    line = cosign(checkpoint, OTHER.name, OTHER_KEY, 1_700_000_000).note_signature
    return web.Response(text=encode_signatures([line]))


@pytest.mark.parametrize("partners", [1, 2])
async def test_partners_cosign_each_checkpoint_and_it_is_shown_so(
    world: PeersWorld, partners: int
) -> None:
    others = [WHOLESALER, PHARMACY][:partners]
    for each in others:
        await world.peer(each)
    maker = await world.peer(MAKER)
    await maker.ask_witnesses()
    witnesses = [identity(world, each) for each in others]
    async with asyncio.timeout(60):
        for size in SIZES:
            await grow(maker, f"S{size}")
            signed = await cosigned(maker, size, *witnesses)
            for each in witnesses:
                find_cosignature(signed.checkpoint, signed.signatures, each)
            # the log's own line first, then by name and key
            names = [s.name for s in signed.signatures]
            assert names == [signed.checkpoint.origin, *sorted(w.name for w in witnesses)]
    states = await maker.cosigning.status() if maker.cosigning else []
    assert {s.cosigned_size for s in states if s.name in {w.name for w in witnesses}} == {SIZES[-1]}


async def test_a_witness_that_was_away_goes_on_from_where_it_was(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.ask_witnesses()
    witness = identity(world, WHOLESALER)
    async with asyncio.timeout(60):
        await grow(maker, "A1")
        await cosigned(maker, 3, witness)
        await wholesaler.hang_up()
        await grow(maker, "A2")
        await grow(maker, "A3")
        assert (await shown(maker)).checkpoint.size == 7  # nothing waited for the witness
        await wholesaler.listen()
        await cosigned(maker, 7, witness)


async def test_what_the_witness_says_of_its_size_counts_not_what_is_kept_here(
    world: PeersWorld,
) -> None:
    maker, _ = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.ask_witnesses()
    witness = identity(world, WHOLESALER)
    async with asyncio.timeout(60):
        await grow(maker, "B1")
        await cosigned(maker, 3, witness)
        maker.database.write_sync(lambda c: c.execute("DELETE FROM cosignature"))
        maker.database.write_sync(lambda c: c.execute("DELETE FROM witness"))
        await grow(maker, "B2")
        await cosigned(maker, 5, witness)


async def test_a_slow_witness_delays_neither_anchors_nor_others(world: PeersWorld) -> None:
    released, held = asyncio.Event(), 0

    async def slow(body: bytes) -> web.Response:
        nonlocal held
        held += 1
        await released.wait()
        return await honest(body)

    maker, _ = await world.peer(MAKER), await world.peer(WHOLESALER)
    async with other_witness(slow) as prefix, asyncio.timeout(60):
        await maker.ask_witnesses(asking(prefix))
        for size in SIZES:
            await grow(maker, f"C{size}")
            await cosigned(maker, size, identity(world, WHOLESALER))
        assert held == 1  # not asked again while it is being asked
        released.set()
        await cosigned(maker, 7, OTHER, identity(world, WHOLESALER))


def problem(status: int) -> Answer:
    async def answer(_: bytes) -> web.Response:
        return web.Response(status=status, text="no")

    return answer


async def _size(size: str) -> web.Response:
    return web.Response(status=409, text=size, headers={"Content-Type": "text/x.tlog.size"})


async def _by_another_key(body: bytes) -> web.Response:
    checkpoint = parse_add_checkpoint(body).signed().checkpoint
    key = Ed25519Signer(b"\x0b" * 32)
    line = cosign(checkpoint, OTHER.name, key, 1_700_000_000).note_signature
    return web.Response(text=encode_signatures([line]))


async def _of_another_tree(body: bytes) -> web.Response:
    origin = parse_add_checkpoint(body).origin
    line = cosign(Checkpoint(origin, 9, bytes(32)), OTHER.name, OTHER_KEY, 1_700_000_000)
    return web.Response(text=encode_signatures([line.note_signature]))


async def _in_the_future(body: bytes) -> web.Response:
    checkpoint = parse_add_checkpoint(body).signed().checkpoint
    line = cosign(checkpoint, OTHER.name, OTHER_KEY, 99_000_000_000).note_signature
    return web.Response(text=encode_signatures([line]))


async def _text(_: bytes) -> web.Response:
    return web.Response(text="hello\n")


async def _much(_: bytes) -> web.Response:
    return web.Response(text="x" * 1_000_000)


async def _elsewhere(_: bytes) -> web.Response:
    return web.Response(status=307, headers={"Location": "/w/add-checkpoint"})


HOSTILE: dict[str, tuple[Answer, str]] = {
    "403": (problem(403), "witness_refused"),
    "404": (problem(404), "witness_refused"),
    "422": (problem(422), "witness_refused"),
    "409 without a size": (problem(409), "witness_refused"),
    "429": (problem(429), "witness_not_taking"),
    "503": (problem(503), "witness_not_taking"),
    "a larger size": (lambda _: _size("1000000\n"), "witness_saw_another_log"),
    "the size it was told": (lambda _: _size("0\n"), "witness_saw_another_log"),
    "a size that moves": (lambda _: _size("1\n"), "witness_busy"),
    "no size": (lambda _: _size("-1\n"), "witness_refused"),
    "another key": (_by_another_key, "cosignature_missing"),
    "another tree": (_of_another_tree, "signature_wrong"),
    "a time to come": (_in_the_future, "cosignature_in_future"),
    "text": (_text, "note_malformed"),
    "much": (_much, "peer_answer_malformed"),
    "a redirection": (_elsewhere, "witness_not_taking"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_cosignature_is_not_kept_and_others_go_on(
    world: PeersWorld, name: str
) -> None:
    answer, code = HOSTILE[name]
    maker, _ = await world.peer(MAKER), await world.peer(WHOLESALER)
    async with other_witness(answer) as prefix, asyncio.timeout(60):
        cosigning = await maker.ask_witnesses(asking(prefix))
        await grow(maker, "D1")
        await cosigned(maker, 3, identity(world, WHOLESALER))
        await until(lambda: cosigning.failing and cosigning.failed > 1, "the failures")
        (told,) = [s for s in await cosigning.status() if s.name == OTHER.name]
        assert (told.failure or "").startswith(code)
        assert told.cosigned_size == 0
        assert OTHER.name not in {s.name for s in (await shown(maker)).signatures}


async def test_a_witness_behind_a_proxy_that_compresses_is_heard(world: PeersWorld) -> None:
    async def compressed_if_asked(body: bytes) -> web.Response:
        response = await honest(body)
        response.enable_compression()
        return response

    maker = await world.peer(MAKER)
    async with other_witness(compressed_if_asked) as url:
        await maker.ask_witnesses(asking(url))
        await grow(maker, "C")
        signed = await cosigned(maker, 3, OTHER)
    assert find_cosignature(signed.checkpoint, signed.signatures, OTHER)


async def test_a_witness_that_mends_its_ways_is_heard(world: PeersWorld) -> None:
    answers: list[Answer] = [problem(503), _text, honest]

    async def mending(body: bytes) -> web.Response:
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(body)

    maker = await world.peer(MAKER)
    async with other_witness(mending) as prefix, asyncio.timeout(60):
        cosigning = await maker.ask_witnesses(asking(prefix, "none"))
        await grow(maker, "E1")
        await cosigned(maker, 3, OTHER)
        assert (cosigning.received, cosigning.failed) == (1, 2)
        await until(lambda: cosigning.failing == 0, "the failure to be over")


async def test_who_is_asked_is_the_operators_choice(world: PeersWorld) -> None:
    maker = await world.peer(MAKER)
    await world.peer(WHOLESALER)
    await world.peer(PHARMACY)
    network = maker.database.read_sync(lambda c: maker.networks.view(c).network())

    def names(**settings: object) -> list[str]:
        made = WitnessList(
            WitnessesSettings(**settings),  # type: ignore[arg-type]
            domain=world.domain,
            member=MAKER.member,
        )
        return [each.witness.name for each in made.of(network)]

    wholesaler, pharmacy = (identity(world, a).name for a in (WHOLESALER, PHARMACY))
    other = OtherWitnessSettings(url="https://w.example/x", verifier_key=OTHER.verifier_key)
    assert names() == [wholesaler, pharmacy]
    assert names(ask="none") == []
    assert names(ask="listed", members=["0x" + PHARMACY.member.hex()]) == [pharmacy]
    assert names(ask="none", others=[other]) == [OTHER.name]
    assert names(others=[other, other]) == [OTHER.name, wholesaler, pharmacy]


async def test_members_that_are_suspended_or_without_a_fit_key_are_not_asked(
    world: PeersWorld,
) -> None:
    maker = await world.peer(MAKER)
    await world.peer(WHOLESALER)
    await world.peer(PHARMACY)
    await world.announce(WHOLESALER, status=Status.SUSPENDED)
    keys = tuple(k for k in record_of(PHARMACY).keys if k.purpose is not Purpose.WITNESS)
    await world.announce(PHARMACY, keys=keys)
    network = maker.database.read_sync(lambda c: maker.networks.view(c).network())
    made = WitnessList(WitnessesSettings(), domain=world.domain, member=MAKER.member)
    assert made.of(network) == []


def test_a_configured_key_that_is_no_witnesss_is_refused_by_its_place(world: PeersWorld) -> None:
    bad = OtherWitnessSettings(
        url="https://w.example", verifier_key=OTHER.verifier_key.replace("w1", "w2")
    )
    good = OtherWitnessSettings(url="https://w.example", verifier_key=OTHER.verifier_key)
    with pytest.raises(InputError) as refused:
        WitnessList(WitnessesSettings(others=[good, bad]), domain=world.domain, member=MAKER.member)
    assert refused.value.code == "verifier_key_malformed"
    assert refused.value.pointer == "witnesses.others[1].verifier_key"


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:9", "http://a\u0300..b:80", "http://[::1", "ftp://x", "http://" + "a" * 300],
)
async def test_a_members_url_that_leads_nowhere_harms_nobody(world: PeersWorld, url: str) -> None:
    maker = await world.peer(MAKER)
    await world.announce(WHOLESALER, node_url=url)
    await world.peer(PHARMACY)
    cosigning = await maker.ask_witnesses()
    async with asyncio.timeout(60):
        await grow(maker, "F1")
        await cosigned(maker, 3, identity(world, PHARMACY))
        await until(lambda: cosigning.failing == 1, "the failure")


async def test_nobody_but_the_witness_is_told_of_a_checkpoint_before_it_is_submitted(
    world: PeersWorld,
) -> None:
    asked: list[int] = []

    async def remember(body: bytes) -> web.Response:
        asked.append(parse_add_checkpoint(body).signed().checkpoint.size)
        return await honest(body)

    maker = await world.peer(MAKER)
    async with other_witness(remember) as prefix, asyncio.timeout(60):
        cosigning = await maker.ask_witnesses(asking(prefix, "none"))
        await grow(maker, "G1")
        await cosigned(maker, 3, OTHER)
        maker.ledger.down = True
        await maker.record(commissioning(MAKER, 10, "urn:epc:id:sgtin:4012345.011122.G2"))
        await maker.anchoring.beat()
        cosigning.wake()
        maker.ledger.down = False
        await maker.anchor()
        await cosigned(maker, 5, OTHER)
        assert asked == [3, 5]


async def test_findings_are_listed_to_tokens_only(world: PeersWorld) -> None:
    maker = await world.peer(MAKER)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{maker.url}/v1/log-findings") as response:
            assert response.status == 401
        for query, status in (("", 200), ("?after=5", 200), ("?after=x", 400), ("?before=1", 400)):
            url = f"{maker.url}/v1/log-findings{query}"
            async with session.get(url, headers=BEARER) as response:
                assert response.status == status
                if status == 200:
                    assert await response.json() == {"findings": []}
