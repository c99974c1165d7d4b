"""The trail itself: appended, gathered, bounded; names beside it; operators' notes."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sealtrail.config import AuditSettings
from sealtrail.errors import InputError, IntegrityError, NotFoundError, UnavailableError
from sealtrail.evidence.audit_record import (
    NOBODY,
    NODE,
    Action,
    AuditRecord,
    Ending,
    Input,
    Subject,
    parse_record,
)
from sealtrail.services.audit_trail.note import runs
from sealtrail.services.audit_trail.operator_acts import take_in
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.store import audit, audit_names
from sealtrail.store.audit import AuditFilter
from sealtrail.store.beside import read_beside
from sealtrail.store.database import Database
from sealtrail.store.operator_notes import OperatorNote, list_notes, load_note, save_note

SALT = b"\x44" * 32
USER = "user:" + "ab" * 16


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "node.db")
    yield database
    database.close()


def trail_of(database: Database, **more: object) -> AuditTrail:
    return AuditTrail(database, SALT, clock=lambda: 5_000, random=os.urandom, **more)  # type: ignore[arg-type]


def record(number: int = 0, **more: object) -> AuditRecord:
    fields = {"time_ms": number, "actor": USER, "action": Action.QUERY, "outcome": Ending.DONE}
    return AuditRecord(**{**fields, **more})  # type: ignore[arg-type]


def stored(database: Database) -> list[AuditRecord]:
    rows = database.read_sync(lambda c: audit.load_records(c, 0, before=2**62, limit=100_000))
    return [parse_record(each.body) for each in rows]


async def test_records_are_numbered_in_order_without_a_gap(database: Database) -> None:
    trail = trail_of(database)
    for number in range(1_200):
        await trail.record(record(number))
    await trail.flush()
    found = stored(database)
    assert [each.n for each in found] == list(range(1_200))
    assert [each.time_ms for each in found] == list(range(1_200))
    assert len({each.salt for each in found}) == 1_200
    assert database.read_sync(audit.load_head).count == 1_200


async def test_a_record_in_a_transaction_that_fails_was_never_there(database: Database) -> None:
    trail = trail_of(database)

    def fail(connection: sqlite3.Connection) -> None:
        trail.write(connection, [(record(1), None)])
        raise ValueError("the capture failed")

    with pytest.raises(ValueError, match="the capture failed"):
        await database.write(fail)
    await trail.record_now((record(2), None))
    assert [(each.n, each.time_ms) for each in stored(database)] == [(0, 2)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_record SET body = x'00'",
        "UPDATE audit_record SET n = n + 1",
        "DELETE FROM audit_record",
        "UPDATE audit_digest SET count = 0",
        "DELETE FROM audit_digest",
    ],
)
async def test_the_store_refuses_to_change_or_delete(database: Database, statement: str) -> None:
    await trail_of(database).record_now((record(), None))
    await database.write(
        lambda c: c.execute("INSERT INTO audit_digest VALUES (1, x'01', 0, 1, x'02')") and None
    )
    with pytest.raises(IntegrityError, match="append-only"):
        await database.write(lambda c: c.execute(statement) and None)
    assert len(stored(database)) == 1


async def test_a_head_that_is_gone_is_an_integrity_error(database: Database) -> None:
    await database.write(lambda c: c.execute("DELETE FROM audit_head") and None)
    with pytest.raises(IntegrityError) as caught:
        await trail_of(database).record_now((record(), None))
    assert caught.value.code == "audit_trail_damaged"


async def test_what_strangers_repeat_is_one_record(database: Database) -> None:
    trail = trail_of(database)
    for _ in range(5_000):
        await trail.record(record(actor=NOBODY, action=Action.TOKEN_USE, code="token_unknown"))
    await trail.record(record(actor=NOBODY, action=Action.TOKEN_USE, code="token_missing"))
    assert trail.waiting == 2
    await trail.flush()
    assert sorted(each.times for each in stored(database)) == [1, 5_000]


class Broken:
    """A store whose writes fail until it is mended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.broken = True

    async def write(self, fn):  # type: ignore[no-untyped-def]
        if self.broken:
            raise UnavailableError("disk_full", "the disk is full")
        return await self._database.write(fn)


async def test_a_full_queue_waits_and_then_refuses_and_loses_nothing(database: Database) -> None:
    store = Broken(database)
    trail = AuditTrail(
        store,  # type: ignore[arg-type]
        SALT,
        clock=lambda: 1,
        random=os.urandom,
        queue_max=10,
        room_seconds_max=0.05,
    )
    for number in range(10):
        await trail.record(record(number))
    with pytest.raises(UnavailableError) as caught:
        await trail.record(record(99))
    assert caught.value.code == "audit_trail_full"
    with pytest.raises(UnavailableError):
        await trail.flush()
    assert trail.waiting == 10
    store.broken = False
    await trail.flush()
    assert [each.time_ms for each in stored(database)] == list(range(10))


