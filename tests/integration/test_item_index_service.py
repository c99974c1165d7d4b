"""The item index beside a real log: complete lists at every size, restarts, damage, and crashes."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evidence_world import View
from index_world import IDENTITY, IndexWorld, key_of
from sealtrail.errors import IntegrityError, TooLargeError, UnavailableError
from sealtrail.evidence import EntryRecord, Grade, Outcome, Verifier
from sealtrail.log.item_index import (
    BASE_POSTINGS,
    IndexHead,
    Run,
    add_postings,
    coming_runs,
    encode_index_document,
    index_root,
    run_length,
    runs_of,
)
from sealtrail.log.item_proof import verify_item_proof
from sealtrail.log.item_run import RunInMemory
from sealtrail.services.own_log import item_index
from sealtrail.store.log import load_leaf
from sealtrail.store.run_file import RunFile, run_name


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[IndexWorld]:
    world = await IndexWorld(tmp_path).start()
    yield world
    await world.stop()


async def check(world: IndexWorld, *names: str) -> IndexHead:
    """The newest index entry is over exactly the expected map, and proves its lists."""
    head = await world.head()
    postings = sorted(
        (leaf, key) for key, of in world.expected.items() for leaf in of if leaf < head.covers
    )
    assert head.postings == len(postings)
    runs = []
    for run in runs_of(head.postings):
        lists: dict[bytes, bytes] = {}
        for leaf, key in postings[run.first : run.end]:
            add_postings(lists, leaf, [key])
        runs.append(RunInMemory(run, lists).head)
    assert head.root_hash == index_root(runs)
    for name in (*names, "lot", "nothing"):
        key = key_of(name)
        proof = await world.index.prove(key, head)
        assert list(verify_item_proof(head, key, proof)) == world.listed(key, head)
    return head


async def test_the_log_ends_with_an_entry_that_verifies(world: IndexWorld) -> None:
    await world.append(["a", "lot"], ["b", "lot"], [])
    tree = await world.index.end_log()
    head = await check(world, "a", "b")
    assert (tree.size, head.covers, head.postings) == (5, 4, 4)
    assert tree == world.log.head()
    entry = await world.database.read(lambda c: load_leaf(c, 4))
    assert entry is not None
    record = EntryRecord(
        leaf=entry.leaf,
        content=encode_index_document(head),
        media_type="application/json",
        seed=entry.seed,
    )

    chain = View()
    chain.down = True
    verified = Verifier(domain=IDENTITY.domain, network=chain).verify(record)
    assert verified.grade is Grade.PEER_ASSERTED
    assert [s.outcome for s in verified.steps[:6]] == [Outcome.HOLDS] * 6


async def test_a_log_of_nothing_but_its_genesis_has_an_empty_index(world: IndexWorld) -> None:
    await world.index.end_log()
    head = await check(world)
    assert (head.covers, head.postings, runs_of(0)) == (1, 0, [])


async def test_a_log_that_ends_with_an_index_entry_gets_no_second(world: IndexWorld) -> None:
    await world.append(["a"])
    first = await world.index.end_log()
    assert await world.index.end_log() == first
    assert world.log.size == 3
    await world.append(["b"])
    assert (await world.index.end_log()).size == 5
    await check(world, "a", "b")


@pytest.mark.parametrize("short", [1, 0, -1])
async def test_lists_are_complete_where_a_run_fills_up(world: IndexWorld, short: int) -> None:
    await world.append([f"own {n}" for n in range(BASE_POSTINGS - short)])
    await world.index.end_log()
    await check(world, "own 0")
    assert len(list(world.index_folder.glob("*.run"))) == (0 if short == 1 else 1)


async def test_one_entry_may_fill_many_runs(world: IndexWorld) -> None:
    await world.append(["lot"], [f"own {n}" for n in range(3 * BASE_POSTINGS)], ["lot", "own 1"])
    await world.index.end_log()
    await check(world, "own 1")


async def test_lists_stay_complete_while_runs_merge(world: IndexWorld) -> None:
    """Up to and over the place where the first merged run, and the first of the next level, come under the root."""
    for number in range(23):
        await world.append_packs(3900)
        await world.index.end_log()
        if number in (4, 5, 21, 22):
            head = await check(world, "pack 1 5")
    lengths = {run.postings for run in runs_of(head.postings)}
    assert {run_length(1), run_length(2)} <= lengths
    assert world.index.statistics.merges >= 6


async def test_runs_that_nothing_needs_are_deleted(world: IndexWorld) -> None:
    await world.append_packs(6 * BASE_POSTINGS)
    await world.index.end_log()
    await world.index.settled()
    first = await world.head()
    await world.append(["b"])
    await world.index.end_log()
    # no checkpoint is final here, so that all index entries' runs are kept; then one is
    tree = await world.database.read(lambda c: world.log.root_at(c, first.covers + 1))
    await world.database.write(
        lambda c: c.execute(
            "INSERT INTO checkpoint (checkpoint_hash, member, tree_size, root_hash, note, sequence, created_ms)"
            " VALUES (zeroblob(32), ?, ?, ?, '', 1, 1)",
            (IDENTITY.member, first.covers + 1, tree),
        )
    )
    await world.database.write(
        lambda c: c.execute(
            "INSERT INTO anchor_outbox (sequence, checkpoint_hash, state, updated_ms)"
            " VALUES (1, zeroblob(32), 'final', 1)"
        )
    )
    await world.append(["c"])
    await world.index.end_log()
    head = await check(world, "b", "c")
    needed = {run for run in runs_of(head.postings) if run.postings >= BASE_POSTINGS}
    assert set(world.index._shelf.runs()) == needed | set(coming_runs(head.postings))
    assert {p.name for p in world.index_folder.iterdir()} == {
        run_name(run) for run in world.index._shelf.runs()
    }


async def test_a_restart_goes_on_where_it_was(world: IndexWorld) -> None:
    await world.append_packs(5 * BASE_POSTINGS + 100)
    before = await world.index.end_log()
    kept = world.index._shelf.runs()
    await world.stop()
    await world.start()
    assert set(world.index._shelf.runs()) >= set(kept)
    assert await world.index.end_log() == before
    await check(world)
    await world.append_packs(50, lot="another")
    await world.index.end_log()
    await check(world, "another")


async def test_an_existing_log_gets_its_first_entry_over_everything(world: IndexWorld) -> None:
    await world.append_packs(22 * BASE_POSTINGS)
    await world.index.end_log()
    head = await check(world)
    assert Run(0, run_length(2)) in runs_of(head.postings)


def deleted(path: Path) -> None:
    path.unlink()


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def begun(path: Path) -> None:
    path.rename(path.with_suffix(".unfinished"))


def under_another_name(path: Path) -> None:
    path.rename(path.with_name("8192-4096.run"))


@pytest.mark.parametrize(
    ("harm", "merged"),
    [
        *((harm, False) for harm in (deleted, torn, emptied, under_another_name)),
        *((harm, True) for harm in (deleted, begun)),
    ],
    ids=lambda v: v.__name__ if callable(v) else "merged" if v else "short",
)
async def test_a_run_that_is_not_whole_is_made_again_at_the_start(
    world: IndexWorld, harm: Callable[[Path], None], merged: bool
) -> None:
    await world.append_packs(run_length(1) + 2 * BASE_POSTINGS)
    await world.index.end_log()
    head = await check(world)
    run = runs_of(head.postings)[0 if merged else 1]
    await world.stop()
    harm(world.index_folder / run_name(run))
    await world.start()
    await world.append(["a"])
    await world.index.end_log()
    await check(world, "a")


@pytest.mark.parametrize("merged", [False, True], ids=["short", "merged"])
@pytest.mark.parametrize("at", [0.4, 0.94, 0.97])
async def test_a_flipped_byte_gives_no_proof_and_is_mended(
    world: IndexWorld, merged: bool, at: float
) -> None:
    await world.append_packs(run_length(1) + 2 * BASE_POSTINGS)
    await world.index.end_log()
    head = await check(world)
    path = world.index_folder / run_name(runs_of(head.postings)[0 if merged else 1])
    place = int(path.stat().st_size * at)
    with path.open("r+b") as file:  # in place: the running node has it mapped
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    told = []
    for leaf in range(1, head.covers, 40):
        key = key_of(f"pack 1 {8 * leaf}")
        try:
            proof = await world.index.prove(key, head)
        except UnavailableError as error:
            told.append(error.code)
            await world.index.settled()
        else:
            assert list(verify_item_proof(head, key, proof)) == world.listed(key, head)
    assert set(told) <= {"item_runs_missing"}
    assert len(told) <= 1
    if told:
        RunFile.open(path).check()
    else:  # in a place that these proofs did not pass: its digest tells
        with pytest.raises(IntegrityError):
            RunFile.open(path).check()


async def test_nothing_is_merged_from_a_damaged_run(world: IndexWorld) -> None:
    await world.append_packs(14_000)
    await world.index.end_log()
    (path,) = world.index_folder.glob("4096-4096.run")
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01\x02\x03\x04")
    await world.append_packs(10_000)
    await world.index.end_log()
    await world.index.settled()
    head = await check(world)
    assert Run(0, run_length(1)) in runs_of(head.postings)


async def test_damaged_entries_are_told_of_and_nothing_is_signed(world: IndexWorld) -> None:
    await world.append(["a"], ["b"], ["c"])
    await world.database.write(
        lambda c: c.execute("UPDATE entry SET item_keys = x'01' WHERE leaf_index = 2")
    )
    with pytest.raises(IntegrityError) as error:
        await world.index.end_log()
    assert error.value.code == "item_keys_damaged"
    await world.database.write(lambda c: c.execute("DELETE FROM entry WHERE leaf_index = 2"))
    with pytest.raises(IntegrityError) as error:
        await world.index.end_log()
    assert error.value.code == "item_keys_damaged"
    assert world.index.statistics.entries == 0


async def test_entries_that_changed_behind_an_index_give_no_proof(world: IndexWorld) -> None:
    await world.append(["a"], ["b"], ["c"])
    await world.index.end_log()
    head = await world.head()
    await world.stop()
    await world.start()
    await world.database.write(
        lambda c: c.execute("UPDATE entry SET item_keys = zeroblob(32) WHERE leaf_index = 2")
    )
    with pytest.raises(IntegrityError) as error:
        await world.index.prove(key_of("b"), head)
    assert error.value.code == "item_index_damaged"
    await world.database.write(
        lambda c: c.execute("UPDATE entry SET item_keys = x'' WHERE leaf_index = 2")
    )
    await world.stop()
    await world.start()
    with pytest.raises(IntegrityError) as error:
        await world.index.prove(key_of("b"), head)
    assert error.value.code == "item_keys_damaged"


@pytest.mark.parametrize("known", [False, True], ids=["never-indexed", "indexed"])
async def test_no_index_is_signed_over_keys_that_are_not_what_was_signed(
    world: IndexWorld, known: bool
) -> None:
    """Flipped while the node was stopped: in entries not indexed yet, and in those of a run that is gone."""
    await world.append([f"own {n}" for n in range(BASE_POSTINGS)], ["a"], ["b"])
    if known:
        await world.index.end_log()
    await world.stop()
    with closing(sqlite3.connect(world.folder / "log.db")) as store, store:
        store.execute(
            "UPDATE entry SET item_keys = zeroblob(length(item_keys)) WHERE leaf_index = ?",
            (1 if known else 2,),
        )
    for path in world.index_folder.glob("*.run"):
        path.unlink()
    await world.start()
    await world.append(["c"])
    size = world.log.size
    with pytest.raises(IntegrityError) as error:
        await world.index.end_log()
    assert error.value.code == "item_keys_damaged"
    assert world.log.size == size


async def test_a_folder_that_cannot_be_made_is_told_of(world: IndexWorld) -> None:
    world.index_folder.rmdir()
    world.index_folder.write_bytes(b"")
    with pytest.raises(UnavailableError) as error:
        await world.opened()
    assert error.value.code == "item_index_unopenable"


async def test_an_older_entrys_runs_are_made_again_when_asked_for(world: IndexWorld) -> None:
    await world.append_packs(2 * BASE_POSTINGS)
    await world.index.end_log()
    old = await world.head()
    for path in world.index_folder.glob("*.run"):
        world.index._shelf.discard(path.name)
    with pytest.raises(UnavailableError) as error:
        await world.index.prove(key_of("lot"), old)
    assert error.value.code == "item_runs_missing"
    await world.index.settled()
    proof = await world.index.prove(key_of("lot"), old)
    assert list(verify_item_proof(old, key_of("lot"), proof)) == world.listed(key_of("lot"), old)


async def test_a_list_over_the_limit_is_refused(
    world: IndexWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.append(["lot"], ["lot"], ["lot"])
    await world.index.end_log()
    monkeypatch.setattr(item_index, "LEAF_INDICES_MAX", 2)
    with pytest.raises(TooLargeError) as error:
        await world.index.prove(key_of("lot"), await world.head())
    assert error.value.code == "item_list_too_long"


class BusyDatabase:
    """A database into which others write just before the index entry's turn, so many entries at each of its tries."""

    def __init__(self, world: IndexWorld, counts: list[int]) -> None:
        self.world = world
        self.counts = counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.database, name)

    async def write(self, fn: Callable[..., Any]) -> Any:
        if getattr(fn, "func", None).__name__ == "_append" and self.counts:  # type: ignore[union-attr]
            await self.world.append_packs(self.counts.pop(0))
        return await self.world.database.write(fn)


