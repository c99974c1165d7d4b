"""The item index: what index entries say, where its runs begin, and the runs' files, recomputed from the entries.

Runs up to :data:`_IN_MEMORY_MAX` postings are built again. A longer one's file is compared posting by posting, by
sums (:mod:`sealtrail.services.fsck.counting`); where it is no file any more, the index entries of its time are compared
with what was signed, and their roots are not built again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from hashlib import blake2b

from sealtrail.errors import IntegrityError, SealtrailError
from sealtrail.log.item_index import (
    BASE_POSTINGS,
    FAN_OUT,
    KEY_BYTES,
    LAST_KEY,
    LEAF_INDEX_BYTES,
    IndexHead,
    Run,
    RunHead,
    encode_index_document,
    index_root,
    run_leaf_hashes,
    runs_of,
)
from sealtrail.log.item_run import RunInMemory
from sealtrail.log.tree import CompactRange, leaf_hash, split_hashes
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.counting import MODULUS
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.own_log.plain_entries import plain_root
from sealtrail.signing import ZERO_SEED, Kind, parse_leaf
from sealtrail.store.item_index import Gathering, RunStart, entries_from
from sealtrail.store.run_file import Leaf, RunFile, run_name

_INDEX, _START, FILES = "item_index", "item_run_start", "index"
_IN_MEMORY_MAX = BASE_POSTINGS * FAN_OUT**3
_KIND_AT = 1  # in a leaf


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of it, in one walk through the log."""
    found = Findings()
    files = _open_files(scope, found)
    walk = _Walk(scope, found, files)
    try:
        walk.run()
        walk.compare_starts()
        walk.compare_files()
    except IntegrityError as error:  # an entry or its keys: named with the entries
        found.skip(CHECK.name, error.code, f"entries that it follows from: {error.message}")
        walk.compare_signed()
    return found


