"""A tamper drill: a copy of the store is damaged at chosen places, and the checks must find each.

Never the store itself. Each act changes one record of the copy, which is checked and mended before the next: so that no
act hides another.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from sealtrail.errors import InputError, UnavailableError
from sealtrail.services.fsck.faults import Key, spelt
from sealtrail.services.fsck.item_index import FILES
from sealtrail.services.fsck.run import Report
from sealtrail.store.contents import parse_content
from sealtrail.store.faults import FAULTS, wrap

Act = Literal["flip", "delete", "swap"]
ACTS: tuple[Act, ...] = ("flip", "delete", "swap")
_TRIES = 40  # for a value that the table takes

# What answers and proofs rest on, and which of its columns. Working state (deliveries, jobs, nonces) and clock times
# have little or nothing to be compared with: docs/fsck.md lists what is found there.
COLUMNS: dict[str, tuple[str, ...]] = {
    "entry": ("leaf_index", "entry_id", "leaf", "seed", "refs", "item_keys"),
    "event": (
        *(
            "member",
            "entry_id",
            "leaf_index",
            "media_type",
            "content",
            "content_hash",
            "event_hash",
        ),
        *("event_id", "is_declaration", "event_type", "action", "biz_step", "disposition"),
        *("read_point", "biz_location", "event_time_us", "record_time_ms"),
    ),
    "event_item": ("item", "place", "event_row"),
    "event_term": ("term", "event_row"),
    "event_value": ("name", "value", "event_row"),
    "tile": ("hashes", "inner"),
    "checkpoint": ("checkpoint_hash", "member", "tree_size", "root_hash", "note"),
    "anchor_outbox": ("checkpoint_hash", "state", "raw_transaction"),
    "foreign_entry": (
        *("member", "leaf", "seed", "refs", "item_keys", "item_salt", "leaf_index"),
        *("checkpoint_hash", "inclusion_proof"),
    ),
    "foreign_log": ("item_salt",),
    "identity": ("chain_id", "genesis_hash", "registry", "member", "item_salt"),
    "tombstone": ("entry_id",),
    "item_index": ("postings", "root_hash"),
    "audit_record": ("time_ms", "body", "record_hash"),
    "audit_head": ("count", "record_hash"),
    "audit_digest": ("content",),
    "cosignature": ("signature",),
    "index_audit": ("signature",),
    "witnessed_log": ("tree_size", "root_hash", "note"),
    "vocabulary_version": ("vocabulary", "id", "valid_from_ms", "source", "member", "body"),
    "version_child": ("child",),
    "version_attribute": ("name", "value"),
    "log_finding": ("code", "member", "first_note", "second_note"),
    "validator_state": ("state", "check_hash"),
    "validator_change": ("block_number", "block_hash", "members"),
    FILES: ("file",),
}
_NUMBERED = {"entry": "leaf_index", "event": "event_row"}
# Of an erased event nothing says these.
_NOT_OF_ERASED = frozenset({"media_type", "is_declaration", "item", "place", "event_row", None})
DELETED = (
    *(
        "entry",
        "event",
        "event_item",
        "event_term",
        "event_value",
        "tile",
        "anchor_outbox",
        "foreign_entry",
        "identity",
    ),
    *("tombstone", "item_index", "audit_head", "audit_digest"),
)
SWAPPED = {"entry": ("leaf", "seed"), "event": ("content", "event_time_us", "biz_location")}


class Tampering(msgspec.Struct, frozen=True, kw_only=True):
    """One act on one record, and whether the checks named that record."""

    act: Act
    table: str
    key: dict[str, int | str]
    column: str | None
    found: bool = False
    codes: tuple[str, ...] = ()


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    act: Act
    table: str
    keys: tuple[dict[str, Any], ...]  # afterwards the record may have another key: then both
    column: str | None
    referring: tuple[str, dict[str, Any]] | None = None  # what refers to a record that is gone

    def outcome(self, report: Report) -> Tampering:
        names = [(self.table, {n: spelt(v) for n, v in key.items()}) for key in self.keys]
        if self.referring is not None:
            names.append(self.referring)
        codes = [f.code for f in report.faults if (f.table, f.key) in names]
        return Tampering(
            act=self.act,
            table=self.table,
            key=names[0][1],
            column=self.column,
            found=bool(codes),
            codes=tuple(dict.fromkeys(codes)),
        )


def require_room(database: Path, folder: Path) -> int:
    """Return how many bytes a copy takes.

    Raises:
        UnavailableError: there is not so much room in ``folder`` (``disk_full``).
    """
    needed = sum(p.stat().st_size for p in _files(database) if p.exists())
    free = shutil.disk_usage(folder).free
    if free < 2 * needed:  # the copy, and what changes in it
        raise UnavailableError(
            "disk_full",
            f"a drill takes {2 * needed // 2**20} MiB in {folder}, where {free // 2**20} MiB are free",
            advice="make room, or name another folder with --work-dir",
        )
    return needed


def copy_store(database: Path, folder: Path) -> Path:
    """Copy the database as it is now, whoever writes it, and return the copy's path.

    Raises:
        UnavailableError, IntegrityError: it can't be read.
    """
    copy = folder / database.name
    try:
        uri = f"{database.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=5)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except FAULTS as error:
        raise wrap(error) from error
    return copy


def copy_runs(folder: Path, target: Path) -> Path:
    """Copy the item index's files to a folder, and return that; those that are deleted meanwhile are left out."""
    target.mkdir()
    for path in folder.glob("*.run") if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            shutil.copy(path, target / path.name)
    return target


