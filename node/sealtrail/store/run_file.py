"""Runs of the item index as files: immutable, memory-mapped, and derived from the log's entries.

A file is whole or it is not there: it is written under another name, synced (but for the short ones), then renamed.
It says whose log it is
of, so that one left over from another database is never taken for ours. Its footer has a digest of its own, checked
on opening; the body's is checked before anything is merged from it, and by whoever looks through the store.
A flipped byte in between gives a proof that does not hold, which is never handed out.

    magic | blocks of 16 leaves | u64 offset of each block | nodes at levels 4, 8, 12, … | footer

    leaf: key (32) | u32 number | SHA-256 of the list if it has more than four | leaf indices, u64 each

    footer: log id (32) | u64 first | u64 postings | u64 tree leaves | root (32) | SHA-256 of all before the footer (32)
            | SHA-256 of the footer so far (32)
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from sealtrail.errors import IntegrityError
from sealtrail.log.item_index import (
    KEY_BYTES,
    LAST_KEY,
    LEAF_INDEX_BYTES,
    LISTED_MAX,
    Run,
    RunHead,
    listed,
    run_leaf_hash,
    run_leaf_hashes,
)
from sealtrail.log.tree import HASH_BYTES, CompactRange, joined_pairs, root_hash, subtree_root

MAGIC = b"sealtrail/run/1\n"
BLOCK_LEAVES = 16
STEP = 4  # tree levels from one whose nodes are kept to the next: 16 leaves are one node
_FOOTER = struct.Struct(">32sQQQ32s32s")
_FOOTER_BYTES = _FOOTER.size + 32
_OFFSET = struct.Struct(">Q")
_COUNT = struct.Struct(">I")
_COUNTS = {n * LEAF_INDEX_BYTES: _COUNT.pack(n) for n in range(LISTED_MAX + 1)}
_RECORD_BYTES = KEY_BYTES + _COUNT.size
_SINGLES_BYTES = BLOCK_LEAVES * (_RECORD_BYTES + LEAF_INDEX_BYTES)
_SINGLES = range(0, _SINGLES_BYTES, _RECORD_BYTES + LEAF_INDEX_BYTES)
_SYNC_BYTES = 16 << 20  # written before it is synced: one large sync would hold up the database's
_READ_BYTES = 1 << 20

Leaf = tuple[bytes, bytes]  # key, leaf indices joined


def run_name(run: Run) -> str:
    """Return the name of a run's file."""
    return f"{run.first}-{run.postings}.run"