@pytest.mark.parametrize(
    ("counts", "tries"), [([10], 1), ([3000], 1), ([4000, 100], 2), ([4000, 7500, 5000], 3)]
)
async def test_what_comes_meanwhile_is_covered_too(
    world: IndexWorld, counts: list[int], tries: int
) -> None:
    await world.append_packs(3000)
    await world.index.close()
    world.index = await world.opened(BusyDatabase(world, counts))
    await world.index.end_log()
    assert world.index.statistics.tries == tries
    await check(world)


class CrashError(BaseException):
    """The process ends here."""


class CrashingDatabase:
    """A database whose process ends just before or just after one of its writes is durable."""

    def __init__(self, world: IndexWorld, at: int) -> None:
        self.world = world
        self.left = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.database, name)

    def _here(self) -> None:
        self.left -= 1
        if self.left == -1:
            raise CrashError

    async def write(self, fn: Callable[..., Any]) -> Any:
        self._here()
        result = await self.world.database.write(fn)
        self._here()
        return result


@pytest.mark.parametrize("at", range(4))
async def test_a_crash_at_any_write_adds_no_second_entry(world: IndexWorld, at: int) -> None:
    await world.append_packs(BASE_POSTINGS + 10)
    leaves = world.log.size
    await world.index.close()
    world.index = await world.opened(CrashingDatabase(world, at))
    with pytest.raises(CrashError):
        await world.index.end_log()
    await world.stop()
    await world.start()
    assert (await world.index.end_log()).size == leaves + 1
    assert world.log.size == leaves + 1
    await check(world)


async def test_files_of_a_log_that_was_taken_back_are_not_believed(world: IndexWorld) -> None:
    """As after a backup was restored: files of entries that the log has no more."""
    await world.append_packs(BASE_POSTINGS + 10)
    await world.index.end_log()
    await world.stop()
    for name in ("log.db", "log.db-wal", "log.db-shm", "log.db.lock"):
        (world.folder / name).unlink(missing_ok=True)
    world.expected.clear()
    await world.start()
    assert world.index._shelf.runs() == []
    await world.append([f"other {n}" for n in range(BASE_POSTINGS + 5)])
    await world.index.end_log()
    await check(world, "other 7")


async def test_the_disk_may_refuse_a_run(world: IndexWorld) -> None:
    await world.append_packs(BASE_POSTINGS + 10)
    world.index_folder.rmdir()
    world.index_folder.write_bytes(b"")  # no folder any more: nothing can be written there
    with pytest.raises(UnavailableError) as error:
        await world.index.end_log()
    assert error.value.code == "item_run_unwritable"
    world.index_folder.unlink()
    world.index_folder.mkdir()
    await world.index.end_log()
    await check(world)
