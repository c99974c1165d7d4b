"""The item index as a value: for every item key the leaf indices of all entries of a log that name it.

The log's *postings* (item key, leaf index) are numbered in the order of the log and covered by *runs*, each a tree
over its keys in order; the index's root is the one over the runs. Which runs there are follows from the number of
postings alone, so that whoever has the entries' item keys comes to the same root.
It stores nothing and proves nothing: see :mod:`sealtrail.log.item_proof` for proofs.

Source: docs/protocol.md section 16.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec

from sealtrail.errors import InputError
from sealtrail.log.tree import leaf_hash, root_hash

KEY_BYTES = 32
LEAF_INDEX_BYTES = 8
BASE_POSTINGS = 4096  # in a run of level 0
FAN_OUT = 4  # runs of a level that make one of the next
MERGE_SHARE = 2  # of a merged run's length, what must come after it before it stands under the root
INDEX_TYPE = "sealtrail/item-index/1"
FIRST_KEY = bytes(KEY_BYTES)  # of the first leaf of each run, whether or not an item has it
LAST_KEY = b"\xff" * KEY_BYTES  # what the last leaf of each run names as the next
# Leaf indices that stand in a run's leaf themselves; of more, their number and digest do, so that what is proven of
# a neighbour stays short however often that is named.
LISTED_MAX = 4
LISTED_BYTES_MAX = 4 + 32
_LISTED_BYTES = LISTED_MAX * LEAF_INDEX_BYTES

_FORM = re.compile(
    rb'\{"covers":(0|[1-9][0-9]{0,15}),"postings":(0|[1-9][0-9]{0,15}),"root":"0x([0-9a-f]{64})",'
    rb'"type":"sealtrail/item-index/1"\}'
)
_NUMBER_MAX = 2**53 - 1  # JSON numbers that every reader holds exactly


class Run(msgspec.Struct, frozen=True, order=True):
    """Which postings a run covers: so many, from ``first`` on."""

    first: int
    postings: int

    @property
    def end(self) -> int:
        """The first posting after it."""
        return self.first + self.postings


class RunHead(msgspec.Struct, frozen=True):
    """A run's place, the number of its tree's leaves (keys, and the first) and that tree's root."""

    run: Run
    tree_leaves: int
    root_hash: bytes

    def descriptor(self) -> bytes:
        """Return the 56 bytes that stand for the run under the index's root."""
        run = self.run
        numbers = (run.first, run.postings, self.tree_leaves)
        return b"".join(n.to_bytes(8, "big") for n in numbers) + self.root_hash


class IndexHead(msgspec.Struct, frozen=True, kw_only=True):
    """What an index entry says: ``covers`` is its own leaf index, so that all leaves before it are covered."""

    covers: int
    postings: int
    root_hash: bytes


def run_length(level: int) -> int:
    """Return how many postings a run of that level covers."""
    length: int = BASE_POSTINGS * FAN_OUT**level
    return length


def runs_of(postings: int) -> list[Run]:
    """Return the runs that stand under the root of so many postings, in order; the last may be the short *tail*.

    A run of level 0 stands there once it is full. One of a higher level takes the place of its four parts only
    when half of its length has come after it: whoever merges them has that long.
    """
    runs, first = [], 0
    while first + BASE_POSTINGS <= postings:
        length = BASE_POSTINGS
        while not first % (length * FAN_OUT) and _is_due(first, length * FAN_OUT, postings):
            length *= FAN_OUT
        runs.append(Run(first, length))
        first += length
    if first < postings:
        runs.append(Run(first, postings - first))
    return runs


def coming_runs(postings: int) -> list[Run]:
    """Return the runs that are full but not yet in :func:`runs_of`, the shortest first."""
    runs, length = [], BASE_POSTINGS * FAN_OUT
    while length <= postings:
        first = postings // length * length - length
        if not _is_due(first, length, postings):
            runs.append(Run(first, length))
        length *= FAN_OUT
    return runs


def parts_of(run: Run) -> list[Run]:
    """Return the four runs that a run above level 0 is merged from."""
    length = run.postings // FAN_OUT
    return [Run(run.first + n * length, length) for n in range(FAN_OUT)]


def _is_due(first: int, length: int, postings: int) -> bool:
    return first + length + length // MERGE_SHARE <= postings


def add_postings(lists: dict[bytes, bytes], leaf_index: int, item_keys: Iterable[bytes]) -> None:
    """Add the postings of one entry to ``lists``, key → leaf indices joined; entries come in order."""
    encoded = leaf_index.to_bytes(LEAF_INDEX_BYTES, "big")
    for key in item_keys:
        lists[key] = lists.get(key, b"") + encoded


def listed(leaf_indices: bytes) -> bytes:
    """Return how joined leaf indices stand in a leaf: up to four themselves, else u32 number and SHA-256."""
    if len(leaf_indices) <= _LISTED_BYTES:
        return leaf_indices
    count = len(leaf_indices) // LEAF_INDEX_BYTES
    return count.to_bytes(4, "big") + sha256(leaf_indices).digest()


def sorted_lists(lists: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return a run's (key, joined leaf indices) in order, the first leaf's included."""
    return sorted({FIRST_KEY: b"", **lists}.items())


def run_leaf_hash(key: bytes, next_key: bytes, as_listed: bytes) -> bytes:
    """Return the hash of one leaf of a run's tree."""
    return leaf_hash(key + next_key + as_listed)


def run_leaf_hashes(
    leaves: Sequence[tuple[bytes, bytes]], end_key: bytes = LAST_KEY
) -> list[bytes]:
    """Return the hashes of neighbouring leaves of a run's tree; ``end_key`` comes after the last of them."""
    following = [key for key, _ in leaves[1:]]
    following.append(end_key)
    return [  # run_leaf_hash, for many
        sha256(
            b"\x00" + key + next_key + (joined if len(joined) <= _LISTED_BYTES else listed(joined))
        ).digest()
        for (key, joined), next_key in zip(leaves, following, strict=True)
    ]


def index_root(heads: Iterable[RunHead]) -> bytes:
    """Return the index's root over its runs, in order; without postings that of no leaves."""
    return root_hash(leaf_hash(head.descriptor()) for head in heads)


def encode_index_document(head: IndexHead) -> bytes:
    """Return an index entry's content, RFC 8785 form."""
    return (
        f'{{"covers":{head.covers},"postings":{head.postings},'
        f'"root":"0x{head.root_hash.hex()}","type":"{INDEX_TYPE}"}}'
    ).encode()


def parse_index_document(data: bytes) -> IndexHead:
    """Read an index entry's content.

    Raises:
        InputError: ``index_document_malformed``, not exactly what :func:`encode_index_document` writes.
    """
    found = _FORM.fullmatch(data)
    head = None
    if found is not None:
        head = IndexHead(
            covers=int(found[1]), postings=int(found[2]), root_hash=bytes.fromhex(found[3].decode())
        )
    if head is None or max(head.covers, head.postings) > _NUMBER_MAX:
        raise InputError(
            "index_document_malformed", f"no document of type {INDEX_TYPE} in its one form"
        )
    return head