async def test_who_waits_for_room_goes_on_when_there_is_some(database: Database) -> None:
    trail = trail_of(database, queue_max=3, room_seconds_max=30.0)
    for number in range(3):
        await trail.record(record(number))
    waiting = asyncio.create_task(trail.record(record(3)))
    await trail.many.wait()  # the one that waits asks for it
    await trail.flush()
    await waiting
    await trail.flush()
    assert len(stored(database)) == 4


async def test_a_record_is_found_by_each_of_its_subjects(database: Database) -> None:
    trail = trail_of(database)
    entry, item = "0x" + "01" * 32, "0x" + "02" * 32
    await trail.record(record(1, subject=Subject(entries=(entry,), items=(item,))))
    await trail.record(record(2, subject=Subject(leaves=((255, 2),), job="cd" * 16)))
    await trail.record(record(3))
    await trail.flush()

    def found(subject: bytes) -> list[int]:
        wanted = AuditFilter(subject=subject)
        rows, _ = database.read_sync(lambda c: audit.find_records(c, wanted, before=None, limit=10))
        return [parse_record(each.body).time_ms for each in rows]

    def captured(leaf: int) -> list[int]:
        rows = database.read_sync(lambda c: list(audit.captures_near(c, leaf, AuditFilter())))
        return [parse_record(each.body).time_ms for each in rows]

    assert found(b"\x01" * 32) == found(b"\x02" * 32) == [1]
    assert 2 in captured(255)
    assert 2 in captured(256)
    assert captured(512) == []


async def test_every_capture_of_a_leaf_is_found_however_they_come(database: Database) -> None:
    order = random.Random(7)
    trail = trail_of(database)
    capturing: dict[int, set[int]] = {}
    leaf = 0
    for number in range(3_000):
        kind = order.random()
        if kind < 0.3:
            await trail.record(record(number))
            continue
        first = leaf if kind < 0.9 else order.randrange(leaf + 1)
        count = order.choice([1, 1, 1, 3, 300, 700])
        leaf = max(leaf, first + count)
        for each in range(first, first + count):
            capturing.setdefault(each, set()).add(number)
        await trail.record(record(number, subject=Subject(leaves=((first, count),))))
        if number % 37 == 0:
            await trail.flush()
    await trail.flush()
    for each in order.sample(range(leaf), 300):
        rows = database.read_sync(lambda c, x=each: list(audit.captures_near(c, x, AuditFilter())))
        assert capturing[each] <= {row.n for row in rows}


async def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat(
    database: Database,
) -> None:
    trail = trail_of(database)
    for number in range(25):
        await trail.record(record(number, action=Action.QUERY if number % 5 else Action.CAPTURE))
    await trail.flush()

    def pages(wanted: AuditFilter) -> list[int]:
        seen: list[int] = []
        before: int | None = None
        while True:
            rows, before = database.read_sync(
                lambda c, b=before: audit.find_records(c, wanted, before=b, limit=4)  # type: ignore[misc]
            )
            seen += [each.n for each in rows]
            if before is None:
                return seen

    assert pages(AuditFilter()) == list(reversed(range(25)))
    assert pages(AuditFilter(action="capture")) == [20, 15, 10, 5, 0]
    assert pages(AuditFilter(time_ms_from=3, time_ms_before=6)) == [5, 4, 3]
    assert pages(AuditFilter(actor=NODE)) == []


@pytest.mark.parametrize(
    "name", ["alice", "", "名前", "'; DROP TABLE audit_name; --", "a" * 100, "user:x", "%", "_"]
)
async def test_a_name_has_one_pseudonym_that_says_nothing_of_it(
    database: Database, name: str
) -> None:
    trail = trail_of(database)
    pseudonym = await trail.pseudonym("user", name)
    assert await trail.pseudonym("user", name) == pseudonym
    assert await trail_of(database).pseudonym("user", name) == pseudonym
    assert await trail.pseudonym("operator", name) != pseudonym
    assert await trail.pseudonym("user", name + "2") != pseudonym
    known = await database.read(lambda c: audit_names.load_name(c, pseudonym))
    assert known is not None
    assert known.name == name
    await trail.record_now((record(actor=pseudonym), None))
    assert stored(database)[0].actor == pseudonym


