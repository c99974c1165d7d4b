"""One flipped bit in any value of any record: the check of the store names that record."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fsck_world import Store, build_stores, columns_of, flip, keys_of, live_tables, names
from sealtrail.errors import SealtrailError
from sealtrail.log.item_index import sorted_lists
from sealtrail.services.fsck.checks import CHECKS
from sealtrail.store.contents import parse_content
from sealtrail.store.run_file import RunFile, write_run

# Values that nothing else follows from, and that follow from nothing: what they may be at all is checked.
NOT_FOUND = {
    "chain_cursor.checked_ms": "a clock's time: only says how fresh what was followed is; read anew at each pass",
    "checkpoint.created_ms": "a clock's time, for the operator; when a checkpoint was, its anchor says",
    "anchor_outbox.updated_ms": "a clock's time: when an anchor may be sent again",
    "anchor_outbox.published_ms": "a clock's time; whether it is there is what counts",
    "foreign_entry.received_ms": "a clock's time, for the operator",
    "capture_job.job_id": "a random name; its form is checked",
    "capture_job.created_ms": "a clock's time; that it is before finished_ms is checked",
    "capture_job.finished_ms": "a clock's time; that it is after created_ms is checked",
    "capture_job.errors": "what a refused document was answered; that it is a list of problems is checked",
    "delivery.attempts": "a count for the operator",
    "delivery.next_ms": "a clock's time: when it is tried next",
    "delivery.last_error": "words for the operator",
    "delivery.delivered_ms": "a clock's time; whether it is there is what counts",
    "delivery_cursor.event_row": "between the last event that is to be sent and the newest it only says how much is"
    " looked through again; beyond is found",
    "extension_prefix.prefix": "what queries may leave out; nothing rests on it",
    "extension_prefix.namespace": "likewise",
    "event_index_gap.event_row": "how many events of an earlier version are taken in again; beyond them is found",
    "event_index_gap.until": "likewise; beyond the newest event is found",
    "disclosed.event_row": "which events a member saw beside what it was sent: nobody else wrote it down",
    "peer_nonce.nonce": "a random number that its sender chose, for five minutes",
    "peer_nonce.expires_ms": "a clock's time",
    "tombstone.erased_ms": "a clock's time, of the operator who erased",
    "tombstone.erased_by": "words of who erased; the command's own record is in the audit trail",
    "tombstone.ground": "words of who erased",
    "tombstone.authority": "words of who erased",
    "tombstone.reference": "words of who erased",
    "tombstone.ordered_on": "a day that who erased named; its form is checked",
    "witnessed_log.witnessed_ms": "a clock's time, for the operator",
    "index_audited_log.delivered_ms": "a clock's time; whether it is there is what counts",
    "log_finding.found_ms": "a clock's time, for the operator",
    "log_finding.promised_ms": "the entry's time and a delay that was configured then",
    "log_finding.settled_ms": "a clock's time; whether it is there is what counts",
    "log_finding.recomputed": "only who reads all of that log comes to it; its form and size are checked",
    "log_watch_cursor.event_row": "before the newest event it only says how much is looked through again; beyond is"
    " found",
    "log_watch_cursor.checkpoint_row": "before the newest checkpoint likewise",
    "log_watch_cursor.anchor_block": "before the followed block likewise",
    **dict.fromkeys(
        (f"subscription.{name}_ms" for name in ("batch", "next", "run", "notified", "failing", "suspended")),
        "a clock's time, for the operator and for when it is tried next",
    ),
    "subscription.failure": "words for the operator",
    "subscription.event_row": "how far a consumer is: nobody else wrote it down; beyond the newest event is found",
    "subscription.batch": "a count; its consumer would be sent a batch under another number",
    "subscription.batch_row": "how far the batch under way goes; beyond the newest event is found",
    "audit_name.pseudonym": "a random number; its form is checked",
    "audit_name.name": "outside of the trail, to be erased without a trace",
    "audit_name.created_ms": "a clock's time",
    "audit_input.kept_ms": "a clock's time",
}  # fmt: skip
SINGLY_MAX = 40  # rows of a table that are flipped one at a time; of larger ones some at once
AT_ONCE = 20
ROWS_MAX = 600  # rows of a table: one event of the pharmacy's names thousands of packs
SAMPLE = 1  # rows for each column in the fast suite


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    return build_stores(tmp_path_factory.mktemp("fsck"))


@pytest.fixture(params=["maker", "wholesaler", "pharmacy"])
def store(request: pytest.FixtureRequest, stores: dict[str, Store]) -> Iterator[Store]:
    chosen = stores[request.param]
    chosen.restore()
    yield chosen
    chosen.restore()


def test_nothing_is_found_in_sound_stores(store: Store) -> None:
    report = store.check()
    assert report.faults == ()
    assert report.unchecked == ()
    assert report.faults_total == 0


def test_every_table_has_a_check_and_rows_here(stores: dict[str, Store]) -> None:
    vouched = {table for check in CHECKS.values() for table in check.tables}
    filled: set[str] = set()
    for store in stores.values():
        with store.opened() as connection:
            tables = set(live_tables(connection))
            filled |= {t for t in tables if connection.execute(f"SELECT 1 FROM {t}").fetchone()}
    assert tables <= vouched
    assert filled == tables


def test_every_exception_is_a_column(stores: dict[str, Store]) -> None:
    with stores["maker"].opened() as connection:
        columns = {
            f"{table}.{name}"
            for table in live_tables(connection)
            for name, _, _ in columns_of(connection, table)
        }
    assert set(NOT_FOUND) <= columns


def flip_and_check(
    store: Store, table: str, column: str, keys: list[dict[str, Any]], random_: random.Random
) -> list[dict[str, Any]]:
    """Flip one bit in each of these rows' values; return the rows that no fault names."""
    store.restore()
    after = {}
    with store.opened() as connection:
        for n, key in enumerate(keys):
            changed = flip(connection, table, key, column, random_)
            if changed is not None:
                after[n] = changed
    if not after:
        return []
    faults = store.check().faults
    return [
        keys[n]
        for n, changed in after.items()
        if not any(names(fault, table, (keys[n], changed)) for fault in faults)
    ]


