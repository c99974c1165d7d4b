"""Handovers recorded in EPCIS XML: sent, verified, judged and checked on disk as those in JSON are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from fsck_world import Store
from peers_world import Peer, peers_world, until
from provenance_world import commissioning, document, event, packing, shipping
from scenarios import MAKER, PHARMACY, WHOLESALER
from sealtrail.epcis import XML_MEDIA_TYPE
from xml_writer import write_document

PACK = "urn:epc:id:sgtin:4012345.011122.P1"
CASE = "urn:epc:id:sscc:4012345.1234567890"


async def record_xml(peer: Peer, *events: dict[str, Any]) -> list[bytes]:
    """Capture events as a document of EPCIS 1.2; return their entry ids."""
    data = write_document(json.loads(document(*events)), "1.2")
    captured = await peer.capture.capture(data, media_type=XML_MEDIA_TYPE)
    assert not captured.errors, captured.errors
    return [bytes.fromhex(each.entry_id[2:]) for each in captured.receipts]


async def hand_on(folder: Path) -> tuple[dict[str, Any], list[Store]]:
    """Have a pack go from its maker over a wholesaler to a pharmacy, and return what the pharmacy sees."""
    async with peers_world(folder, (MAKER, WHOLESALER, PHARMACY)) as world:
        maker, wholesaler, pharmacy = [
            await world.peer(actor) for actor in (MAKER, WHOLESALER, PHARMACY)
        ]
        sent = await record_xml(
            maker,
            commissioning(MAKER, 10, PACK),
            packing(MAKER, 20, CASE, PACK),
            shipping(MAKER, WHOLESALER, 30, CASE),
        )
        await until(lambda: wholesaler.holds(sent))
        await maker.anchor()
        await until(lambda: maker.undelivered() == 0)
        passed = await record_xml(
            wholesaler,
            event(WHOLESALER, "receiving", 40, CASE),
            packing(WHOLESALER, 41, CASE, PACK, action="DELETE", bizStep="unpacking"),
            shipping(WHOLESALER, PHARMACY, 50, PACK),
        )
        await until(lambda: pharmacy.holds([*sent, *passed]))
        await wholesaler.anchor()
        await until(lambda: wholesaler.undelivered() == 0)
        await pharmacy.follower.check_now()
        await record_xml(pharmacy, event(PHARMACY, "receiving", 60, PACK))
        await pharmacy.anchor()
        view = await pharmacy.view(PACK)
        for peer in world.peers.values():
            await peer.stop_delivering()
        stores = [Store(folder, actor, world) for actor in (MAKER, WHOLESALER, PHARMACY)]
    for store in stores:
        store.keep()
    return view, stores


def test_a_pack_is_handed_on_in_xml(tmp_path: Path) -> None:
    view, stores = asyncio.run(hand_on(tmp_path))
    assert {step["entry_grade"] for step in view["journey"]} == {"chain-proven"}
    assert len(view["journey"]) >= 5
    assert view["verdicts"]["provenance"]["verdict"] == "complete"
    for store in stores:
        assert store.check().faults == ()
