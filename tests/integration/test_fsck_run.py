"""The check of the store as a whole: beside a writer, in processes, from the command line, and again and again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fsck_world import Store, build_stores
from peers_world import until
from sealtrail.cli.main import main
from sealtrail.errors import UnavailableError
from sealtrail.services.fsck import chain
from sealtrail.services.fsck.continuous import (
    ContinuousCheck,
    KeptState,
    Pace,
    Place,
    load_kept,
)
from sealtrail.services.fsck.processes import open_processes
from sealtrail.services.fsck.run import Report, check_store
from sealtrail.store.database import Database


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    return build_stores(tmp_path_factory.mktemp("fsck"))


@pytest.fixture
def store(stores: dict[str, Store]) -> Iterator[Store]:
    chosen = stores["wholesaler"]
    chosen.restore()
    yield chosen
    chosen.restore()


def codes(report: Report) -> set[str]:
    return {fault.code for fault in report.faults}


def in_processes(store: Store, subject: Any = None) -> Report:
    with open_processes(subject or store.subject(), 2) as (looking, scope):
        return asyncio.run(check_store(scope, looking, ledger=store.ledger))


def test_processes_find_what_one_finds(store: Store) -> None:
    store.sql("UPDATE event SET biz_step = 'other' WHERE event_row = 9")
    store.sql("DELETE FROM event_item WHERE event_row = 12")
    alone = store.check()
    assert in_processes(store).faults == alone.faults
    assert codes(alone) == {"column_differs", "item_missing"}


def test_processes_see_one_snapshot_while_others_write(store: Store) -> None:
    before = store.check().entries
    store.sql("PRAGMA journal_mode = WAL")
    with open_processes(store.subject(), 2) as (looking, scope):
        store.sql(
            "DELETE FROM event WHERE event_row > 20", "DELETE FROM entry WHERE leaf_index > 20"
        )
        report = asyncio.run(check_store(scope, looking, ledger=store.ledger))
    assert report.faults == ()
    assert report.entries == before


@pytest.mark.parametrize("gone", [False, True], ids=["dying", "gone"])
def test_a_process_that_dies_is_no_damage(store: Store, gone: bool) -> None:
    with open_processes(store.subject(), 2) as (looking, scope):
        for process, _ in looking._workers:
            process.kill()
            if gone:  # what is sent to it fails at once, not what is awaited from it
                process.join()
        with pytest.raises(UnavailableError) as error:
            asyncio.run(check_store(scope, looking, ledger=None))
    assert error.value.code == "fsck_stopped"


def test_the_first_bad_record_is_named_first_and_all_are_counted(store: Store) -> None:
    store.sql("UPDATE event SET disposition = 'stolen' WHERE event_row >= 20")
    report = store.check()
    assert report.faults[0].key == {"event_row": 20}
    assert report.faults_total == len(report.faults) > 200


def test_a_chain_that_is_away_could_not_be_asked(store: Store) -> None:
    store.ledger.down = True
    try:
        report = store.check()
    finally:
        store.ledger.down = False
    assert report.faults == ()
    assert [(u.check, u.code) for u in report.unchecked] == [(chain.NAME, "chain_unreachable")]


def test_offline_says_what_was_not_asked(store: Store) -> None:
    report = store.check(offline=True)
    assert report.faults == ()
    assert [u.code for u in report.unchecked] == ["offline"]


def test_what_only_the_chain_contradicts_has_a_code_of_its_own(store: Store) -> None:
    store.sql("UPDATE chain_anchor SET suspended = 1 WHERE sequence = 1")
    assert codes(store.check()) <= chain.CODES
    assert store.check(offline=True).faults == ()


def test_a_leaf_that_was_signed_again_is_not_the_one_in_the_tree(store: Store) -> None:
    with store.opened() as connection:
        rows = dict(
            connection.execute("SELECT leaf_index, leaf FROM entry WHERE leaf_index IN (7, 8)")
        )
        connection.execute("UPDATE entry SET leaf = ? WHERE leaf_index = 7", (rows[8],))
    report = store.check()
    named = {(f.code, f.key.get("leaf_index")) for f in report.faults if f.table == "entry"}
    assert ("leaf_not_in_tree", 7) in named
    assert not any(f.table == "tile" for f in report.faults)


def test_two_rows_that_were_swapped_are_both_named(store: Store) -> None:
    with store.opened() as connection:
        connection.execute("UPDATE entry SET leaf_index = -1 WHERE leaf_index = 7")
        connection.execute("UPDATE entry SET leaf_index = 7 WHERE leaf_index = 8")
        connection.execute("UPDATE entry SET leaf_index = 8 WHERE leaf_index = -1")
    keys = {f.key.get("leaf_index") for f in store.check().faults if f.table == "entry"}
    assert {7, 8} <= keys


def test_a_tile_without_its_leaves_is_named_once(store: Store) -> None:
    store.sql("INSERT INTO tile VALUES (0, 5, zeroblob(8192), zeroblob(512))")
    assert [(f.code, f.key) for f in store.check().faults] == [
        ("tile_unexpected", {"level": 0, "tile_index": 5})
    ]


def test_content_and_seed_that_are_gone_were_not_erased_if_nothing_says_so(store: Store) -> None:
    store.sql(
        "UPDATE event SET content = NULL WHERE event_row = 30",
        "UPDATE entry SET seed = NULL WHERE leaf_index ="
        " (SELECT leaf_index FROM event WHERE event_row = 30)",
    )
    assert [fault.code for fault in store.check().faults] == ["content_lost"]


def test_half_an_erasure_is_damage(store: Store) -> None:
    store.sql("UPDATE event SET content = NULL WHERE event_row = 30")
    (fault,) = store.check().faults
    assert (fault.code, fault.table, fault.key) == ("content_lost", "event", {"event_row": 30})


def test_another_member_or_chain_is_another_store(store: Store) -> None:
    store.sql("UPDATE identity SET chain_id = 5")
    report = store.check()
    assert ("identity_differs", "chain_id") in {(f.code, f.column) for f in report.faults}


def test_a_table_of_another_program_is_named(store: Store) -> None:
    store.sql("CREATE TABLE stranger (x)", "DROP INDEX event_by_time")
    named = {f.key["name"] for f in store.check().faults if f.code == "schema_differs"}
    assert named == {"stranger", "event_by_time"}


def test_a_key_file_that_others_may_read_is_named(store: Store) -> None:
    store.key_files[0].path.chmod(0o644)
    try:
        (fault,) = store.check().faults
    finally:
        store.key_files[0].path.chmod(0o600)
    assert fault.code == "key_file_open_to_others"


# -- again and again ---------------------------------------------------------------------------------


def continuous(store: Store, database: Database, file: Path, **pace: float) -> ContinuousCheck:
    return ContinuousCheck(
        database,
        store.subject(),
        pace=Pace(**{"share": 1.0, "first_seconds": 0.0, "rest_seconds": 0.01, **pace}),
        file=file,
        clock=lambda: time.time_ns() // 1_000_000,
    )


async def until_round(check: ContinuousCheck, rounds: int) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(check.run(stop))
    await until(lambda: check.state.rounds >= rounds, "a round")
    stop.set()
    await task


async def test_the_node_finds_what_fsck_finds(store: Store, tmp_path: Path) -> None:
    store.sql("UPDATE event SET biz_step = 'other' WHERE event_row = 9")
    database = Database.open(store.path)
    try:
        check = continuous(store, database, tmp_path / "check.json")
        await until_round(check, 2)
    finally:
        database.close()
    assert [(f.code, f.key) for f in check.state.faults] == [("column_differs", {"event_row": 9})]
    assert check.state.changes_answers
    assert load_kept(tmp_path / "check.json").faults == check.state.faults


async def test_what_is_mended_is_found_no_more(store: Store, tmp_path: Path) -> None:
    store.sql("UPDATE event SET biz_step = 'other' WHERE event_row = 9")
    database = Database.open(store.path)
    try:
        check = continuous(store, database, tmp_path / "check.json")
        await until_round(check, 1)
        assert check.state.faults
        await database.write(
            lambda c: (
                c.execute("UPDATE event SET biz_step = 'storing' WHERE event_row = 9").rowcount
            )
        )
        again = continuous(store, database, tmp_path / "check.json")
        assert again.state.faults == check.state.faults
        await until_round(again, 1)
        # what the content says is another step: an unpacking, a receipt or a storing
        if not again.state.faults:
            return
    finally:
        database.close()
    (fault,) = again.state.faults
    assert "storing" in fault.message


async def test_a_restart_goes_on_where_it_stopped(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "check.json"
    file.write_bytes(msgspec.json.encode(KeptState(place=Place(check="event items", first=0))))
    store.sql(
        "UPDATE event SET biz_step = 'other' WHERE event_row = 9"
    )  # of a check that was before
    database = Database.open(store.path)
    try:
        check = continuous(store, database, file)
        await until_round(check, 1)
        assert check.state.faults == ()
        await until_round(check, 2)
    finally:
        database.close()
    assert check.state.faults


async def test_a_stop_does_not_wait_for_a_look(store: Store, tmp_path: Path) -> None:
    database = Database.open(store.path)
    try:
        check = continuous(store, database, tmp_path / "check.json", share=0.001)
        stop = asyncio.Event()
        task = asyncio.create_task(check.run(stop))
        await until(lambda: check.state.looks, "a look")
        stop.set()
        async with asyncio.timeout(20):
            await task
    finally:
        database.close()
    assert check.state.rounds == 0


async def test_no_share_is_no_check(store: Store, tmp_path: Path) -> None:
    database = Database.open(store.path)
    try:
        check = continuous(store, database, tmp_path / "check.json", share=0.0)
        await check.run(asyncio.Event())
    finally:
        database.close()
    assert not check.state.enabled


# -- from the command line ---------------------------------------------------------------------------


@pytest.fixture
def config(store: Store, tmp_path: Path) -> Path:
    """A configuration of the store; no chain answers at its endpoint."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "sealtrail.db").write_bytes(store.pristine)
    path = tmp_path / "sealtrail.toml"
    keys = "\n".join(f'{f.purpose.name.lower()} = "{f.path}"' for f in store.key_files)
    path.write_text(
        f"""
[node]
data_dir = "data"
member = "0x{store.actor.member.hex()}"
[chain]
rpc_urls = ["http://127.0.0.1:1"]
chain_id = {store.network.chain_id}
genesis_hash = "0x{store.network.genesis_hash.hex()}"
registry = "0x{store.network.registry.hex()}"
[keys]
{keys}
event = "{store.key_files[0].path}"
operator = "{store.key_files[0].path}"
"""
    )
    return path