def drill(
    copy: Path, runs: Path | None, *, count: int, seed: int, check: Callable[[], Report]
) -> list[Tampering]:
    """Damage the copy at ``count`` places, no two of them at the same event, and return what became of each.

    Args:
        runs: the copy of the item index's files, if there is one.
        check: runs all checks over the copy.

    Raises:
        InputError: the store is damaged before the drill (``drill_of_damage``): nothing could be told apart.
    """
    before = check()
    if before.faults:
        raise InputError(
            "drill_of_damage",
            f"the store is damaged already: {before.faults[0].name}",
            advice="a drill needs a sound store; see `sealtrail fsck`",
        )
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("BEGIN")
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:  # what keeps this program from changing a record keeps nobody else
            connection.execute(f"DROP TRIGGER {name}")
        tamperer = _Tamperer(connection, runs, random.Random(seed))  # noqa: S311 - to be repeated
        choices = list(tamperer.acts(count))
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")
    report = check()
    return [choice.outcome(report) for choice in choices]


class _Tamperer:
    def __init__(
        self, connection: sqlite3.Connection, runs: Path | None, random_: random.Random
    ) -> None:
        self._connection = connection
        self._runs = runs
        self._random = random_
        self._touched: set[object] = set()

    def acts(self, count: int) -> Iterator[_Choice]:
        """Do acts of each kind in turn, until there are so many or no record is left."""
        places: dict[Act, list[tuple[str, str | None]]] = {
            "flip": [(table, column) for table, columns in COLUMNS.items() for column in columns],
            "delete": [(table, None) for table in DELETED],
            "swap": [(table, column) for table, columns in SWAPPED.items() for column in columns],
        }
        done = 0
        for number in range(count * _TRIES):
            act = ACTS[number % len(ACTS)]
            table, column = self._random.choice(places[act])
            choice = self._act(act, table, column)
            if choice is not None:
                # once more: what it is about may have another name by now
                self._touched |= {self._about(table, key) for key in choice.keys if table != FILES}
                done += 1
                yield choice
            if done == count:
                return

    def _act(self, act: Act, table: str, column: str | None) -> _Choice | None:
        if table == FILES:
            return self._flip_file()
        keys = self._choose(table, 2 if act == "swap" else 1)
        if keys is None or any(self._is_erased(table, key, column) for key in keys):
            return None
        if act == "delete":
            if table in _NUMBERED and self._is_last(table, keys[0]):
                return None
            where, values = _where(keys[0])
            referring = self._event_of(keys[0]) if table == "foreign_entry" else None
            self._connection.execute(f"DELETE FROM {table} WHERE {where}", values)
            return _Choice(act=act, table=table, keys=(keys[0],), column=None, referring=referring)
        assert column is not None
        if act == "swap":
            return self._swap(table, column, keys)
        return self._flip(table, column, keys[0])

    def _choose(self, table: str, count: int) -> list[dict[str, Any]] | None:
        """Choose records that no act has touched, nor their event."""
        names = [
            row[1] for row in self._connection.execute(f"PRAGMA table_info({table})") if row[5]
        ]
        rows = self._connection.execute(
            f"SELECT {', '.join(names)} FROM {table} ORDER BY {', '.join(names)} LIMIT ? OFFSET ?",
            (count, self._random.randrange(max(1, self._rows(table) - count + 1))),
        ).fetchall()
        keys = [dict(zip(names, row, strict=True)) for row in rows]
        about = {self._about(table, key) for key in keys}
        if len(about) < count or about & self._touched:
            return None
        self._touched |= about
        return keys

    def _is_last(self, table: str, key: Key) -> bool:
        """Tell whether nothing stands behind a record: that it is gone is said of what still refers to it."""
        name = _NUMBERED[table]
        last = self._connection.execute(f"SELECT max({name}) FROM {table}").fetchone()[0]
        return bool(key[name] == last)

    def _is_erased(self, table: str, key: Key, column: str | None) -> bool:
        """Tell whether nothing says any more what the column of an erased event was."""
        if table not in ("event", "event_item") or column not in _NOT_OF_ERASED:
            return False
        row = self._connection.execute(
            "SELECT content IS NULL FROM event WHERE event_row = :event_row", key
        ).fetchone()
        return row is None or bool(row[0])

    def _flip_file(self) -> _Choice | None:
        files = [] if self._runs is None else sorted(self._runs.glob("*.run"))
        path = self._random.choice(files) if files else None
        if path is None or path.name in self._touched:
            return None
        self._touched.add(path.name)
        changed = _flipped(path.read_bytes(), self._random)
        assert isinstance(changed, bytes)
        path.write_bytes(changed)
        return _Choice(act="flip", table=FILES, keys=({"file": path.name},), column=None)

    def _event_of(self, key: Key) -> tuple[str, dict[str, Any]] | None:
        row = self._connection.execute(
            "SELECT event_row FROM event WHERE entry_id = :entry_id", key
        ).fetchone()
        return None if row is None else ("event", {"event_row": row[0]})

    def _rows(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def _about(self, table: str, key: Key) -> object:
        """Return what a record is about: damage to one of an event's records may hide another's."""
        question = {
            "entry": "SELECT entry_id FROM entry WHERE leaf_index = :leaf_index",
            "event": "SELECT entry_id FROM event WHERE event_row = :event_row",
            "event_item": "SELECT entry_id FROM event WHERE event_row = :event_row",
            "event_term": "SELECT entry_id FROM event WHERE event_row = :event_row",
            "event_value": "SELECT entry_id FROM event WHERE event_row = :event_row",
            "identity": "SELECT entry_id FROM entry WHERE leaf_index = 0",
            "item_index": "SELECT entry_id FROM entry WHERE leaf_index = :covers",
            "audit_digest": "SELECT entry_id FROM entry WHERE leaf_index = :leaf_index",
        }.get(table)
        if question is None:
            about = {
                "cosignature": "checkpoint",
                "anchor_outbox": "checkpoint",
                "version_child": "vocabulary_version",
                "version_attribute": "vocabulary_version",
            }.get(table, table)
            return key["entry_id"] if table in ("foreign_entry", "tombstone") else about
        row = self._connection.execute(question, key).fetchone()
        return None if row is None else row[0]

    def _flip(self, table: str, column: str, key: dict[str, Any]) -> _Choice | None:
        where, values = _where(key)
        (value,) = self._connection.execute(
            f"SELECT {column} FROM {table} WHERE {where}", values
        ).fetchone()
        for _ in range(_TRIES):
            changed = _flipped(value, self._random)
            if changed is None:
                return None
            if column == "content" and _is_same_content(value, changed):
                continue  # a spare bit at the end of a deflated stream
            if self._set(table, column, key, changed):
                after = {**key, column: changed} if column in key else key
                return _Choice(act="flip", table=table, keys=(key, after), column=column)
        return None

    def _swap(self, table: str, column: str, keys: Sequence[dict[str, Any]]) -> _Choice | None:
        found = [
            self._connection.execute(
                f"SELECT {column} FROM {table} WHERE {_where(key)[0]}", _where(key)[1]
            ).fetchone()[0]
            for key in keys
        ]
        if found[0] == found[1]:
            return None
        for key, value in zip(keys, reversed(found), strict=True):
            self._set(table, column, key, value)
        return _Choice(act="swap", table=table, keys=(keys[0],), column=column)

    def _set(self, table: str, column: str, key: Key, value: object) -> bool:
        where, values = _where(key)
        try:
            self._connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {where}", (value, *values)
            )
        except sqlite3.IntegrityError:  # another record has that key
            return False
        return True


def _where(key: Key) -> tuple[str, tuple[object, ...]]:
    return " AND ".join(f"{name} IS ?" for name in key), tuple(key.values())


def _flipped(value: object, random_: random.Random) -> bytes | str | int | None:
    """Return a value with one bit flipped; of a text one that leaves it ASCII. None: there is nothing to flip."""
    if isinstance(value, int):
        return value ^ 1 << random_.randrange(max(8, value.bit_length()))
    if isinstance(value, str) and value.isascii() and value:
        at = random_.randrange(len(value))
        return value[:at] + chr(ord(value[at]) ^ 1 << random_.randrange(5)) + value[at + 1 :]
    if isinstance(value, bytes) and value:
        changed = bytearray(value)
        changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
        return bytes(changed)
    return None


def _is_same_content(kept: object, changed: object) -> bool:
    return (
        isinstance(kept, bytes)
        and isinstance(changed, bytes)
        and parse_content(kept) == parse_content(changed)
    )


def _files(database: Path) -> tuple[Path, ...]:
    return (database, database.with_name(database.name + "-wal"))
