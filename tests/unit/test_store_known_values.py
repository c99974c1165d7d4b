"""Lists of what events name: each value once, in order, found by jumps in an index and never by a walk over events."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import get_args

import pytest

from sealtrail.store.known_values import Column, list_column, list_epcs
from sealtrail.store.migrate import migrate

EVENTS = 20_000


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    opened.execute("BEGIN")
    opened.executemany(
        "INSERT INTO event (event_row, member, entry_id, media_type, content, content_hash, event_hash,"
        " is_declaration, event_type, biz_step, disposition, read_point, biz_location, event_time_us, record_time_ms)"
        " VALUES (?, x'00', ?, 'application/ld+json', x'01', ?, x'00', 0, 'ObjectEvent', ?, ?, ?, ?, 0, 0)",
        (
            (
                *(n, n.to_bytes(32, "big"), n.to_bytes(32, "big")),
                "shipping" if n % 2 else f"https://ns.example.com/step/{n % 6}",
                None if n % 2 else "active",
                f"urn:epc:id:sgln:4012345.0000{n % 5}.0",
                None,
            )
            for n in range(1, EVENTS + 1)
        ),
    )
    opened.executemany(
        "INSERT INTO event_item (item, event_row, place) VALUES (?, ?, ?)",
        [
            *((f"https://id.gs1.org/01/04012345111118/21/{n % 1000:04d}", n, "epc") for n in range(1, EVENTS)),
            *((f"https://id.gs1.org/01/04012345111118/10/L{n % 7}", n, "lot") for n in range(1, EVENTS)),
            ("https://id.gs1.org/00/040123450000000016", 1, "parent"),
        ],
    )  # fmt: skip
    opened.execute("COMMIT")
    yield opened
    opened.close()


def steps_of(connection: sqlite3.Connection, of: str, *values: object) -> int:
    """Return how many hundreds of steps of SQLite's virtual machine a list takes."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    connection.set_progress_handler(count, 100)
    try:
        if of == "epcs":
            list_epcs(connection, after="", limit=30)
        else:
            list_column(connection, of, after="", limit=30)  # type: ignore[arg-type]
    finally:
        connection.set_progress_handler(None, 0)
    return taken


def test_epcs_are_listed_once_each_without_lots(connection: sqlite3.Connection) -> None:
    first = list_epcs(connection, after="", limit=3)
    assert first == [
        "https://id.gs1.org/00/040123450000000016",
        "https://id.gs1.org/01/04012345111118/21/0000",
        "https://id.gs1.org/01/04012345111118/21/0001",
    ]
    assert list_epcs(connection, after=first[-1], limit=1) == [
        "https://id.gs1.org/01/04012345111118/21/0002"
    ]
    assert len(list_epcs(connection, after="", limit=5_000)) == 1_001
    assert (
        list_epcs(connection, after="https://id.gs1.org/01/04012345111118/21/0999", limit=9) == []
    )


def test_places_and_own_words_are_listed_once_each(connection: sqlite3.Connection) -> None:
    assert list_column(connection, "read_point", after="", limit=9) == [
        f"urn:epc:id:sgln:4012345.0000{n}.0" for n in range(5)
    ]
    assert list_column(connection, "biz_step", after="", limit=9) == [
        f"https://ns.example.com/step/{n}" for n in (0, 2, 4)
    ]
    assert list_column(connection, "disposition", after="", limit=9) == []
    assert list_column(connection, "biz_location", after="", limit=9) == []


@pytest.mark.parametrize("of", ["epcs", *get_args(Column)])
def test_a_list_costs_what_it_is_long_and_not_what_there_are_of_events(
    connection: sqlite3.Connection, of: str
) -> None:
    # a walk over the events would take 10 steps for each at the least
    assert steps_of(connection, of) * 100 < EVENTS