class _Walk:
    def __init__(self, scope: Scope, found: Findings, files: Mapping[Run, RunFile]) -> None:
        self._scope = scope
        self._found = found
        self._files = files
        self._long = [run for run in files if run.postings > _IN_MEMORY_MAX]
        self._sums: dict[Run, int] = dict.fromkeys(self._long, 0)
        self._gathering = Gathering(RunStart(0, 0, 0))
        self._starts: dict[int, RunStart] = {}
        self._lists: dict[Run, dict[bytes, bytes]] = {}  # of runs that are still to be merged
        self._heads: dict[Run, RunHead] = {}
        self._stored = {
            row[0]: IndexHead(covers=row[0], postings=row[1], root_hash=row[2])
            for row in scope.connection.execute(f"SELECT covers, postings, root_hash FROM {_INDEX}")
        }
        self._compared: set[int] = set()
        self._keys_hold = False  # the entries' item keys are known to be what was signed

    def run(self) -> None:
        """Go through the log, and compare each index entry when it comes.

        Raises:
            IntegrityError: an entry is missing, or item keys are not whole or not what was signed.
        """
        size = self._scope.count("SELECT max(leaf_index) + 1 FROM entry")
        rows = self._scope.connection.execute(
            "SELECT leaf_index, item_keys, leaf FROM entry ORDER BY leaf_index"
        )
        for expected, (leaf_index, item_keys, leaf) in enumerate(rows):
            if leaf_index != expected or len(item_keys) % KEY_BYTES:
                raise IntegrityError("item_keys_damaged", f"at leaf {expected} of {size}")
            if leaf[_KIND_AT : _KIND_AT + 1] == bytes([Kind.INDEX]):
                self._compare(leaf_index, leaf)
            self._count(leaf_index, item_keys)
            for run, lists in self._gathering.add(leaf_index, item_keys):
                self._starts[self._gathering.start.number] = self._gathering.start
                self._full(run, lists)
        for covers in self._stored.keys() - self._compared:
            message = "no index entry stands at that leaf"
            self._found.add("index_unexpected", _INDEX, {"covers": covers}, message)

    def compare_signed(self) -> None:
        """Compare with what was signed, and files with themselves: where the entries are no measure."""
        there = set()
        for covers, leaf in self._scope.connection.execute(
            "SELECT leaf_index, leaf FROM entry WHERE substr(leaf, 2, 1) = ?",
            (bytes([Kind.INDEX]),),
        ):
            there.add(covers)
            stored, key = self._stored.get(covers), {"covers": covers}
            if stored is None:
                self._found.add("index_missing", _INDEX, key, "what the index entry says is gone")
            elif not _is_signed(leaf, stored):
                message = "it is not what the index entry was signed over"
                self._found.add("index_differs", _INDEX, key, message)
        for covers in self._stored.keys() - there:
            message = "no index entry stands at that leaf"
            self._found.add("index_unexpected", _INDEX, {"covers": covers}, message)
        for file in self._files.values():
            try:
                why = None if self._read(file)[0] == file.head else "its root is not its leaves'"
            except IntegrityError as error:
                why = error.message
            if why is not None and file.path.exists():
                self._found.add("run_file_differs", FILES, {"file": file.path.name}, why)

    def _count(self, leaf_index: int, item_keys: bytes) -> None:
        if not self._long:
            return
        number = self._gathering.postings
        for key in split_hashes(item_keys):
            for run in self._long:
                if run.first <= number < run.end:
                    self._sums[run] += self._one(key, leaf_index.to_bytes(LEAF_INDEX_BYTES, "big"))
            number += 1

    def _one(self, key: bytes, leaf_index: bytes) -> int:
        digest = blake2b(key + leaf_index, key=self._scope.subject.counting_key, digest_size=8)
        return int.from_bytes(digest.digest(), "big")

    def _full(self, run: Run, lists: dict[bytes, bytes]) -> None:
        """Take a run in, and every longer one that is whole with it."""
        while True:
            self._heads[run] = RunInMemory(run, lists).head
            length = run.postings * FAN_OUT
            if length > _IN_MEMORY_MAX:
                return
            self._lists[run] = lists
            if run.end % length:
                return
            parts = [Run(run.end - length + n * run.postings, run.postings) for n in range(FAN_OUT)]
            lists = {}
            for part in parts:
                for key, joined in self._lists.pop(part).items():
                    lists[key] = lists.get(key, b"") + joined
            run = Run(run.end - length, length)

    def _compare(self, covers: int, leaf: bytes) -> None:
        """Compare what an index entry says, as it is stored, with what was signed and with the entries before it."""
        self._compared.add(covers)
        key = {"covers": covers}
        stored = self._stored.get(covers)
        expected = self._head(covers)
        if stored is None:
            message = "the log has an index entry there, and what it says is gone"
            self._found.add("index_missing", _INDEX, key, message)
            return
        if stored == expected:
            return
        signed = _is_signed(leaf, stored)
        if signed and expected is not None:
            self._require_signed_keys()
        if stored.postings != self._gathering.postings:
            self._found.differs(
                _INDEX, key, "postings", stored.postings, self._gathering.postings,
                code="index_differs",
            )  # fmt: skip
        elif expected is not None:
            self._found.differs(
                _INDEX, key, "root_hash", stored.root_hash, expected.root_hash,
                code="index_differs",
            )  # fmt: skip
        elif not signed:
            message = "it is not what the index entry was signed over"
            self._found.add("index_differs", _INDEX, key, message, column="root_hash")

    def _head(self, covers: int) -> IndexHead | None:
        """Return what an index entry there has to say; None if a run that it takes is not at hand."""
        postings, heads = self._gathering.postings, []
        for run in runs_of(postings):
            if run == self._gathering.tail():
                heads.append(RunInMemory(run, self._gathering.lists).head)
            elif run in self._heads:
                heads.append(self._heads[run])
            elif run in self._files:  # which is compared by itself
                heads.append(self._files[run].head)
            else:
                return None
        return IndexHead(covers=covers, postings=postings, root_hash=index_root(heads))

    def _require_signed_keys(self) -> None:
        """Tell what is wrong from keys that have changed since; the latter raise."""
        if not self._keys_hold:
            end = self._scope.count("SELECT max(leaf_index) + 1 FROM entry")
            for _ in entries_from(self._scope.connection, 0, end, checked=True):
                pass
            self._keys_hold = True

    def compare_starts(self) -> None:
        """Compare where runs of level 0 begin; the newest may not be noted yet."""
        rows = self._scope.connection.execute(
            f"SELECT run, leaf_index, key_offset FROM {_START} ORDER BY run"
        ).fetchall()
        for number, leaf_index, key_offset in rows:
            key = {"run": number}
            start = RunStart(0, 0, 0) if number == 0 else self._starts.get(number)
            if start != RunStart(number, leaf_index, key_offset):
                self._require_signed_keys()
            if start is None:
                self._found.add("run_start_unexpected", _START, key, "the log has no such run")
                continue
            for name, value, right in (
                ("leaf_index", leaf_index, start.leaf_index),
                ("key_offset", key_offset, start.key_offset),
            ):
                if value != right:
                    self._found.differs(_START, key, name, value, right, code="run_start_differs")
        known = {row[0] for row in rows}
        for number in sorted(n for n in self._starts if known and n < max(known)):
            if number not in known:
                message = "later runs' beginnings are noted"
                self._found.add("run_start_missing", _START, {"run": number}, message)

    def compare_files(self) -> None:
        """Compare each file with the entries, leaf by leaf."""
        for run, file in self._files.items():
            if run.end > self._gathering.postings:
                continue  # of entries behind this snapshot, or of a backup's: deleted at the next start
            why = self._unlike(run, file)
            if why is not None and file.path.exists():
                self._found.add("run_file_differs", FILES, {"file": file.path.name}, why)

    def _unlike(self, run: Run, file: RunFile) -> str | None:
        try:
            head, total = self._read(file)
        except IntegrityError as error:  # of the file
            return error.message
        if head != file.head:
            return "its leaves don't give the root that it names"
        if run in self._heads:
            same = self._heads[run] == head
        elif run in self._sums:
            same = self._sums[run] % MODULUS == total
        else:
            return "no run of the index is of these postings"
        if not same:
            self._require_signed_keys()
        return None if same else "its postings are not those of the log's entries"

    def _read(self, file: RunFile) -> tuple[RunHead, int]:
        """Return what a file's leaves come to, and their sum if it is a long one's.

        Raises:
            IntegrityError: ``item_run_damaged``.
        """
        file.check()
        leaves, count, total = CompactRange(), 0, 0
        for block, end_key in _with_end_keys(file.blocks()):
            leaves.extend(run_leaf_hashes(block, end_key))
            count += len(block)
            if file.head.run in self._sums:
                total += sum(
                    self._one(key, joined[at : at + LEAF_INDEX_BYTES])
                    for key, joined in block
                    for at in range(0, len(joined), LEAF_INDEX_BYTES)
                )
        return RunHead(file.head.run, count, leaves.root()), total % MODULUS


