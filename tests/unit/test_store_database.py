"""The database: group commit, savepoints, refusals, faults."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealtrail.errors import InputError, IntegrityError, UnavailableError
from sealtrail.store.database import Database
from sealtrail.store.migrate import APPLICATION_ID, migrations


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "node.db")
    database.write_sync(
        lambda c: c.execute("CREATE TABLE note (text TEXT NOT NULL UNIQUE)") and None
    )
    yield database
    database.close()


def _note(text: str, *, fail: BaseException | None = None):
    def write(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO note VALUES (?)", (text,))
        if fail is not None:
            raise fail
        return text

    return write


def _notes(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT text FROM note")}


async def test_a_write_returns_its_result_and_a_reader_sees_it(database: Database) -> None:
    assert await database.write(_note("a")) == "a"
    assert await database.read(_notes) == {"a"}


async def test_many_writes_share_transactions(database: Database) -> None:
    before = database.statistics.transactions
    await asyncio.gather(*(database.write(_note(str(n))) for n in range(500)))
    assert len(await database.read(_notes)) == 500
    assert database.statistics.transactions - before < 100


async def test_one_failure_undoes_only_its_own_writes(database: Database) -> None:
    outcomes = await asyncio.gather(
        database.write(_note("kept")),
        database.write(_note("lost", fail=ValueError("no"))),
        database.write(_note("kept too")),
        return_exceptions=True,
    )
    assert [type(o) for o in outcomes] == [str, ValueError, str]
    assert await database.read(_notes) == {"kept", "kept too"}


async def test_a_refused_statement_is_an_integrity_error_and_harms_nobody(
    database: Database,
) -> None:
    outcomes = await asyncio.gather(
        database.write(_note("same")), database.write(_note("same")), return_exceptions=True
    )
    assert isinstance(outcomes[1], IntegrityError)
    assert outcomes[1].code == "store_contradiction"
    assert await database.read(_notes) == {"same"}


async def test_a_transaction_that_sqlite_rolled_back_fails_every_write_in_it(
    database: Database,
) -> None:
    def lose(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('x')")
        connection.execute("ROLLBACK")
        raise UnavailableError("disk_full", "as SQLite does on a full disk")

    outcomes = await asyncio.gather(
        database.write(_note("with it")), database.write(lose), return_exceptions=True
    )
    assert isinstance(outcomes[1], UnavailableError)
    kept = await database.read(_notes)
    # In the same transaction it failed too; in one of its own it stands: never told otherwise.
    assert ("with it" in kept) == (outcomes[0] == "with it")
    assert await database.write(_note("after")) == "after"


async def test_a_full_disk_is_unavailable_and_keeps_nothing(database: Database) -> None:
    pages = database.read_sync(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchall())

    with pytest.raises(UnavailableError) as caught:
        await database.write(_note("x" * 100_000))
    assert caught.value.code == "disk_full"
    assert await database.read(_notes) == set()
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert await database.write(_note("room again")) == "room again"


async def test_a_cancelled_wait_does_not_stop_the_writer(database: Database) -> None:
    task = asyncio.create_task(database.write(_note("cancelled")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.write(_note("next")) == "next"


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(UnavailableError) as caught:
        database.read_sync(_note("x"))
    assert caught.value.code == "store_read_only"


def test_a_read_is_one_snapshot(database: Database) -> None:
    def read(connection: sqlite3.Connection) -> tuple[set[str], set[str]]:
        before = _notes(connection)
        database.write_sync(_note("meanwhile"))
        return before, _notes(connection)

    before, after = database.read_sync(read)
    assert before == after == set()


def test_a_read_that_takes_too_long_is_interrupted(database: Database) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(UnavailableError, match="query_interrupted"):
        database.read_sync(lambda c: c.execute(endless).fetchone(), 0.05)
    assert database.read_sync(_notes) == set()


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    first = Database.open(tmp_path / "node.db")
    with pytest.raises(UnavailableError) as caught:
        Database.open(tmp_path / "node.db")
    assert caught.value.code == "store_in_use"
    first.close()
    Database.open(tmp_path / "node.db").close()


def test_closing_runs_what_is_queued_and_refuses_more(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "node.db")
    database.close()
    database.close()
    with pytest.raises(UnavailableError, match="store_closed"):
        database.write_sync(lambda c: None)
    with pytest.raises(UnavailableError, match="store_closed"):
        database.read_sync(lambda c: None)


def test_commits_are_synchronous_in_wal_mode(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "node.db")
    modes = database.write_sync(
        lambda c: (
            c.execute("PRAGMA journal_mode").fetchone()[0],
            c.execute("PRAGMA synchronous").fetchone()[0],
        )
    )
    database.close()
    assert modes == ("wal", 2)


def test_the_schema_version_is_the_newest_migration(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "node.db")
    version = database.read_sync(lambda c: c.execute("PRAGMA user_version").fetchone()[0])
    database.close()
    assert version == migrations()[-1][0]
    assert [v for v, _ in migrations()] == list(range(1, version + 1))


def test_the_first_item_salt_of_each_log_is_kept_when_an_older_database_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "node.db"
    old = sqlite3.connect(path)
    old.executescript(
        f"{migrations()[0][1]} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
    )
    rows = [
        (b"1", b"A", b"k", b"first", 1),
        (b"2", b"A", b"k", b"second", 2),
        (b"3", b"B", b"", b"any", 1),  # names no item: vouches for nothing
        (b"4", b"B", b"k", b"true", 2),
    ]
    old.executemany(
        "INSERT INTO foreign_entry (entry_id, member, item_keys, item_salt, received_ms, leaf, refs,"
        " received_from) VALUES (?, ?, ?, ?, ?, x'', x'', x'')",
        rows,
    )
    old.commit()
    old.close()
    database = Database.open(path)
    logs = database.read_sync(
        lambda c: dict(c.execute("SELECT member, item_salt FROM foreign_log"))
    )
    entries = database.read_sync(
        lambda c: dict(c.execute("SELECT entry_id, item_salt FROM foreign_entry"))
    )
    database.close()
    assert logs == {b"A": b"first", b"B": b"true"}
    assert entries == {b"1": b"first", b"2": None, b"3": None, b"4": b"true"}


def _with_pragma(path: Path, pragma: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {pragma}")
    connection.commit()
    connection.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Database.open(tmp_path / "node.db").close()
    _with_pragma(tmp_path / "node.db", "user_version = 999")
    with pytest.raises(InputError, match="store_newer"):
        Database.open(tmp_path / "node.db")
    # and the refusal leaves no lock behind
    _with_pragma(tmp_path / "node.db", f"user_version = {migrations()[-1][0]}")
    Database.open(tmp_path / "node.db").close()


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "node.db")
    connection.execute("CREATE TABLE theirs (a)")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="store_foreign"):
        Database.open(tmp_path / "node.db")


def test_garbage_instead_of_a_database_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"not a database at all, " * 1000)
    with pytest.raises(IntegrityError, match="store_corrupt"):
        Database.open(tmp_path / "node.db")


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="store_unopenable"):
        Database.open(tmp_path / "file" / "node.db")


def test_deliveries_of_the_first_schema_are_kept(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "node.db", isolation_level=None)
    connection.executescript(
        f"{migrations()[0][1]}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
    )
    rows = [
        (3, b"r" * 20, b"e" * 32, "announced", 2, 17, "down", None),
        (7, b"r" * 20, b"e" * 32, "anchored", 0, 1 << 62, None, None),
    ]
    connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    database = Database.open(tmp_path / "node.db")
    kept = database.read_sync(lambda c: c.execute("SELECT * FROM delivery").fetchall())
    indexes = database.read_sync(
        lambda c: c.execute(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'delivery_due'"
        ).fetchone()
    )
    database.close()
    assert (kept, indexes) == (rows, (1,))
