"""What goes to other members, and comes from them, stands in both sides' audit trails."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import msgspec
import pytest

from peers_world import Peer, peers_world, until
from provenance_world import commissioning, shipping
from scenarios import AUDITOR, MAKER, WHOLESALER
from sealtrail.evidence.audit_record import AuditRecord, parse_record
from sealtrail.peers.client import COPIES_PATH, PACKAGE_MEDIA_TYPE
from sealtrail.store import audit

PACK = "urn:epc:id:sgtin:4012345.011122.P1"


def records(peer: Peer) -> list[AuditRecord]:
    rows = peer.database.read_sync(lambda c: audit.load_records(c, 0, before=2**62, limit=1000))
    return [parse_record(each.body) for each in rows]


async def test_a_package_is_recorded_where_it_leaves_and_where_it_arrives(tmp_path: Path) -> None:
    async with peers_world(tmp_path) as world:
        maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
        sent = await maker.record(
            commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK)
        )
        await until(lambda: wholesaler.holds(sent))
        await until(lambda: maker.undelivered("announced") == 0)
        expected = {"0x" + each.hex() for each in sent}
        left = next(each for each in records(maker) if each.action == "package_sent")
        assert (left.actor, left.outcome) == ("node", "done")
        assert left.subject is not None
        assert left.subject.member == "0x" + WHOLESALER.member.hex()
        assert set(left.subject.entries) == expected
        # durable before the answer: the sender has its acknowledgement
        arrived = next(each for each in records(wholesaler) if each.action == "package_received")
        assert (arrived.actor, arrived.outcome) == ("peer:0x" + MAKER.member.hex(), "done")
        assert arrived.subject is not None
        assert set(arrived.subject.entries) == expected
        assert arrived.input is not None
        assert arrived.input.size > 0


async def test_a_package_of_a_stranger_is_recorded_as_nobodys(tmp_path: Path) -> None:
    async with peers_world(tmp_path) as world:
        wholesaler = await world.peer(WHOLESALER)
        headers = {"Content-Type": PACKAGE_MEDIA_TYPE}
        url = wholesaler.url + "/peer/v1/packages"
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.post(url, data=b"{}", headers=headers) as response:
                    assert response.status == 401
        await wholesaler.trail.flush()
        (only,) = records(wholesaler)
        assert (only.actor, only.action, only.outcome) == ("nobody", "package_received", "refused")
        assert only.times == 3


async def test_who_was_given_copies_is_recorded(tmp_path: Path) -> None:
    async with peers_world(tmp_path) as world:
        maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
        (entry_id,) = await maker.record(commissioning(MAKER, 10, PACK))
        url = maker.url + COPIES_PATH
        body = msgspec.json.encode({"entry_ids": ["0x" + entry_id.hex()]})
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=wholesaler.signed(url, body)) as response,
        ):
            assert response.status == 404  # it was never shown that entry
        await maker.trail.flush()
        only = next(each for each in records(maker) if each.action == "copies")
        assert (only.actor, only.outcome) == ("peer:0x" + WHOLESALER.member.hex(), "refused")


@pytest.mark.parametrize("path", ["checkpoint", "tile/entries/000.p/2"])
async def test_which_auditor_read_the_log_is_recorded(tmp_path: Path, path: str) -> None:
    async with peers_world(tmp_path, (MAKER, AUDITOR)) as world:
        maker, auditor = await world.peer(MAKER), await world.peer(AUDITOR)
        await maker.record(commissioning(MAKER, 10, PACK))
        await maker.anchor()
        await auditor.get(maker, "/peer/v1/log/" + path)
        await maker.trail.flush()
        only = next(each for each in records(maker) if each.action == "read_log")
        assert only.actor == "peer:0x" + AUDITOR.member.hex()