# Of an erased event nothing says these, nor by how many of its items it is still found (docs/fsck.md).
NOT_OF_ERASED = {"event.media_type", "event.is_declaration"}


def of_erased(connection: sqlite3.Connection) -> set[int]:
    return {
        row[0] for row in connection.execute("SELECT event_row FROM event WHERE content IS NULL")
    }


def flip_table(store: Store, table: str, random_: random.Random, rows_max: int | None) -> list[Any]:
    store.restore()
    with store.opened() as connection:
        keys, columns = keys_of(connection, table), columns_of(connection, table)
        erased = of_erased(connection)
    if len(keys) > ROWS_MAX:
        keys = random_.sample(keys, ROWS_MAX)
    if table in ("event_item", "event_term", "event_value"):
        keys = [key for key in keys if key["event_row"] not in erased]
    missed: list[Any] = []
    for column, _, is_key in columns:
        if f"{table}.{column}" in NOT_FOUND:
            continue
        known = keys
        if f"{table}.{column}" in NOT_OF_ERASED:
            known = [key for key in keys if key["event_row"] not in erased]
        rows = known if rows_max is None else random_.sample(known, min(rows_max, len(known)))
        # rows whose keys change at once may take each other's places
        size = 1 if is_key or len(rows) <= SINGLY_MAX else AT_ONCE
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            missed += [
                (f"{table}.{column}", key)
                for key in flip_and_check(store, table, column, part, random_)
            ]
    return missed


TABLES = [
    "anchor_outbox", "audit_digest", "audit_head", "audit_input", "audit_input_total", "audit_name", "audit_record",
    "audit_subject", "awaited_anchor", "capture_job", "chain_anchor", "chain_cursor", "chain_member", "checkpoint",
    "cosignature", "delivery", "delivery_cursor", "delivery_unproven", "disclosed", "entry", "event", "event_index_gap",
    "event_item", "event_term", "event_value", "extension_prefix",
    "foreign_entry", "foreign_log", "identity", "index_audit", "index_audited_log", "item_index", "item_run_start",
    "log_finding", "log_watch_cursor", "named_query", "peer_nonce", "subscription", "tile", "tombstone",
    "validator_change", "validator_state", "version_attribute", "version_child", "vocabulary_version", "witness",
    "witnessed_log",
]  # fmt: skip


