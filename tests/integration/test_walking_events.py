"""New events for a subscriber are found row by row: the same that a query finds, in the order of recording."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from capture_events import declaration, document, event, pack
from capture_node import services
from sealtrail.epcis.query import EventFilter, parse_query_object
from sealtrail.store.database import Database
from sealtrail.store.event_query import find_events, walk_events

BYTES_MAX = 1 << 20
QUERIES: list[dict[str, Any]] = [
    {},
    {"EQ_bizStep": ["shipping"]},
    {"EQ_action": ["ADD"], "eventType": ["ObjectEvent"]},
    {"GE_eventTime": "2026-03-03T00:00:00Z", "LT_eventTime": "2026-03-08T00:00:00Z"},
    {"MATCH_epc": [pack(n) for n in range(3, 9)]},
    {"MATCH_epc": [pack(4)], "EQ_bizStep": ["shipping", "commissioning"]},
    {"EXISTS_errorDeclaration": None},
    {"orderBy": "eventTime", "orderDirection": "DESC"},
    {"EQ_readPoint": ["urn:epc:id:sgln:4012345.00001.0"]},
    {"EQ_bizStep": ["nothing_such"]},
]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Events whose times go down while their rows go up; the second is erased."""
    async with services(tmp_path / "node.db") as (database, _, capture, _):
        for n in range(1, 10):
            shipped = {"bizStep": "shipping", "action": "OBSERVE"} if n % 3 == 0 else {}
            time = f"2026-03-{10 - n:02}T10:00:00.000Z"
            await capture.capture(
                document(event(n, eventTime=time, eventID=f"urn:x:{n}", **shipped))
            )
        wrong = event(
            9,
            eventTime="2026-03-01T10:00:00.000Z",
            eventID="urn:x:9",
            bizStep="shipping",
            action="OBSERVE",
        )
        await capture.capture(document(declaration(wrong)))
        await database.write(
            lambda c: c.execute("UPDATE event SET content = NULL WHERE event_row = 2")
        )
        yield database


def walk(database: Database, wanted: EventFilter, after: int, until: int, limit: int) -> Any:
    return database.read_sync(
        lambda c: walk_events(
            c, wanted, after=after, until=until, limit=limit, contents_bytes_max=BYTES_MAX
        )
    )


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_the_same_events_as_by_the_query_in_the_order_of_rows(
    database: Database, query: dict[str, Any]
) -> None:
    wanted = parse_query_object(query)
    found, _ = database.read_sync(
        lambda c: find_events(c, wanted, after=None, limit=100, contents_bytes_max=BYTES_MAX)
    )
    expected = sorted(each.event_row for each in found)
    for limit in (1, 2, 100):
        rows, after = [], 0
        while after < 10:
            events, upto = walk(database, wanted, after, min(10, after + 4), limit)
            assert after < upto <= after + 4
            assert len(events) <= limit
            rows += [each.event_row for each in events]
            after = upto
        assert rows == expected


async def test_what_is_large_comes_alone(database: Database) -> None:
    found, upto = database.read_sync(
        lambda c: walk_events(
            c, parse_query_object({}), after=0, until=10, limit=100, contents_bytes_max=1
        )
    )
    assert [each.event_row for each in found] == [1]
    assert upto == 1
