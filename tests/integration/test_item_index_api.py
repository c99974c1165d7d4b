"""``GET /v1/item-index``: complete lists over HTTP from a whole node, checked again from the answer alone."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, web

from capture_node import TOKEN, TOKENS
from provenance_world import MAKER, Node, World, commissioning, event
from scenarios import item
from sealtrail.api.application import make_application
from sealtrail.api.item_index import routes
from sealtrail.api.limits import make_runner
from sealtrail.config import HttpSettings
from sealtrail.evidence import (
    AnchorReference,
    EntryRecord,
    LogProof,
    Verifier,
    verify_complete_list,
)
from sealtrail.gs1 import canonical
from sealtrail.log.item_proof import ItemProof, RunProof
from sealtrail.log.tree import split_hashes
from sealtrail.services.answers.queries import QueryService
from sealtrail.signing import ZERO_SEED, item_key

P1, P2, P3 = item("P1"), item("P2"), item("P3")
LOT = canonical(P1).partition("/21/")[0] + "/10/L1"


class Client:
    """A node, and its route over HTTP."""

    def __init__(self, node: Node, session: ClientSession, url: str) -> None:
        self.node = node
        self.session = session
        self.url = url

    async def get(self, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        async with self.session.get(self.url + path, **more) as response:
            return response.status, json.loads(await response.text())

    def verified(self, answer: dict[str, Any]) -> tuple[int, ...]:
        """Check an answer as somebody would who has only it, the item, the log's salt and the chain."""
        entry, anchor = answer["index_entry"], answer["checkpoint"]["anchor"]
        record = EntryRecord(
            leaf=b64decode(entry["leaf"]),
            content=entry["content"].encode(),
            media_type="application/json",
            seed=ZERO_SEED,
            proof=LogProof(
                leaf_index=entry["leaf_index"],
                note=answer["checkpoint"]["note"],
                hashes=split_hashes(b64decode(entry["hashes"])),
                anchor=AnchorReference(
                    sequence=anchor["sequence"],
                    block_number=anchor["block_number"],
                    transaction_hash=bytes.fromhex(anchor["transaction_hash"][2:]),
                ),
            ),
        )
        proof = ItemProof(
            tuple(
                RunProof(
                    tree_leaves=part["tree_leaves"],
                    position=part["position"],
                    key=bytes.fromhex(part["key"][2:]),
                    next_key=bytes.fromhex(part["next_key"][2:]),
                    leaf_indices=b64decode(part["leaf_indices"]),
                    hashes=b64decode(part["hashes"]),
                )
                for part in answer["proof"]
            )
        )
        key = item_key(self.node.identity.item_salt, answer["item"], packs=answer["packs"])
        assert answer["item_key"] == "0x" + key.hex()
        view = self.node.database.read_sync(
            lambda c: verify_complete_list(
                Verifier(domain=self.node.world.domain, network=self.node.networks.view(c)),
                record,
                key,
                proof,
            )
        )
        assert view.entry.grade == answer["grade"] == "chain-proven"
        return view.leaf_indices


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """A node with two commissioned packs, nothing anchored yet."""
    world = World(tmp_path)
    node = await world.node(MAKER)
    await node.record(commissioning(MAKER, 1, P1), commissioning(MAKER, 2, P2))

    async def nothing() -> list[str]:
        return []

    async def status() -> dict[str, Any]:
        return {}

    application = make_application(
        capture=node.capture,
        queries=QueryService(
            node.database, node.log, clock=lambda: node.now_ms, anchor_delay_ms=60_000
        ),
        settings=HttpSettings(),
        tokens=TOKENS,
        status=status,
        readiness=nothing,
        metrics=dict,
        more_routes=routes(node.lists),
    )
    runner = make_runner(application, HttpSettings())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/item-index"
    async with ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield Client(node, session, url)
    await runner.cleanup()
    await node.index.close()
    world.close()


async def test_before_an_anchor_there_is_no_answer(client: Client) -> None:
    status, problem = await client.get("/" + P1)
    assert (status, problem["code"]) == (503, "index_not_anchored")


async def test_a_packs_list_is_complete_at_the_newest_anchor(client: Client) -> None:
    await client.node.anchor()
    status, answer = await client.get("/" + P1)
    assert status == 200
    assert (answer["leaf_indices"], answer["covers"]) == ([1], 3)
    assert client.verified(answer) == (1,)
    await client.node.record(event(MAKER, "inspecting", 3, P1))
    status, before = await client.get("/" + P1)
    assert before == answer
    await client.node.anchor()
    status, answer = await client.get("/" + quote(canonical(P1), safe=""))
    assert (answer["leaf_indices"], answer["covers"]) == ([1, 4], 5)
    assert client.verified(answer) == (1, 4)


async def test_an_item_that_nothing_names_is_proven_absent(client: Client) -> None:
    await client.node.anchor()
    status, answer = await client.get("", params={"item": P3})
    assert (status, answer["leaf_indices"]) == (200, [])
    assert client.verified(answer) == ()


async def test_a_lots_packs_and_the_lot_itself_are_two_lists(client: Client) -> None:
    await client.node.anchor()
    _, lot = await client.get("", params={"item": LOT})
    _, packs = await client.get("", params={"item": LOT, "packs": "true"})
    assert (client.verified(lot), client.verified(packs)) == ((), (1, 2))
    assert lot["item"] == packs["item"] == LOT


async def test_nothing_new_adds_no_index_entry(client: Client) -> None:
    await client.node.anchor()
    size = client.node.log.size
    await client.node.anchor()
    assert client.node.log.size == size == 4


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"item": "no item"}, "identifier_unrecognised"),
        ({"item": ""}, "identifier_empty"),
        ({"item": "x" * 2001}, "identifier_too_long"),
        ({"item": P1, "packs": "1"}, "packs_invalid"),
        ({"item": P1, "at": "3"}, "query_parameter_unknown"),
    ],
)
async def test_bad_questions_are_refused(client: Client, query: dict[str, str], code: str) -> None:
    status, problem = await client.get("", params=query)
    assert (status, problem["code"]) == (400, code)


async def test_who_may_not_ask_is_refused(client: Client) -> None:
    headers = {"Authorization": "Bearer query-only"}
    status, _ = await client.get("/" + P1, headers=headers)
    assert status == 403