def _with_end_keys(blocks: Iterator[list[Leaf]]) -> Iterator[tuple[list[Leaf], bytes]]:
    before: list[Leaf] = []
    for block in blocks:
        if before and block:
            yield before, block[0][0]
        before = block or before
    if before:
        yield before, LAST_KEY


def _is_signed(leaf: bytes, head: IndexHead) -> bool:
    try:
        signed = parse_leaf(leaf).entry.disclosure_root
    except SealtrailError:
        return False
    if min(head.covers, head.postings) < 0:
        return False
    return plain_root(encode_index_document(head), ZERO_SEED) == signed


def _open_files(scope: Scope, found: Findings) -> dict[Run, RunFile]:
    """Open the files of the folder; those that a running node deletes meanwhile are none."""
    folder = scope.subject.index_folder
    files: dict[Run, RunFile] = {}
    log_id = _log_id(scope.connection)
    if folder is None or not folder.is_dir():
        return files
    for path in sorted(folder.glob("*.run")):
        try:
            file = RunFile.open(path)
        except IntegrityError as error:
            if path.exists():
                found.add("run_file_differs", FILES, {"file": path.name}, error.message)
            continue
        # without its first entry, nothing says whose log this is
        if log_id not in (None, file.log_id) or path.name != run_name(file.head.run):
            message = "it is of another log or place"
            found.add("run_file_differs", FILES, {"file": path.name}, message)
        else:
            files[file.head.run] = file
    return files


def _log_id(connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("SELECT leaf FROM entry WHERE leaf_index = 0").fetchone()
    return None if row is None else leaf_hash(row[0])


CHECK = Check(
    name="item index",
    tables=(_INDEX, _START, FILES),
    look=look,
    span=lambda scope: (0, scope.count("SELECT max(leaf_index) + 1 FROM entry")),
    weight=0.3,
)
