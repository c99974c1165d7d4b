"""A store that nobody touched: the check at start finds nothing to make anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

from capture_events import document, event
from capture_node import DOMAIN, services
from sealtrail.services.store_check import StoreCheck


async def test_the_check_of_a_sound_store_makes_nothing_anew(tmp_path: Path) -> None:
    async with services(tmp_path / "node.db") as (database, _, capture, _):
        given = {**event("2"), "eventID": "urn:uuid:0f0b3a26-9b0e-4b7e-8f6b-0c6a4f9a3a11"}
        await capture.capture(document(event("1"), given))
        check = StoreCheck(database, DOMAIN)
        await check.run(asyncio.Event())
    assert check.state.finished
    assert check.state.checked_events == 2
    assert not check.state.rebuilt
    assert check.state.damaged == ()


async def test_a_context_that_stood_in_the_event_is_no_damage(tmp_path: Path) -> None:
    async with services(tmp_path / "node.db") as (database, _, capture, _):
        own = {**event("1"), "@context": [{"ours": "https://example.org/ours/"}]}
        await capture.capture(document(own))
        (doubt,) = database.read_sync(
            lambda c: c.execute("SELECT hash_ambiguous FROM event").fetchone()
        )
        check = StoreCheck(database, DOMAIN)
        await check.run(asyncio.Event())
    assert "event_context" in doubt
    assert not check.state.rebuilt
