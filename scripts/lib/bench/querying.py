"""Queries over a large store, without HTTP: what partners ask, each with other values every time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.documents import document, pack
from bench.figures import Figures, percentile
from sealtrail.epcis import RecordedEvent, parse_document
from sealtrail.epcis.query import parse_query_object, term
from sealtrail.gs1 import canonical
from sealtrail.services.recording.drafts import event_row
from sealtrail.store.contents import encode_content
from sealtrail.store.database import Database
from sealtrail.store.event_query import find_events
from sealtrail.store.events import NewEvent, insert_events

_PRODUCTS = [f"urn:epc:idpat:sgtin:4012345.011{n:03d}.*" for n in range(50)]
GTINS = [canonical(product)[-14:] for product in _PRODUCTS]
SITES = [f"https://id.gs1.org/414/40123450{n:04d}6" for n in range(40)]
_DAYS = 700
_A_DOCUMENT = 1_000
_POOL = 10_000  # a multiple of the products' number
# field, value, and how many events in a row share one
_ORDER = ("bizTransaction_po", "urn:epcglobal:cbv:bt:4012345000016:{}", 20)
_LOT = ("ILMD_urn:epcglobal:cbv:mda#lotNumber", "L{}", 5_000)
_PAGE = 30

Ask = Callable[[random.Random, int], dict[str, Any]]


def measure_queries(figures: Figures, directory: Path, events: int, questions: int) -> None:
    """Fill a store with so many events, and time the first page of each kind of query."""
    figures.heading(f"Queries, {events:,} events in the store, pages of {_PAGE}")
    chance = random.Random(20)
    database = Database.open(directory / "queries.db", readers=1)
    began = time.perf_counter()
    for recorded in _recorded(chance, events):
        database.write_sync(lambda c, batch=recorded: insert_events(c, batch))
    figures.add("making the store", events / (time.perf_counter() - began), "events/s")
    _sizes(figures, database, events)
    for name, ask in ASKED.items():
        took, found = [], 0
        for _ in range(questions):
            wanted = parse_query_object(ask(chance, events))
            began = time.perf_counter()
            page, _ = database.read_sync(
                lambda c, w=wanted: find_events(
                    c, w, after=None, limit=_PAGE, contents_bytes_max=1 << 22
                )
            )
            took.append((time.perf_counter() - began) * 1e3)
            found += len(page)
        figures.add(f"{name}: p50", percentile(took, 50), "ms", f"{found / questions:.1f} events")
        figures.add(f"{name}: p99", percentile(took, 99), "ms")
    database.close()


def _sizes(figures: Figures, database: Database, events: int) -> None:
    for table in ("event", "event_item", "event_term", "event_value"):
        rows = database.read_sync(
            lambda c, t=table: c.execute(f"SELECT count(*) FROM {t}").fetchone()
        )[0]
        figures.add(f"rows of {table}, an event", rows / events, "rows")
    figures.add(
        "store, an event (contents, items, index)", database.path.stat().st_size / events, "bytes"
    )


def _recorded(chance: random.Random, events: int) -> Iterator[list[tuple[bytes, None, NewEvent]]]:
    """Yield events in batches: a pool of them is read, and each is stored again under other names and times."""
    pool: list[NewEvent] = []
    for first in range(0, _POOL, _A_DOCUMENT):
        body = document([_event(chance, first + n) for n in range(_A_DOCUMENT)])
        for each in parse_document(body).events:
            assert isinstance(each, RecordedEvent), each
            content = encode_content(each.content)
            pool.append(event_row(each, member=b"\1" * 20, content=content, record_time_ms=0))
    for first in range(0, events, _A_DOCUMENT):
        numbers = range(first, min(first + _A_DOCUMENT, events))
        yield [
            (chance.randbytes(32), None, _again(pool[n % _POOL], chance, n, events))
            for n in numbers
        ]


def _again(row: NewEvent, chance: random.Random, n: int, events: int) -> NewEvent:
    first = n % _POOL
    terms = set(row.terms)
    for name in (_ORDER, _LOT):
        if (old := term(name[0], name[1].format(first // name[2]))) in terms:
            terms = terms - {old} | {term(name[0], name[1].format(n // name[2]))}
    return msgspec.structs.replace(
        row,
        content_hash=chance.randbytes(32),
        event_hash=chance.randbytes(32),
        items=[(pack(GTINS[n % len(GTINS)], f"S{n}"), "epc")],
        terms=list(terms),
        event_time_us=_moment(chance) * 1_000_000,
        record_time_ms=_time(n, events) * 1000,
    )


def _moment(chance: random.Random) -> int:
    return 1_700_000_000 + chance.randrange(_DAYS * 86_400)


def _time(n: int, events: int) -> int:
    return 1_700_000_000 + n * _DAYS * 86_400 // events


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _event(chance: random.Random, n: int) -> dict[str, Any]:
    gtin, site = GTINS[n % len(GTINS)], chance.choice(SITES)
    moment = _moment(chance)
    common = {
        "eventTime": _iso(moment),
        "eventTimeZoneOffset": "+01:00",
        "readPoint": {"id": site},
        "bizLocation": {"id": site},
    }
    kind = chance.random()
    if kind < 0.6:
        ilmd = {
            "cbvmda:lotNumber": f"L{n // 5000}",
            "cbvmda:itemExpirationDate": f"20{27 + n % 5}-12-31",
        }
        what: dict[str, Any] = {
            "action": "ADD",
            "bizStep": "commissioning",
            "disposition": "active",
            "ilmd": ilmd,
        }
    elif kind < 0.95:
        what = {
            "action": "OBSERVE",
            "bizStep": chance.choice(["shipping", "receiving"]),
            "disposition": "in_transit",
            "bizTransactionList": [
                {"type": "po", "bizTransaction": f"urn:epcglobal:cbv:bt:4012345000016:{n // 20}"}
            ],
            "sourceList": [{"type": "owning_party", "source": chance.choice(SITES)}],
            "destinationList": [{"type": "owning_party", "destination": chance.choice(SITES)}],
        }
    else:
        report = {"type": "Temperature", "value": round(chance.gauss(5, 1.5), 1), "uom": "CEL"}
        what = {
            "action": "OBSERVE",
            "bizStep": "sensor_reporting",
            "sensorElementList": [{"sensorReport": [report]}],
        }
    return {"type": "ObjectEvent", "epcList": [pack(gtin, f"S{n}")], **common, **what}  # fmt: skip


def _one_pack(n: int) -> dict[str, Any]:
    return {"MATCH_anyEPC": [pack(GTINS[n % len(GTINS)], f"S{n}")]}


def _since(chance: random.Random, days: int) -> str:
    return _iso(1_700_000_000 + chance.randrange(_DAYS - days) * 86_400)


def _day(chance: random.Random, _: int) -> dict[str, Any]:
    start = 1_700_000_000 + chance.randrange(_DAYS - 1) * 86_400
    return {"GE_eventTime": _iso(start), "LT_eventTime": _iso(start + 86_400)}


ASKED: dict[str, Ask] = {
    "one pack (MATCH_anyEPC)": lambda r, n: _one_pack(r.randrange(n)),
    "a business step": lambda r, _: {"EQ_bizStep": [r.choice(["shipping", "receiving", "commissioning"])]},
    "two business steps at a place": lambda r, _: {
        "EQ_bizStep": ["shipping", "receiving"], "EQ_readPoint": [r.choice(SITES)]
    },
    "newest at a place (orderBy, eventCountLimit)": lambda r, _: {
        "EQ_bizLocation": [r.choice(SITES)], "orderBy": "eventTime", "eventCountLimit": 1
    },
    "a step on one day": lambda r, n: {"EQ_bizStep": ["shipping"], **_day(r, n)},
    "one day": _day,
    "recorded since": lambda r, _: {"GE_recordTime": _since(r, 2)},
    "a step since, newest first": lambda r, _: {
        "EQ_bizStep": ["receiving"], "GE_eventTime": _since(r, 30), "orderBy": "eventTime"
    },
    "an order (EQ_bizTransaction_po)": lambda r, n: {
        "EQ_bizTransaction_po": [f"urn:epcglobal:cbv:bt:4012345000016:{r.randrange(n // 20)}"]
    },
    "from one party to another": lambda r, _: {
        "EQ_source_owning_party": [r.choice(SITES)], "EQ_destination_owning_party": [r.choice(SITES)]
    },
    "a lot (EQ_ILMD)": lambda r, n: {"EQ_ILMD_cbvmda:lotNumber": [f"L{r.randrange(n // 5000 + 1)}"]},
    "a lot at a place": lambda r, n: {
        "EQ_ILMD_cbvmda:lotNumber": [f"L{r.randrange(n // 5000 + 1)}"], "EQ_readPoint": [r.choice(SITES)]
    },
    "expiring before": lambda r, _: {"LT_ILMD_cbvmda:itemExpirationDate": f"20{r.choice([28, 29])}-01-01"},
    "too warm (EQ_type, GT_value_CEL)": lambda r, _: {
        "EQ_type": ["Temperature"], "GT_value_CEL": round(r.uniform(8, 9.5), 1)
    },
    "what no event is (two frequent conditions)": lambda r, _: {
        "EQ_bizStep": ["commissioning"], "EQ_disposition": ["in_transit"]
    },
}  # fmt: skip
