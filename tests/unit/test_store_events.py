"""Events in the database: look-ups by id, hash, item; the indices they use; erased content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sealtrail.epcis.query import EventFilter, WithId
from sealtrail.errors import NotFoundError
from sealtrail.store.contents import encode_content
from sealtrail.store.database import Database
from sealtrail.store.event_query import find_events
from sealtrail.store.events import (
    NewEvent,
    ids_values,
    insert_events,
    known_contents,
    known_ids,
    load_by_entries,
    load_by_event_hash,
    load_by_event_id,
    load_by_item,
    require_content,
    with_ids,
)

MEMBER = b"\x01" * 20


def digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def assigned(text: str) -> str:
    return f"ni:///sha-256;{digest(text).hex()}?ver=CBV2.0"


def new_event(name: str, **more: Any) -> tuple[bytes, int | None, NewEvent]:
    plain = NewEvent(
        MEMBER,
        "application/ld+json",
        encode_content(name.encode()),
        digest("content " + name),
        digest(name),
        None,
        False,
        None,
        "ObjectEvent",
        "ADD",
        "commissioning",
        None,
        None,
        None,
        1_000_000,
        1_000,
        [("https://id.gs1.org/01/1/21/" + name, "epc")],
        [],
        [],
        [],
    )
    entry_id = more.pop("entry_id", digest("entry " + name))
    return entry_id, None, msgspec.structs.replace(plain, **more)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "node.db")
    events = [
        new_event("a"),
        new_event("b", event_id="urn:uuid:b"),
        new_event("b2", event_id="urn:uuid:b", is_declaration=True),
        new_event("c", event_id=assigned("a")),  # given, and another event's hash
        new_event("theirs", event_id="urn:uuid:b", member=b"\x02" * 20),
        new_event("twin", event_hash=digest("a")),
    ]
    database.write_sync(lambda c: insert_events(c, events))
    yield database
    database.close()


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [
        (assigned("a"), [b"a", b"c", b"twin"]),
        ("urn:uuid:b", [b"b", b"b2", b"theirs"]),
        ("urn:uuid:none", []),
        (assigned("none"), []),
    ],
)
def test_an_id_finds_what_was_given_it_and_what_was_assigned_it(
    database: Database, event_id: str, expected: list[bytes]
) -> None:
    found = database.read_sync(lambda c: load_by_event_id(c, event_id))
    assert [event.content for event in found] == expected
    found, _ = database.read_sync(
        lambda c: find_events(
            c,
            EventFilter(conditions=(WithId((event_id,)),)),
            after=None,
            limit=10,
            contents_bytes_max=1 << 20,
        )
    )
    assert [event.content for event in found] == expected


def test_ids_are_known_per_member(database: Database) -> None:
    known = database.read_sync(lambda c: known_ids(c, MEMBER, ["urn:uuid:b", assigned("a")]))
    assert [(k.event_id, k.is_declaration) for k in known] == [
        (assigned("a"), False),
        ("urn:uuid:b", False),
        ("urn:uuid:b", True),
        (assigned("a"), False),
        (assigned("a"), False),
    ]


def test_contents_are_known_per_member(database: Database) -> None:
    hashes = [digest("content " + name) for name in ("a", "theirs", "none")]
    known = database.read_sync(lambda c: known_contents(c, MEMBER, hashes))
    assert known == {digest("content a"): digest("entry a")}


def test_many_values_are_looked_up_in_chunks(database: Database) -> None:
    hashes = [digest(f"content {n}") for n in range(1000)] + [digest("content a")]
    assert len(database.read_sync(lambda c: known_contents(c, MEMBER, hashes))) == 1
    ids = [f"urn:uuid:{n}" for n in range(1000)] + ["urn:uuid:b"]
    assert len(database.read_sync(lambda c: known_ids(c, MEMBER, ids))) == 2


def test_a_hash_finds_all_that_share_it(database: Database) -> None:
    found = database.read_sync(lambda c: load_by_event_hash(c, digest("a")))
    assert [event.content for event in found] == [b"a", b"twin"]


def test_an_item_named_twice_in_one_place_is_kept_once(database: Database) -> None:
    twice = [("urn:x", "epc"), ("urn:x", "epc"), ("urn:x", "parent")]
    database.write_sync(lambda c: insert_events(c, [new_event("d", items=twice)]))
    found = database.read_sync(lambda c: load_by_item(c, "urn:x"))
    assert sorted(place for _, place in found) == ["epc", "parent"]


def test_the_same_content_by_the_same_member_is_never_stored_twice(database: Database) -> None:
    from sealtrail.errors import IntegrityError

    again = new_event("a", entry_id=digest("another"))
    with pytest.raises(IntegrityError):
        database.write_sync(lambda c: insert_events(c, [again]))


def test_erased_content_leaves_its_hash_and_no_view(database: Database) -> None:
    database.write_sync(lambda c: c.execute("UPDATE event SET content = NULL") and None)
    entry = digest("entry a")
    event = database.read_sync(lambda c: load_by_entries(c, [entry]))[entry]
    with pytest.raises(NotFoundError, match="content_erased"):
        require_content(event)
    found, _ = database.read_sync(
        lambda c: find_events(c, EventFilter(), after=None, limit=10, contents_bytes_max=1 << 20)
    )
    assert found == []


def _plan(connection: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> str:
    rows = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM event WHERE {condition}", values)
    return " ".join(row[3] for row in rows)


def test_ids_are_looked_up_by_index(database: Database) -> None:
    ids = ("urn:uuid:b", assigned("a"))
    plan = database.read_sync(lambda c: _plan(c, with_ids(ids), ids_values(ids)))
    assert "event_by_id" in plan
    assert "event_by_hash" in plan
    assert "SCAN event" not in plan
