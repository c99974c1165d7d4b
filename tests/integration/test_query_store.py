"""Queries against a real store: no plan that reads every event, pages that hold, and events of before the indexes."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from capture_events import document, event, pack
from capture_node import DOMAIN, services
from sealtrail.epcis.masterdata import Attribute, VocabularyElement
from sealtrail.epcis.query import EventFilter, Has, ItemMatch, parse_query_object
from sealtrail.epcis.query.evaluate import DESCRIBED_MAX
from sealtrail.errors import UnavailableError
from sealtrail.services.answers.query_index import QueryIndex
from sealtrail.services.store_check import StoreCheck
from sealtrail.store import event_query, masterdata
from sealtrail.store.database import Database
from sealtrail.store.described import resolve_filter
from sealtrail.store.erasure import Tombstone, erase_events
from sealtrail.store.event_index import load_gap
from sealtrail.store.event_query import Position, count_events, find_events, find_rows
from sealtrail.store.events import load_by_event_id
from sealtrail.store.masterdata_rows import Statement
from sealtrail.store.migrate import APPLICATION_ID, migrations

NS = {"ex": "https://example.com/ns/"}
CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", NS]
EVENTS = [
    event(
        n,
        eventID=f"urn:x:{n}",
        bizStep="shipping" if n % 2 else "receiving",
        eventTime=f"2026-03-{1 + n % 20:02}T10:00:00Z",
        bizTransactionList=[{"type": "po", "bizTransaction": f"urn:x:po:{n // 5}"}],
        **({"ex:rank": n % 7} if n % 3 else {}),
        **({"ex:name": chr(ord("a") + n % 5)} if n % 4 else {"ex:name": {"ex:in": 1}}),
        sensorElementList=[{"sensorReport": [{"type": "Temperature", "value": n, "uom": "CEL"}]}],
    )
    for n in range(60)
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    async def fill() -> None:
        async with services(tmp_path / "node.db") as (_, _, capture, _):
            for start in range(0, len(EVENTS), 20):
                body = document(*EVENTS[start : start + 20], **{"@context": CONTEXT})
                await capture.capture(body)

    asyncio.run(fill())
    database = Database.open(tmp_path / "node.db")
    yield database
    database.close()


def asked(**parameters: Any) -> EventFilter:
    named = {name.replace("__", ":"): value for name, value in parameters.items()}
    return parse_query_object({"@context": NS, **named})


def rows_of(database: Database, wanted: EventFilter, size: int = 100) -> list[int]:
    """Return every matching row, page by page."""
    found: list[int] = []
    after: Position | None = None
    while page := _page(database, wanted, after, size):
        found += [position.row for position in page]
        after = page[-1]
    return found


def _page(
    database: Database, wanted: EventFilter, after: Position | None, size: int
) -> list[Position]:
    return database.read_sync(lambda c: find_rows(c, wanted, after=after, limit=size))


PARTNERS = [
    {},
    {"MATCH_anyEPC": [pack(3)]},
    {"MATCH_anyEPC": ["urn:epc:idpat:sgtin:4012345.011111.*"]},
    {"MATCH_anyEPC": ["urn:epc:idpat:sgtin:4012345.*.*"], "EQ_bizStep": ["shipping"]},
    {"EQ_bizStep": ["shipping"]},
    {"EQ_bizStep": ["shipping", "receiving"], "EQ_disposition": ["active"]},
    {"EQ_bizStep": ["shipping"], "orderBy": "eventTime", "eventCountLimit": 1},
    {"EQ_bizStep": ["shipping"], "GE_eventTime": "2026-03-05T00:00:00Z"},
    {"EQ_readPoint": ["urn:epc:id:sgln:4012345.00001.0"], "GE_recordTime": "2026-01-01T00:00:00Z"},
    {"GE_recordTime": "2026-01-01T00:00:00Z"},
    {"LT_eventTime": "2026-03-05T00:00:00Z", "orderBy": "recordTime"},
    {"eventType": ["ObjectEvent"], "EQ_action": ["ADD"]},
    {"EQ_bizTransaction_po": ["urn:x:po:1"]},
    {"EQ_eventID": ["urn:x:7"]},
    {"EXISTS_errorDeclaration": None},
    {"EQ_type": ["Temperature"], "GE_value_CEL": 55},
    {"EQ_ex:rank": [3]},
    {"GT_ex:rank": 3, "EQ_bizStep": ["shipping"]},
    {"EXISTS_ex:rank": None, "orderBy": "ex:rank"},
    {"EQ_ILMD_cbvmda:lotNumber": ["L1"]},
]
TABLES = "event|event_item|event_term|event_value"
# what reads a table from its first row to its last
SCAN = re.compile(rf"SCAN (?:{TABLES}|[eto])(?! USING)(?: |$)")


@pytest.mark.parametrize("parameters", PARTNERS, ids=str)
@pytest.mark.parametrize("way", ["gathered", "walked"])
def test_no_query_of_partners_scans_a_table(
    database: Database, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any], way: str
) -> None:
    if way == "walked":
        monkeypatch.setattr(event_query, "_COUNTED_FIRST", 0)
        monkeypatch.setattr(event_query, "COUNTED_MAX", 0)
        monkeypatch.setattr(event_query, "GATHERED_MAX", 0)
        monkeypatch.setattr(event_query, "_STRETCH_ROWS", 3)
    wanted = asked(**parameters)
    statements: list[str] = []

    def plans(connection: sqlite3.Connection) -> list[str]:
        connection.set_trace_callback(statements.append)
        found = find_rows(connection, wanted, after=None, limit=10)
        assert found or parameters.keys() & {"EXISTS_errorDeclaration", "EQ_ILMD_cbvmda:lotNumber"}
        find_rows(connection, wanted, after=found[-1] if found else None, limit=10)
        count_events(connection, wanted, limit=100)
        connection.set_trace_callback(None)
        asked_for = [each for each in statements if each.startswith("SELECT")]
        return [
            f"{row[3]} in {sql}"
            for sql in asked_for
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]

    found = [plan for plan in database.read_sync(plans) if SCAN.match(plan)]
    if parameters == {}:  # every event matches: the walk ends with the page
        found = [plan for plan in found if "LIMIT" not in plan]
    assert found == []


def test_pages_hold_while_events_come_in(tmp_path: Path) -> None:
    async def run() -> None:
        async with services(tmp_path / "node.db") as (database, _, capture, _):
            await capture.capture(document(*EVENTS[:20], **{"@context": CONTEXT}))
            for n, wanted in enumerate(
                (asked(), asked(EQ_bizStep=["shipping"], orderBy="eventTime"))
            ):
                before = rows_of(database, wanted)
                first = database.read_sync(lambda c, w=wanted: find_rows(c, w, after=None, limit=4))
                more = EVENTS[20 + 10 * n : 30 + 10 * n]
                await capture.capture(document(*more, **{"@context": CONTEXT}))
                rest = database.read_sync(
                    lambda c, w=wanted, f=first: find_rows(c, w, after=f[-1], limit=100)
                )
                seen = [p.row for p in (*first, *rest)]
                assert len(set(seen)) == len(seen)
                assert set(before) <= set(seen)

    asyncio.run(run())


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_events_are_in_the_order_of_an_extension_and_those_without_it_come_last(
    database: Database, direction: str, size: int
) -> None:
    for name in ("rank", "name"):
        wanted = asked(orderBy=f"ex:{name}", orderDirection=direction)
        found = [EVENTS[row - 1].get(f"ex:{name}") for row in rows_of(database, wanted, size)]
        assert len(found) == len(EVENTS)
        having = [each for each in found if each is not None]
        keys = ["" if isinstance(each, dict) else each for each in having]
        assert keys == sorted(keys, reverse=direction == "DESC")
        assert found[len(having) :] == [None] * (len(found) - len(having))


def test_a_query_that_asks_of_a_time_is_in_its_order(database: Database) -> None:
    found = rows_of(
        database, asked(EQ_bizStep=["shipping"], GE_eventTime="2026-03-05T00:00:00Z"), 3
    )
    times = [EVENTS[row - 1]["eventTime"] for row in found]
    assert times == sorted(times)
    assert len(found) == sum(
        e["bizStep"] == "shipping" and e["eventTime"] >= "2026-03-05" for e in EVENTS
    )


def forget(database: Database, *, until: int) -> None:
    """Make the store one of an earlier version: nothing is indexed up to an event."""

    def forget(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM event_term WHERE event_row <= ?", (until,))
        connection.execute("DELETE FROM event_value WHERE event_row <= ?", (until,))
        connection.execute("UPDATE event_index_gap SET event_row = 0, until = ?", (until,))

    database.write_sync(forget)


def test_events_of_an_earlier_version_are_taken_in_and_until_then_queries_say_so(
    database: Database,
) -> None:
    wanted = asked(EQ_bizStep=["shipping"])
    expected = rows_of(database, wanted)
    forget(database, until=50)
    with pytest.raises(UnavailableError) as caught:
        rows_of(database, wanted)
    assert caught.value.code == "query_index_incomplete"
    assert len(rows_of(database, asked(GE_eventTime="2026-03-01T00:00:00Z"))) == len(EVENTS)
    stopped = asyncio.Event()
    stopped.set()
    asyncio.run(QueryIndex(database).run(stopped))
    assert not database.read_sync(load_gap).closed
    asyncio.run(QueryIndex(database).run(asyncio.Event()))
    assert database.read_sync(load_gap).closed
    assert rows_of(database, wanted) == expected
    asyncio.run(QueryIndex(database).run(asyncio.Event()))


def test_the_migration_of_a_store_with_events_leaves_them_to_be_taken_in(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        for version, sql in migrations():
            if version < 11:
                connection.executescript(sql)
        connection.executescript(
            "INSERT INTO event SELECT 7, x'01', x'02', NULL, 'a', x'', x'03', x'04', NULL, 0, NULL, 'ObjectEvent',"
            f" NULL, NULL, NULL, NULL, NULL, 1, 1; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 10"
        )
    with closing(Database.open(tmp_path / "old.db")) as database:
        gap = database.read_sync(load_gap)
        assert (gap.event_row, gap.until) == (0, 7)


def test_the_check_at_the_start_makes_a_lost_index_anew(database: Database) -> None:
    wanted = asked(EQ_bizStep=["shipping"])
    expected = rows_of(database, wanted)
    database.write_sync(lambda c: c.execute("DELETE FROM event_term WHERE event_row = 2") and None)
    assert rows_of(database, wanted) != expected
    check = StoreCheck(database, DOMAIN)
    asyncio.run(check.run(asyncio.Event()))
    assert check.state.rebuilt
    assert rows_of(database, wanted) == expected


def test_an_erased_event_leaves_nothing_that_it_is_found_by(database: Database) -> None:
    queries = [
        asked(EQ_eventID=["urn:x:7"]),
        asked(EQ_bizStep=["shipping"], LT_value_CEL=8),
        asked(MATCH_anyEPC=[pack(7)]),
        asked(GE_eventTime="2026-01-01T00:00:00Z"),
        asked(),
    ]

    def erase(connection: sqlite3.Connection) -> None:
        (stored,) = load_by_event_id(connection, "urn:x:7")
        stone = Tombstone(
            entry_id=stored.entry_id, erased_ms=1, erased_by="a test", ground="a test"
        )
        erase_events(connection, [(stored, stone, ())])

    row = rows_of(database, queries[0])[0]
    assert all(row in rows_of(database, wanted) for wanted in queries)
    database.write_sync(erase)
    assert not any(row in rows_of(database, wanted) for wanted in queries)
    for table in ("event_term", "event_value"):
        sql = f"SELECT count(*) FROM {table} WHERE event_row = {row}"
        assert database.read_sync(lambda c, s=sql: c.execute(s).fetchone()) == (0,)


def test_a_page_of_long_events_is_short(database: Database) -> None:
    wanted = asked(EQ_bizStep=["shipping"])
    events, more = database.read_sync(
        lambda c: find_events(c, wanted, after=None, limit=10, contents_bytes_max=1)
    )
    assert len(events) == 1
    assert more is not None
    assert more.row == events[0].event_row


def test_places_lie_within_places_as_master_data_has_it_at_the_time(database: Database) -> None:
    site, ward = "https://id.gs1.org/414/4012345009999", "https://id.gs1.org/414/4012345008888"
    room = "https://id.gs1.org/414/4012345000016"  # where every event was read

    def said(identifier: str, *children: str, **attributes: str) -> VocabularyElement:
        named = tuple(Attribute(f"urn:epcglobal:cbv:mda:{n}", v) for n, v in attributes.items())
        return VocabularyElement("urn:x", identifier, identifier, named, children)

    def describe(connection: sqlite3.Connection) -> None:
        # a circle, as a mistake of somebody's may make one
        then = [said(site, ward), said(ward, room, site), said(room, city="Köln")]
        for since_ms, elements in ((100, then), (200, [said(site), said(ward)])):
            statement = Statement(
                source="put", member=bytes(20), valid_from_ms=since_ms, recorded_ms=1
            )
            masterdata.put(connection, elements, statement)

    database.write_sync(describe)
    for parameters, at_ms, found in (
        ({"WD_readPoint": [site]}, 150, True),
        ({"WD_readPoint": [site]}, 250, False),
        ({"WD_readPoint": [ward]}, 150, True),
        ({"WD_bizLocation": [site]}, 150, False),
        ({"HASATTR_readPoint": ["cbvmda:city"]}, 150, True),
        ({"HASATTR_readPoint": ["city", "country"]}, 150, True),
        ({"HASATTR_readPoint": ["country"]}, 150, False),
        ({"EQATTR_readPoint_urn:epcglobal:cbv:mda#city": ["Köln"]}, 150, True),
        ({"EQATTR_readPoint_city": ["Bonn"]}, 150, False),
        ({"HASATTR_readPoint": ["city"]}, 50, False),
    ):
        wanted = database.read_sync(
            lambda c, p=parameters, at=at_ms: resolve_filter(c, asked(**p), at_ms=at)
        )
        assert bool(rows_of(database, wanted)) is found, (parameters, at_ms)


def test_the_largest_query_is_answered(database: Database) -> None:
    """As many parameters and values as one may have, each of the kind that comes to most."""
    patterns = [f"urn:epc:idpat:sgtin:{4012300 + n}.*.*" for n in range(100)]
    numbers = [*range(60), *(n + 0.5 for n in range(40))]
    match = {
        f"MATCH_{name}": patterns
        for name in (
            "epc",
            "parentID",
            "inputEPC",
            "outputEPC",
            "anyEPC",
            "epcClass",
            "anyEPCClass",
        )
    }
    texts = {f"EQ_INNER_ex:n{n}": [f"{n}" for n in range(100)] for n in range(50)}
    for query, found in (
        ({"MATCH_epc": patterns, "EQ_value_CEL": numbers, "EQ_ex:rank": numbers}, True),
        ({**match, **texts, "EQ_value_CEL": numbers}, False),
        (
            {"EQ_eventID": [f"urn:x:{n}" for n in range(100)], "EQ_bizStep": ["shipping"] * 100},
            True,
        ),
    ):
        wanted = parse_query_object({"@context": NS, **query})
        assert bool(rows_of(database, wanted)) is found
        count = database.read_sync(lambda c, w=wanted: count_events(c, w, limit=100))
        assert bool(count) is found
    places = Has("readPoint", tuple(f"urn:x:{n}" for n in range(DESCRIBED_MAX)))
    items = ItemMatch(places=("class",), items=places.values)
    assert rows_of(database, EventFilter(conditions=(*[places] * 32, *[items] * 32))) == []