def test_the_list_of_tables_is_whole(stores: dict[str, Store]) -> None:
    with stores["maker"].opened() as connection:
        assert live_tables(connection) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_a_flipped_bit_is_named_in_some_rows_of_every_column(store: Store, table: str) -> None:
    assert flip_table(store, table, random.Random(table), SAMPLE) == []


@pytest.mark.soak
@pytest.mark.parametrize("table", TABLES)
def test_a_flipped_bit_is_named_in_every_row_of_every_column(store: Store, table: str) -> None:
    assert flip_table(store, table, random.Random(table + "*"), None) == []


# Rows whose loss nothing shows.
NOT_MISSED = {
    "peer_nonce": "forgotten after five minutes anyway",
    "chain_cursor": "the chain is read again from the start",
    "disclosed": "which events a member saw beside what it was sent: nobody else wrote it down",
    "delivery_unproven": "which proofs are to follow: the receiver asks its own chain",
    "capture_job": "the newest of them",
    "delivery": "the newest of them",
    "named_query": "is found where somebody subscribed to it; else it may have been deleted",
    "subscription": "it may have been ended",
    "extension_prefix": "what queries may leave out",
    "delivery_cursor": "is found where something was to be sent",
    "checkpoint": "others' are kept for proofs; without one, nothing rests on it",
    "foreign_log": "of a log whose entries name no item",
    "audit_name": "outside of the trail, to be erased without a trace",
    "audit_input": "the newest may be erased; that it is not counted is found",
    "awaited_anchor": "an entry that is not anchored in time is not found to be late",
    "cosignature": "a further one of a witness",
    "index_audit": "a further one of an auditor",
    "index_audited_log": "what was said last: nobody else wrote it down here",
    "item_run_start": "the newest: it is made again",
    "log_finding": "the newest of them",
    "witness": "is found by its cosignatures",
    "witnessed_log": "what was cosigned last: nobody else wrote it down here",
}


@pytest.mark.parametrize("table", [t for t in TABLES if t not in NOT_MISSED])
def test_a_row_that_is_gone_is_named(store: Store, table: str) -> None:
    with store.opened() as connection:
        keys = keys_of(connection, table)
    for key in random.Random(table).sample(keys, min(3, len(keys))):
        store.restore()
        with store.opened() as connection:
            where = " AND ".join(f"{name} IS ?" for name in key)
            connection.execute(f"DELETE FROM {table} WHERE {where}", tuple(key.values()))
        assert store.check().faults, (table, key)


@pytest.mark.parametrize(
    "damage",
    ["UPDATE audit_record SET body = x'7b7d' WHERE n = ?", "DELETE FROM audit_record WHERE n = ?"],
    ids=["can't be read", "is gone"],
)
def test_what_records_behind_an_unread_one_are_found_by_is_said_to_be_open(
    store: Store, damage: str
) -> None:
    """What those before it are found by is still compared."""
    with store.opened() as connection:
        subjects = connection.execute("SELECT n, subject FROM audit_subject ORDER BY n").fetchall()
        (first, subject), (last, _) = subjects[0], subjects[-1]
        count = connection.execute("SELECT count(*) FROM audit_record").fetchone()[0]
        assert first + 1 < last
        connection.execute("DELETE FROM audit_subject WHERE n IN (?, ?)", (first, last))
        connection.execute(damage, (first + 1,))
    report = store.check()
    missing = [f.key for f in report.faults if f.code == "audit_subject_missing"]
    assert {key["n"] for key in missing} == {first}
    assert "0x" + subject.hex() in {key["subject"] for key in missing}
    (unchecked,) = report.unchecked
    assert (unchecked.check, unchecked.code) == ("audit trail", "audit_record_unread")
    assert f"records {first + 1} to {count - 1}" in unchecked.message


@pytest.mark.parametrize(
    "change",
    [
        "first_sequence = 7",
        "first_sequence = second_sequence, second_sequence = first_sequence",
        "first_sequence = NULL, second_sequence = NULL",
        "first_note = second_note, second_note = first_note",
        "second_note = first_note",
        "code = 'log_forked'",
        "member = (SELECT member FROM identity)",
    ],
)
def test_a_rewind_that_its_two_anchored_notes_do_not_prove_is_named(
    store: Store, change: str
) -> None:
    with store.opened() as connection:
        ((number,),) = connection.execute(
            "SELECT finding_id FROM log_finding WHERE code = 'log_rewound'"
        )
    store.sql(f"UPDATE log_finding SET {change} WHERE finding_id = {number}")
    faults = [(f.code, f.key) for f in store.check(offline=True).faults]
    assert faults == [("log_finding_differs", {"finding_id": number})]