def fsck(config: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, Any]:
    code = main(["fsck", "--config", str(config), "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_names_what_is_damaged(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config.parent / "data" / "sealtrail.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE event SET biz_step = 'other' WHERE event_row = 9")
    code, report = fsck(config, capsys, "--offline")
    assert code == 4
    assert not report["ok"]
    named = [f for f in report["faults"] if f["table"] == "event"]
    assert named[0]["key"] == {"event_row": 9}
    assert named[0]["column"] == "biz_step"


def test_without_a_store_there_is_nothing_to_check(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "data" / "sealtrail.db").unlink()
    assert main(["fsck", "--config", str(config), "--json"]) == 2
    assert "store_missing" in capsys.readouterr().err


def test_a_file_that_is_no_database_is_damage(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "data" / "sealtrail.db").write_bytes(b"not a database" * 1000)
    assert main(["fsck", "--config", str(config), "--json"]) == 4
    assert "store_corrupt" in capsys.readouterr().err


def test_the_drill_finds_all_its_damage_and_leaves_the_store_alone(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config.parent / "data" / "sealtrail.db"
    before = path.read_bytes()
    # its transactions are those of the chain in memory
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "UPDATE anchor_outbox SET transaction_hash = NULL, raw_transaction = NULL, nonce = NULL"
        )
    sound = path.read_bytes()
    for seed in ("7", "8", "9"):
        code = main(["drill", "--config", str(config), "--seed", seed, "--count", "30", "--json"])
        answer = json.loads(capsys.readouterr().out)
        missed = [act for act in answer["acts"] if not act["found"]]
        assert missed == []
        assert code == 0
        assert len(answer["acts"]) == 30
        assert {act["act"] for act in answer["acts"]} == {"flip", "delete", "swap"}
    assert path.read_bytes() == sound != before
    assert [p.name for p in path.parent.iterdir() if p.is_dir()] == []


def test_no_drill_in_a_damaged_store(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config.parent / "data" / "sealtrail.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE event SET biz_step = 'other' WHERE event_row = 9")
    assert main(["drill", "--config", str(config), "--json"]) == 2
    assert "drill_of_damage" in capsys.readouterr().err