class RunFile:
    """An open run; reading it is safe in any thread, also after its file was deleted."""

    def __init__(self, path: Path, content: mmap.mmap, head: RunHead, log_id: bytes) -> None:
        self.path = path
        self.head = head
        self.log_id = log_id
        self._content = content
        blocks = -(-head.tree_leaves // BLOCK_LEAVES)
        levels: list[tuple[int, int]] = []  # bytes of nodes kept, at each step
        level = STEP
        while head.tree_leaves >> level:
            levels.append((level, (head.tree_leaves >> level) * HASH_BYTES))
            level += STEP
        ends = len(content) - _FOOTER_BYTES
        self._nodes: dict[int, int] = {}
        for level, length in reversed(levels):
            ends -= length
            self._nodes[level] = ends
        self._offsets = ends - blocks * _OFFSET.size
        self._blocks = blocks

    @classmethod
    def open(cls, path: Path) -> RunFile:
        """Open a run's file.

        Raises:
            IntegrityError: it is no whole run, or damaged where that shows at once (``item_run_damaged``).
        """
        try:
            with path.open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # ValueError: an empty file
            raise damaged(path, str(error)) from error
        footer = content[-_FOOTER_BYTES:]
        if content[: len(MAGIC)] != MAGIC or len(content) < len(MAGIC) + _FOOTER_BYTES:
            raise damaged(path, "it does not begin as one")
        if sha256(footer[: _FOOTER.size]).digest() != footer[_FOOTER.size :]:
            raise damaged(path, "its end is not what was written")
        log_id, first, postings, leaves, root, _ = _FOOTER.unpack(footer[: _FOOTER.size])
        opened = cls(path, content, RunHead(Run(first, postings), leaves, root), log_id)
        if opened._offsets < len(MAGIC) + leaves * _RECORD_BYTES:
            raise damaged(path, f"too short for {leaves} leaves")
        return opened

    def check(self) -> None:
        """Compare the body with its digest.

        Raises:
            IntegrityError: it is not what was written (``item_run_damaged``).
        """
        digest, end = sha256(), len(self._content) - _FOOTER_BYTES
        for at in range(0, end, _READ_BYTES):
            digest.update(self._content[at : min(at + _READ_BYTES, end)])
        footer = self._content[end : end + _FOOTER.size]
        if digest.digest() != _FOOTER.unpack(footer)[-1]:
            raise damaged(self.path, "its body is not what was written")

    def key_at(self, position: int) -> bytes:
        """See :class:`sealtrail.log.item_run.RunLeaves`."""
        at = self._record(position)
        return self._content[at : at + KEY_BYTES]

    def list_at(self, position: int, *, whole: bool) -> bytes:
        """See :class:`sealtrail.log.item_run.RunLeaves`."""
        count, as_listed, begin = self._list(self._record(position))
        if not whole or count <= LISTED_MAX:
            return as_listed
        return self._content[begin : begin + count * LEAF_INDEX_BYTES]

    def node(self, level: int, index: int) -> bytes:
        """See :class:`sealtrail.log.item_run.RunLeaves`."""
        if level < STEP:
            return root_hash(self._leaf_hashes(index << level, (index + 1) << level))
        kept = level // STEP * STEP
        width = HASH_BYTES << (level - kept)
        begin = self._nodes[kept] + index * width
        return subtree_root(self._content[begin : begin + width])

    def blocks(self) -> Iterator[list[Leaf]]:
        """Yield all leaves in order, 16 at a time."""
        begins = self._content[self._offsets : self._offsets + self._blocks * _OFFSET.size]
        bounds = [*struct.unpack(f">{self._blocks}Q", begins), self._offsets]
        for number, (begin, end) in enumerate(pairwise(bounds)):
            # No list is empty but the first leaf's, so a block of this length has 16 lists of one.
            if number and end - begin == _SINGLES_BYTES:
                data = self._content[begin:end]
                yield [(data[at : at + 32], data[at + 36 : at + 44]) for at in _SINGLES]
            else:
                yield list(self._leaves_between(begin, end))

    def _leaves_between(self, at: int, end: int) -> Iterator[Leaf]:
        while at < end:
            count, as_listed, begin = self._list(at)
            after = begin + count * LEAF_INDEX_BYTES
            joined = as_listed if count <= LISTED_MAX else self._content[begin:after]
            yield self._content[at : at + KEY_BYTES], joined
            at = after

    def _record(self, position: int) -> int:
        """Return where a leaf begins; a damaged file's may be nowhere, and nothing is read there."""
        block, behind = divmod(position, BLOCK_LEAVES)
        offset = self._offsets + block * _OFFSET.size
        at: int = _OFFSET.unpack(self._content[offset : offset + _OFFSET.size])[0]
        for _ in range(behind):
            count, _, begin = self._list(at)
            at = begin + count * LEAF_INDEX_BYTES
        return at

    def _list(self, at: int) -> tuple[int, bytes, int]:
        """Return of the leaf at ``at`` the number of its leaf indices, its list, and where they begin."""
        begin = at + _RECORD_BYTES
        number = self._content[at + KEY_BYTES : begin]
        if len(number) != _COUNT.size:
            raise damaged(self.path, f"a leaf at {at} is not in it")
        count: int = _COUNT.unpack(number)[0]
        if count <= LISTED_MAX:
            return count, self._content[begin : begin + count * LEAF_INDEX_BYTES], begin
        digest_end = begin + HASH_BYTES
        return count, number + self._content[begin:digest_end], digest_end

    def _leaf_hashes(self, first: int, end: int) -> list[bytes]:
        """Return the hashes of neighbouring leaves of one block."""
        hashes, at = [], self._record(first)
        for position in range(first, end):
            count, as_listed, begin = self._list(at)
            key = self._content[at : at + KEY_BYTES]
            at = begin + count * LEAF_INDEX_BYTES
            last = position + 1 == self.head.tree_leaves
            next_key = LAST_KEY if last else self._content[at : at + KEY_BYTES]
            hashes.append(run_leaf_hash(key, next_key, as_listed))
        return hashes


class RunWriter:
    """Writes a run, its leaves given in order; keeps 2.5 bytes a leaf in memory."""

    def __init__(self, file: BinaryIO, *, durable: bool = True) -> None:
        self._file = file
        self._durable = durable
        self._digest = sha256()
        self._at = self._unsynced = 0
        self._offsets = bytearray()
        self._nodes: list[bytearray] = []  # at levels 4, 8, 12, …
        self._edge: list[bytes] = []  # hashes of the last leaves, fewer than a block
        self._leaves = self._postings = 0
        self._pending: list[Leaf] = []
        self._write(MAGIC)

    def add(self, leaves: Iterable[Leaf]) -> None:
        """Add leaves behind those before."""
        self._pending.extend(leaves)
        # The last one's hash takes the key that follows it.
        whole = (len(self._pending) - 1) // BLOCK_LEAVES * BLOCK_LEAVES
        if whole > 0:
            self._put(self._pending[:whole], self._pending[whole][0])
            del self._pending[:whole]

    def finish(self, run: Run, log_id: bytes) -> RunHead:
        """Write what is left and the footer, and sync the file.

        Raises:
            IntegrityError: the leaves have another number of postings than the run (``item_run_damaged``).
        """
        self._put(self._pending, LAST_KEY)
        if self._postings != run.postings:
            raise IntegrityError(
                "item_run_damaged",
                f"{self._postings} postings for the {run.postings} from {run.first} on",
            )
        self._write(self._offsets)
        for nodes in self._nodes:
            self._write(nodes)
        root = CompactRange.from_nodes(self._leaves, self._node).root()
        head = RunHead(run, self._leaves, root)
        footer = _FOOTER.pack(
            log_id, run.first, run.postings, head.tree_leaves, root, self._digest.digest()
        )
        self._file.write(footer + sha256(footer).digest())
        self._sync()
        return head

    def _put(self, leaves: Sequence[Leaf], end_key: bytes) -> None:
        """Write leaves, from the beginning of a block on."""
        records = [
            key + _COUNTS[len(joined)] + joined if len(joined) in _COUNTS else _long(key, joined)
            for key, joined in leaves
        ]
        written = bytearray()
        for first in range(0, len(records), BLOCK_LEAVES):
            self._offsets += _OFFSET.pack(self._at + len(written))
            written += b"".join(records[first : first + BLOCK_LEAVES])
        hashes = run_leaf_hashes(leaves, end_key)
        whole = len(hashes) // BLOCK_LEAVES * BLOCK_LEAVES
        self._edge = hashes[whole:]
        del hashes[whole:]
        for _ in range(STEP):
            hashes = joined_pairs(hashes)
        self._keep(0, b"".join(hashes))
        self._leaves += len(leaves)
        self._postings += sum([len(joined) for _, joined in leaves]) // LEAF_INDEX_BYTES
        self._write(written)

    def _keep(self, step: int, nodes: bytes | bytearray) -> None:
        if not nodes:
            return
        if step == len(self._nodes):
            self._nodes.append(bytearray())
        kept = self._nodes[step]
        width = HASH_BYTES << STEP
        done = len(kept) // width
        kept += nodes
        above = b"".join(
            subtree_root(bytes(kept[n * width : (n + 1) * width]))
            for n in range(done, len(kept) // width)
        )
        self._keep(step + 1, above)

    def _node(self, level: int, index: int) -> bytes:
        if level < STEP:
            first = (index << level) % BLOCK_LEAVES
            return root_hash(self._edge[first : first + (1 << level)])
        step = level // STEP
        width = HASH_BYTES << (level - step * STEP)
        return subtree_root(bytes(self._nodes[step - 1][index * width : (index + 1) * width]))

    def _write(self, data: bytes | bytearray) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._at += len(data)
        self._unsynced += len(data)
        if self._unsynced >= _SYNC_BYTES:
            self._sync()

    def _sync(self) -> None:
        self._file.flush()
        if self._durable:
            os.fdatasync(self._file.fileno())
        self._unsynced = 0


def write_run(
    folder: Path,
    run: Run,
    log_id: bytes,
    portions: Iterable[Iterable[Leaf]],
    *,
    durable: bool = True,
) -> RunHead:
    """Write a run's file in ``folder``, whole or not at all, in place of one that is there.

    Args:
        durable: wait for the disk. A short run need not: after a power cut, its digests tell, and it is made again.

    Raises:
        IntegrityError: the leaves are not the run's (``item_run_damaged``).
        OSError: the disk is full, or can't be written to.
    """
    path = folder / run_name(run)
    unfinished = path.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as file:
            writer = RunWriter(file, durable=durable)
            for portion in portions:
                writer.add(portion)
            head = writer.finish(run, log_id)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(folder)
    return head


def merge_runs(folder: Path, run: Run, log_id: bytes, parts: Sequence[Run]) -> RunHead:
    """Write the run that ``parts``, which stand in the same folder, are together.

    Raises:
        IntegrityError: a part is damaged or of another log (``item_run_damaged``; ``context`` has its name).
        OSError: as :func:`write_run`.
    """
    files = [RunFile.open(folder / run_name(part)) for part in parts]
    for file, part in zip(files, parts, strict=True):
        # Before anything is made of it: what came of a flipped byte would be signed as the index.
        file.check()
        if file.log_id != log_id or file.head.run != part:
            raise damaged(file.path, "it is of another log or place")
    return write_run(folder, run, log_id, _merged(files))


_PORTION = 1 << 14  # leaves merged at a time


def _merged(files: Sequence[RunFile]) -> Iterator[list[Leaf]]:
    """Yield the leaves of all files in order, those of one key as one, the files' lists in the files' order.

    Keys are spread evenly, being hashes: equal ranges of them have much the same number of leaves.
    """
    sources = [file.blocks() for file in files]
    ahead = [next(source, []) for source in sources]
    count = sum(file.head.tree_leaves for file in files) // _PORTION + 1
    for number in range(1, count + 1):
        end = (number << (8 * KEY_BYTES)) // count - 1
        last_key = end.to_bytes(KEY_BYTES, "big")
        lists: dict[bytes, bytes] = {}
        for which, source in enumerate(sources):
            block = ahead[which]
            while block and block[-1][0] <= last_key:
                _merge_block(lists, block)
                block = next(source, [])
            within = bisect_right(block, last_key, key=_key_of)
            _merge_block(lists, block[:within])
            ahead[which] = block[within:]
        yield sorted(lists.items())


def _merge_block(lists: dict[bytes, bytes], block: list[Leaf]) -> None:
    new = dict(block)
    if not lists.keys().isdisjoint(new):
        new = {key: lists.get(key, b"") + joined for key, joined in block}
    lists.update(new)


def _key_of(leaf: Leaf) -> bytes:
    return leaf[0]


def _long(key: bytes, joined: bytes) -> bytes:
    """Return the record of a leaf whose list stands in the tree by number and digest; the number comes first."""
    return key + listed(joined) + joined


def damaged(path: Path, why: str) -> IntegrityError:
    """Return the error for a file that is not what was written."""
    return IntegrityError(
        "item_run_damaged",
        f"{path.name} is no run of the item index any more: {why}",
        advice="it is made again from the log's entries",
        file=path.name,
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