async def test_a_name_that_is_forgotten_leaves_a_pseudonym_of_nobody(database: Database) -> None:
    trail = trail_of(database)
    before = await trail.pseudonym("user", "alice")
    other = await trail.pseudonym("user", "bob")
    assert await database.write(lambda c: audit_names.forget_name(c, "alice")) == [before]
    trail.forgotten()
    assert await database.read(lambda c: audit_names.load_name(c, before)) is None
    assert await trail.pseudonym("user", "alice") != before
    assert await trail.pseudonym("user", "bob") == other


async def test_refused_input_is_kept_once_and_up_to_the_limit(database: Database) -> None:
    trail = trail_of(database, settings=AuditSettings(keep_refused_bytes=100, kept_bytes_max=10))

    async def refuse(number: int, content: bytes) -> bool:
        given = Input(digest="0x" + bytes([number] * 32).hex(), size=len(content))
        refused = record(number, outcome=Ending.REFUSED, input=given)
        await trail.record_now((refused, content))
        last = stored(database)[-1].input
        assert last is not None
        return last.kept

    assert await refuse(1, b"12345")
    assert await refuse(1, b"12345")  # the same again takes no more room
    assert await refuse(2, b"12345")
    assert not await refuse(3, b"x")
    assert await database.read(lambda c: audit_names.load_input(c, b"\x01" * 32)) == b"12345"
    assert await database.read(lambda c: audit_names.load_input(c, b"\x03" * 32)) is None


def test_leaves_become_runs() -> None:
    assert runs([]) == ()
    assert runs([3, 1, 2, 2, 9]) == ((1, 3), (9, 1))


# -- operators' notes ------------------------------------------------------------------------------------


def note(number: int = 1, **more: object) -> OperatorNote:
    fields = {
        "note_id": f"{number:032x}",
        "time_ms": number,
        "name": "root",
        "action": Action.KEY_CHANGE,
        "outcome": Ending.DONE,
        "reason": "rotation",
        "what": "end key",
    }
    return OperatorNote(**{**fields, **more})  # type: ignore[arg-type]


def take(folder: Path, database: Database) -> bool:
    return take_in(folder, database.write_sync, random=os.urandom, now_ms=9)


def test_notes_are_taken_in_once_and_in_order(tmp_path: Path, database: Database) -> None:
    folder = tmp_path / "notes"
    for number in (2, 1):
        save_note(folder, note(number))
    assert take(folder, database) is False
    assert list_notes(folder) == []
    assert [each.time_ms for each in stored(database)] == [1, 2]
    first = stored(database)[0]
    assert first.actor.startswith("operator:")
    assert first.reason == "rotation"
    save_note(folder, note(2))  # as after a crash between the record and the file's removal
    take(folder, database)
    assert len(stored(database)) == 2
    assert list_notes(folder) == []


def test_a_note_to_forget_erases_the_name_and_does_not_say_it(
    tmp_path: Path, database: Database
) -> None:
    pseudonym = database.write_sync(
        lambda c: audit_names.ensure_pseudonym(c, "user", "alice", random=os.urandom, now_ms=1)
    )
    save_note(tmp_path / "notes", note(what=None, action=Action.FORGET, forget="alice"))
    assert take(tmp_path / "notes", database) is True
    (only,) = stored(database)
    assert only.subject is not None
    assert only.subject.what == pseudonym
    assert "alice" not in msgspec.json.encode(only).decode()
    assert database.read_sync(lambda c: audit_names.load_name(c, pseudonym)) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[" * 50_000, b"\xff", b"x" * 70_000, msgspec.json.encode({"note_id": 1})],
)
def test_what_is_no_note_is_set_aside_recorded_and_holds_up_no_other(
    tmp_path: Path, database: Database, content: bytes
) -> None:
    folder = tmp_path / "notes"
    save_note(folder, note(5))
    bad = folder / "0000-bad.json"
    bad.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_note(bad)
    assert caught.value.code == "operator_note_malformed"
    take(folder, database)
    assert [each.code for each in stored(database)] == ["operator_note_malformed", None]
    assert list_notes(folder) == []
    assert (folder / "0000-bad.refused").read_bytes() == content


def test_a_half_written_note_is_no_note(tmp_path: Path, database: Database) -> None:
    folder = tmp_path / "notes"
    save_note(folder, note(5))
    (folder / "0001-x.partial").write_bytes(b"{")
    take(folder, database)
    assert len(stored(database)) == 1


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file")
    with pytest.raises(UnavailableError) as caught:
        save_note(tmp_path / "notes", note())
    assert caught.value.code == "operator_note_unwritable"


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_beside(tmp_path / "none.db", audit.load_head)
    assert caught.value.code == "store_missing"
    assert not (tmp_path / "none.db").exists()