def run_files(store: Store) -> list[Path]:
    folder = store.subject().index_folder
    assert folder is not None
    return sorted(folder.glob("*.run"))


@pytest.mark.parametrize("seed", range(12))
def test_a_bit_flipped_in_a_runs_file_names_the_file(stores: dict[str, Store], seed: int) -> None:
    store, random_ = stores["pharmacy"], random.Random(seed)
    store.restore()
    path = random_.choice(run_files(store))
    kept = path.read_bytes()
    changed = bytearray(kept)
    changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
    path.write_bytes(bytes(changed))
    try:
        faults = store.check(offline=True).faults
    finally:
        path.write_bytes(kept)
    assert [(f.code, f.key) for f in faults] == [("run_file_differs", {"file": path.name})]


def test_a_runs_file_of_other_postings_is_named(stores: dict[str, Store]) -> None:
    store = stores["pharmacy"]
    store.restore()
    (path,) = run_files(store)
    kept = path.read_bytes()
    run, log_id = RunFile.open(path).head.run, RunFile.open(path).log_id
    lists = {n.to_bytes(32, "big"): bytes(8) for n in range(1, run.postings + 1)}
    write_run(path.parent, run, log_id, [sorted_lists(lists)])  # whole, with digests of its own
    try:
        faults = store.check(offline=True).faults
    finally:
        path.write_bytes(kept)
    assert [(f.code, f.key) for f in faults] == [("run_file_differs", {"file": path.name})]


def test_an_erased_event_without_its_tombstone_is_named(stores: dict[str, Store]) -> None:
    store = stores["wholesaler"]
    store.restore()
    store.sql("DELETE FROM tombstone")
    codes = [fault.code for fault in store.check(offline=True).faults]
    store.restore()
    assert codes == ["tombstone_missing"] * 2


def test_a_tombstone_of_an_event_that_is_there_is_named(stores: dict[str, Store]) -> None:
    store = stores["maker"]
    store.restore()
    store.sql(
        "INSERT INTO tombstone (entry_id, erased_ms, erased_by, ground)"
        " SELECT entry_id, 1, 'nobody', 'none' FROM event WHERE leaf_index = 1"
    )
    codes = [fault.code for fault in store.check(offline=True).faults]
    store.restore()
    assert codes == ["tombstone_unexpected"]


def values_of(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return what every table says; of a content what it stands for."""
    found = {}
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.text_factory = bytes
        connection.create_function("parsed", 1, lambda kept: kept and parse_content(kept))
        for table in TABLES:
            columns = [
                f"parsed({name})" if name == "content" else name
                for name, _, _ in columns_in(connection, table)
            ]
            found[table] = connection.execute(
                f"SELECT {', '.join(columns)} FROM {table}"
            ).fetchall()
    return found


def columns_in(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    return [(str(n, "ascii"), k, p) for n, k, p in columns_of(connection, table)]  # type: ignore[call-overload]


def flip_anywhere(store: Store, seed: int) -> None:
    random_ = random.Random(seed)
    image = bytearray(store.pristine)
    place = random_.randrange(len(image))
    image[place] ^= 1 << random_.randrange(8)
    store.path.write_bytes(bytes(image))
    try:
        if store.check().faults:
            return
    except SealtrailError as error:
        assert error.code in ("store_corrupt", "store_newer"), error  # noqa: PT017
        return
    now = values_of(store)
    store.restore()
    before = values_of(store)
    tables = {table for table in TABLES if now[table] != before[table]}
    assert tables <= {name.partition(".")[0] for name in NOT_FOUND}, place


@pytest.mark.parametrize("seed", range(20))
def test_a_bit_flipped_anywhere_in_the_file_is_found_or_changes_nothing(
    stores: dict[str, Store], seed: int
) -> None:
    store = stores["wholesaler"]
    store.restore()
    flip_anywhere(store, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20, 300))
def test_many_bits_flipped_anywhere_in_the_file(stores: dict[str, Store], seed: int) -> None:
    store = stores["wholesaler"]
    store.restore()
    flip_anywhere(store, seed)
