"""The log's tree in the database: heads, proofs, savepoints, recovery, damage."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from sealtrail.errors import InputError, IntegrityError, VerificationError
from sealtrail.log.tree import (
    TreeHead,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore, NewEntry, load_entry, load_leaf


def entry(n: int) -> NewEntry:
    digest = sha256(n.to_bytes(8, "big")).digest()
    padding = b"\x01\x09" + digest * 6  # of no event
    return NewEntry(digest, padding[:191], digest, b"", digest)


def leaf_hashes(count: int) -> list[bytes]:
    return [leaf_hash(entry(n).leaf) for n in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database.open(path)
    yield database
    database.close()


def append(database: Database, log: LogStore, count: int) -> None:
    start = log.size
    database.write_sync(lambda c: log.append(c, [entry(start + n) for n in range(count)]))


def test_an_empty_log_has_the_empty_root(database: Database) -> None:
    assert LogStore.open(database).head() == TreeHead(0, sha256(b"").digest())


@pytest.mark.parametrize("batches", [[1], [255, 1, 1], [256], [700, 70_000], [3, 300, 5, 65_536]])
def test_the_head_is_the_root_of_all_leaves(database: Database, batches: list[int]) -> None:
    log = LogStore.open(database)
    for count in batches:
        append(database, log, count)
    assert log.head() == TreeHead(sum(batches), root_hash(leaf_hashes(sum(batches))))


def test_the_head_does_not_show_what_is_not_durable(database: Database) -> None:
    log = LogStore.open(database)

    def write(connection: sqlite3.Connection) -> int:
        log.append(connection, [entry(0)])
        return log.head().size

    assert database.write_sync(write) == 0
    assert log.head().size == 1


async def test_a_rolled_back_append_leaves_no_trace(database: Database) -> None:
    log = LogStore.open(database)

    def appending(first: int, count: int, *, fail: bool):
        def write(connection: sqlite3.Connection) -> int:
            index = log.append(connection, [entry(first + n) for n in range(count)])
            if fail:
                raise ValueError
            return index

        return write

    # across a tile's end, so that tiles and levels are undone too
    outcomes = await asyncio.gather(
        database.write(appending(0, 200, fail=False)),
        database.write(appending(9_000, 66_000, fail=True)),
        database.write(appending(200, 100, fail=False)),
        return_exceptions=True,
    )
    assert outcomes[0] == 0
    assert outcomes[2] == 200
    assert log.head() == TreeHead(300, root_hash(leaf_hashes(300)))


def test_a_failed_commit_leaves_no_trace(database: Database) -> None:
    log = LogStore.open(database)
    append(database, log, 10)

    def lose(connection: sqlite3.Connection) -> None:
        log.append(connection, [entry(n) for n in range(10, 600)])
        connection.execute("ROLLBACK")
        raise ValueError

    with pytest.raises(ValueError):
        database.write_sync(lose)
    append(database, log, 5)
    assert log.head() == TreeHead(15, root_hash(leaf_hashes(15)))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1_000, 66_000])
def test_every_proof_holds(database: Database, size: int) -> None:
    log = LogStore.open(database)
    append(database, log, size)
    hashes = leaf_hashes(size)
    for tree_size in {1, size // 3 + 1, size - size % 256 or size, size}:
        head = TreeHead(tree_size, root_hash(hashes[:tree_size]))
        for index in {0, tree_size // 2, tree_size - 1}:
            proof = database.read_sync(lambda c, i=index, s=tree_size: log.inclusion_proof(c, i, s))
            verify_inclusion(head, index, hashes[index], proof)
        proof = database.read_sync(lambda c, s=tree_size: log.consistency_proof(c, s, size))
        verify_consistency(head, log.head(), proof)
        assert database.read_sync(lambda c, s=tree_size: log.root_at(c, s)) == head.root_hash


def test_a_tile_damaged_after_it_was_used_proves_nothing(database: Database) -> None:
    log = LogStore.open(database)
    append(database, log, 66_000)
    leaf = leaf_hash(entry(7).leaf)
    proof = database.read_sync(lambda c: log.inclusion_proof(c, 7, 66_000))
    verify_inclusion(log.head(), 7, leaf, proof)
    database.write_sync(
        lambda c: (
            c.execute("UPDATE tile SET hashes = zeroblob(8192), inner = zeroblob(512)") and None
        )
    )
    proof = database.read_sync(lambda c: log.inclusion_proof(c, 7, 66_000))
    with pytest.raises(VerificationError, match="inclusion_root_differs"):
        verify_inclusion(log.head(), 7, leaf, proof)


def test_proofs_beyond_the_log_are_refused(database: Database) -> None:
    log = LogStore.open(database)
    append(database, log, 3)
    for index, size in [(3, 3), (-1, 3), (0, 4), (0, 0)]:
        with pytest.raises(InputError, match="leaf_index_out_of_range"):
            database.read_sync(lambda c, i=index, s=size: log.inclusion_proof(c, i, s))
    with pytest.raises(InputError, match="tree_size_out_of_range"):
        database.read_sync(lambda c: log.consistency_proof(c, 2, 4))
    with pytest.raises(InputError, match="tree_size_out_of_range"):
        database.read_sync(lambda c: log.root_at(c, 4))


def test_a_reader_older_than_a_full_tile_still_proves(database: Database) -> None:
    log = LogStore.open(database)
    append(database, log, 250)
    hashes = leaf_hashes(250)

    def read(connection: sqlite3.Connection) -> list[bytes]:
        connection.execute("SELECT count(*) FROM entry").fetchone()  # the snapshot begins
        append(database, log, 100)
        return log.inclusion_proof(connection, 7, 250)

    verify_inclusion(TreeHead(250, root_hash(hashes)), 7, hashes[7], database.read_sync(read))


@pytest.mark.parametrize("size", [0, 1, 256, 66_000])
def test_reopening_gives_the_same_log(path: Path, size: int) -> None:
    database = Database.open(path)
    log = LogStore.open(database)
    if size:
        append(database, log, size)
    head = log.head()
    database.close()

    database = Database.open(path)
    log = LogStore.open(database)
    assert log.head() == head
    append(database, log, 300)
    assert log.head().root_hash == root_hash(leaf_hashes(size + 300))
    database.close()


def test_entries_are_found_by_id_and_index(database: Database) -> None:
    log = LogStore.open(database)
    append(database, log, 3)
    stored = database.read_sync(lambda c: load_entry(c, entry(2).entry_id))
    assert stored is not None
    assert (stored.leaf_index, stored.leaf) == (2, entry(2).leaf)
    assert database.read_sync(lambda c: load_leaf(c, 2)) == stored
    assert database.read_sync(lambda c: load_entry(c, bytes(32))) is None


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM tile WHERE tile_index = 1",
        "DELETE FROM tile WHERE tile_index = 2",
        "UPDATE tile SET hashes = zeroblob(8192) WHERE tile_index = 2",
        "UPDATE entry SET leaf = zeroblob(191) WHERE leaf_index = 600",
        "DELETE FROM entry WHERE leaf_index = 780",
        "DELETE FROM entry WHERE leaf_index >= 700",
    ],
)
def test_damage_at_the_edge_is_found_at_start(path: Path, damage: str) -> None:
    database = Database.open(path)
    append(database, LogStore.open(database), 800)
    database.write_sync(lambda c: c.execute(damage) and None)
    database.close()
    database = Database.open(path)
    with pytest.raises(IntegrityError, match="log_corrupt"):
        LogStore.open(database)
    database.close()


def _checkpoint(database: Database, size: int, root: bytes) -> None:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO identity VALUES (1, 1, x'00', x'01', x'02', x'03')")
        connection.execute(
            "INSERT INTO checkpoint VALUES (x'aa', x'02', ?, ?, 'note', 1, 0)", (size, root)
        )

    database.write_sync(write)


@pytest.mark.parametrize(("size", "root"), [(700, bytes(32)), (900, bytes(32))])
def test_a_log_that_is_not_what_was_signed_is_refused(path: Path, size: int, root: bytes) -> None:
    database = Database.open(path)
    append(database, LogStore.open(database), 800)
    _checkpoint(database, size, root)
    database.close()
    database = Database.open(path)
    with pytest.raises(IntegrityError, match="log_corrupt"):
        LogStore.open(database)
    database.close()


def test_a_log_that_is_what_was_signed_opens(path: Path) -> None:
    database = Database.open(path)
    append(database, LogStore.open(database), 800)
    _checkpoint(database, 700, root_hash(leaf_hashes(700)))
    database.close()
    database = Database.open(path)
    assert LogStore.open(database).size == 800
    database.close()
