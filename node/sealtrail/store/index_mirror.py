"""What was read of another member's log to recompute its item index: the tree's edge, and the runs as files.

A folder a log. Everything in it is derived, and may be deleted at any time: it is read again from the member's node.
The state is one file, written whole and with its digest; run files say for themselves whether they are whole. What is
in it was compared with the items roots in the leaves; that the leaves are the log's shows when their root is compared
with a signed checkpoint's, by whoever reads.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec

from sealtrail.errors import InputError, UnavailableError, VerificationError
from sealtrail.log.item_index import BASE_POSTINGS, IndexHead, Run, index_root, runs_of
from sealtrail.log.item_run import RunInMemory
from sealtrail.log.tree import HASH_BYTES, CompactRange, TreeHead, leaf_hash, split_hashes
from sealtrail.signing import Kind, items_root, parse_leaf
from sealtrail.store.item_index import Gathering, RunStart
from sealtrail.store.run_shelf import RunShelf

STATE_FILE = "state"
_STATE_BYTES_MAX = 1 << 20  # fewer than 4,096 postings and 64 hashes

_log = logging.getLogger(__name__)


class _State(msgspec.Struct, frozen=True, array_like=True):
    """The state file, behind its digest; ``start`` is number, leaf index and key offset of the run that is begun."""

    origin: str
    peaks: Sequence[bytes]
    start: tuple[int, int, int]
    next_leaf: int
    lists: dict[bytes, bytes]
    last_leaf: bytes
    is_second: bool


class IndexMirror:
    """One log's; made by :meth:`open`. Its methods are for one thread at a time."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self.shelf = RunShelf(folder, sha256(origin.encode()).digest())
        self.begun_at = 0  # leaves that were there when it was opened
        self.last_leaf = b""
        # Read anew, because what was read before gave another index than the log's.
        self.is_second = False
        self._origin = origin
        self._is_broken = False  # a leaf was taken by half: nothing of it is kept
        self._tree = CompactRange()
        self._gathering = Gathering(RunStart(0, 0, 0))

    @classmethod
    def open(cls, folder: Path, origin: str) -> IndexMirror:
        """Go on from what is there, or begin with nothing.

        Raises:
            UnavailableError: the folder can't be read or written (``index_mirror_unusable``).
        """
        mirror = cls(folder, origin)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            mirror._load()
            if mirror._has_all_runs():
                return mirror
            _log.info("%s is read again from its first leaf", origin)
            shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
            return cls(folder, origin)
        except OSError as error:
            raise _unusable(folder, error) from error

    @property
    def size(self) -> int:
        """How many leaves were read."""
        return self._tree.size

    @property
    def postings(self) -> int:
        """How many postings these have."""
        return self._gathering.postings

    def head(self) -> TreeHead:
        """Return size and root of what was read."""
        return self._tree.head()

    def take(self, leaf: bytes, item_keys: bytes) -> None:
        """Take the next leaf and its item keys (joined), which must be those that were signed.

        Raises:
            InputError: ``leaf_…``: the leaf is no entry.
            VerificationError: ``item_keys_differ``.
            UnavailableError: a run could not be written (``index_mirror_unusable``).
        """
        _require_keys(self.size, leaf, item_keys)
        try:
            for run, lists in self._gathering.add(self.size, item_keys):
                self.shelf.write(run, lists)
        except OSError as error:
            self._is_broken = True
            raise _unusable(self.folder, error) from error
        self._tree.append(leaf_hash(leaf))
        self.last_leaf = leaf

    def missing(self) -> list[Run]:
        """Return the merged runs that stand under the root of so many postings and are not there yet."""
        return [
            run
            for run in runs_of(self.postings)
            if run.postings >= BASE_POSTINGS and self.shelf.get(run) is None
        ]

    def tidy(self) -> None:
        """Delete the runs that were merged into others."""
        self.shelf.keep(runs_of(self.postings), lambda _: False)

    def index_head(self) -> IndexHead:
        """Return what an index entry that is the last leaf would have to say; every run must be there.

        Raises:
            UnavailableError: one is missing (``index_mirror_unusable``).
        """
        tail = self._gathering.tail()
        heads = []
        for run in runs_of(self.postings):
            known = RunInMemory(run, self._gathering.lists) if run == tail else self.shelf.get(run)
            if known is None:
                raise UnavailableError(
                    "index_mirror_unusable", f"the run of {run.postings} postings is missing"
                )
            heads.append(known.head)
        # an index entry names no items, so that its own leaf adds none
        return IndexHead(covers=self.size - 1, postings=self.postings, root_hash=index_root(heads))

    def save(self) -> None:
        """Write the state, so that the next reading goes on from here; after a failure, from where it was written last.

        Raises:
            UnavailableError: it can't be written (``index_mirror_unusable``).
        """
        if self._is_broken:
            return
        start = self._gathering.start
        body = msgspec.msgpack.encode(
            _State(
                origin=self._origin,
                peaks=self._tree.peaks,
                start=(start.number, start.leaf_index, start.key_offset),
                next_leaf=self.size,
                lists=self._gathering.lists,
                last_leaf=self.last_leaf,
                is_second=self.is_second,
            )
        )
        unfinished = self.folder / f"{STATE_FILE}.unfinished"
        try:
            unfinished.write_bytes(sha256(body).digest() + body)
            unfinished.replace(self.folder / STATE_FILE)
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def settle(self, *, is_right: bool) -> None:
        """Note how the index compared; it is compared with what is read from the first leaf on before it is wrong.

        Raises:
            UnavailableError: as :meth:`save`.
        """
        if self.is_second is is_right:
            self.is_second = not is_right
            self.save()

    def begin_again(self) -> None:
        """Delete all of it, and begin a second reading of the whole log.

        Raises:
            UnavailableError: as :meth:`save`.
        """
        self.discard()
        try:
            self.folder.mkdir(mode=0o700)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        second = IndexMirror(self.folder, self._origin)
        second.is_second = True
        second.save()

    def discard(self) -> None:
        """Delete all of it: the next one that is opened begins with nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self) -> None:
        state = _read_state(self.folder / STATE_FILE, self._origin)
        if state is not None:
            self._tree = CompactRange(state.next_leaf, state.peaks)
            self._gathering = Gathering.resumed(
                RunStart(*state.start), state.next_leaf, state.lists
            )
            self.begun_at, self.last_leaf = state.next_leaf, state.last_leaf
            self.is_second = state.is_second
        self.shelf.load(postings=self._gathering.start.first)

    def _has_all_runs(self) -> bool:
        """Tell whether the runs that are there cover, without a gap, all postings up to the run that is begun."""
        end = 0
        for run in self.shelf.runs():
            if run.first > end:
                return False
            end = max(end, run.end)
        return end == self._gathering.start.first


def _read_state(path: Path, origin: str) -> _State | None:
    """Return what the file says, or None if there is none that is whole and of that log."""
    if not path.is_file() or path.stat().st_size > _STATE_BYTES_MAX:
        return None
    data = path.read_bytes()
    digest, body = data[:HASH_BYTES], data[HASH_BYTES:]
    if sha256(body).digest() != digest:
        return None
    try:
        state = msgspec.msgpack.decode(body, type=_State)
        CompactRange(state.next_leaf, state.peaks)
    except (msgspec.DecodeError, InputError):
        return None
    return state if state.origin == origin else None


def _require_keys(leaf_index: int, leaf: bytes, item_keys: bytes) -> None:
    """Compare item keys with what the leaf signs: these, ascending, none twice; an index entry has none."""
    entry = parse_leaf(leaf).entry
    keys = split_hashes(item_keys)
    # the root is over the sorted keys, once each: another order, or one of them twice, would have it too
    ascends = all(a < b for a, b in pairwise(keys))
    if not ascends or items_root(keys) != entry.items_root:
        raise VerificationError(
            "item_keys_differ", f"the item keys of leaf {leaf_index} are not what its entry signs"
        )
    if entry.kind is Kind.INDEX and keys:
        raise VerificationError(
            "item_keys_differ", f"the index entry at leaf {leaf_index} names {len(keys)} items"
        )


def _unusable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        "index_mirror_unusable", f"{folder}: {error.strerror}", advice="see its rights and space"
    )
