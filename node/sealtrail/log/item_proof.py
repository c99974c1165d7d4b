"""Proofs of an item's complete list: every leaf of a log that names it, or that none does.

For each run under the index's root the proof has the one leaf that decides: the item's own, with all that the run
knows of it, or the one whose gap to the next key holds the item's. What the proof leaves out is what would have to
be believed: which runs there are follows from the number of postings, their roots from the leaves.

It shows what the index says. That the index says what the entries do, recomputing it shows.

Source: docs/protocol.md section 16.
"""

from __future__ import annotations

import msgspec

from sealtrail.errors import VerificationError
from sealtrail.log.item_index import (
    KEY_BYTES,
    LEAF_INDEX_BYTES,
    LISTED_BYTES_MAX,
    LISTED_MAX,
    IndexHead,
    Run,
    RunHead,
    index_root,
    listed,
    run_leaf_hash,
    runs_of,
)
from sealtrail.log.tree import inclusion_root, split_hashes

# Leaf indices in one proof: some 2 MB of them. A lot's packs can be more; they are asked for by other means.
LEAF_INDICES_MAX = 250_000


class RunProof(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf of a run and its path.

    ``leaf_indices``: if ``key`` is the item's, all of them joined, u64 each; else as they stand in the leaf.
    ``hashes``: the inclusion proof's, joined.
    """

    tree_leaves: int
    position: int
    key: bytes
    next_key: bytes
    leaf_indices: bytes
    hashes: bytes


class ItemProof(msgspec.Struct, frozen=True):
    """A proof for one item key: one part for each run, in order."""

    runs: tuple[RunProof, ...]


def verify_item_proof(index: IndexHead, key: bytes, proof: ItemProof) -> tuple[int, ...]:
    """Check a proof against an index entry and return the item's complete list of leaf indices, ascending.

    Args:
        index: what the entry says; to be taken from one that is proven itself.

    Raises:
        VerificationError: ``item_key_length``, ``item_runs_differ``, ``item_leaf_malformed``,
            ``item_gap_differs``, ``item_list_malformed``, ``item_list_too_long``, ``item_list_order``,
            ``item_list_outside``, ``leaf_index_out_of_range``, ``proof_too_long``, ``proof_too_short``,
            ``proof_hash_length``, ``item_index_root_differs``; ``pointer`` names the run.
    """
    if len(key) != KEY_BYTES:
        raise VerificationError("item_key_length", f"an item key of {len(key)} bytes, not 32")
    # Before anything is computed: a number of postings that nobody shows runs for must not cost anything.
    runs = runs_of(index.postings)
    if len(runs) != len(proof.runs):
        raise VerificationError(
            "item_runs_differ",
            f"a proof over {len(proof.runs)} runs, {index.postings} postings have {len(runs)}",
        )
    heads: list[RunHead] = []
    found: list[int] = []
    for number, (run, part) in enumerate(zip(runs, proof.runs, strict=True)):
        try:
            heads.append(_run_head(run, key, part))
            if part.key == key:
                _take(found, part.leaf_indices, index.covers)
        except VerificationError as error:
            error.pointer = f"/runs/{number}"
            raise
    root = index_root(heads)
    if root != index.root_hash:
        raise VerificationError(
            "item_index_root_differs",
            f"the proof leads to {root.hex()}, the index has {index.root_hash.hex()}",
        )
    return tuple(found)


def _run_head(run: Run, key: bytes, part: RunProof) -> RunHead:
    _check_leaf(run, part)
    if part.key == key:
        as_listed = _own_list(run, part.leaf_indices)
    else:
        as_listed = part.leaf_indices
        if not part.key < key < part.next_key:
            raise VerificationError(
                "item_gap_differs",
                f"the leaf of {part.key.hex()}, next {part.next_key.hex()}, says nothing of the item",
            )
        if len(as_listed) > LISTED_BYTES_MAX or not _is_listed_form(as_listed):
            raise VerificationError(
                "item_list_malformed", f"{len(as_listed)} bytes are no list as a leaf has it"
            )
    root = inclusion_root(
        part.position,
        part.tree_leaves,
        run_leaf_hash(part.key, part.next_key, as_listed),
        split_hashes(part.hashes),
    )
    return RunHead(run, part.tree_leaves, root)


def _check_leaf(run: Run, part: RunProof) -> None:
    if not len(part.key) == len(part.next_key) == KEY_BYTES:
        raise VerificationError(
            "item_leaf_malformed", f"keys of {len(part.key)} and {len(part.next_key)} bytes, not 32"
        )
    # each posting has one key at most; one more for the first leaf
    if not 1 <= part.tree_leaves <= run.postings + 1:
        raise VerificationError(
            "item_leaf_malformed", f"{part.tree_leaves} leaves over {run.postings} postings"
        )


def _own_list(run: Run, joined: bytes) -> bytes:
    count, odd = divmod(len(joined), LEAF_INDEX_BYTES)
    if odd:
        raise VerificationError(
            "item_list_malformed", f"{len(joined)} bytes are no whole number of leaf indices"
        )
    if count > run.postings:
        raise VerificationError(
            "item_list_too_long", f"{count} leaf indices of {run.postings} postings"
        )
    return listed(joined)


def _is_listed_form(data: bytes) -> bool:
    if len(data) == LISTED_BYTES_MAX:
        return int.from_bytes(data[:4], "big") > LISTED_MAX
    return not len(data) % LEAF_INDEX_BYTES


def _take(found: list[int], joined: bytes, covers: int) -> None:
    if len(found) + len(joined) // LEAF_INDEX_BYTES > LEAF_INDICES_MAX:
        raise VerificationError(
            "item_list_too_long", f"more than {LEAF_INDICES_MAX} leaf indices in one proof"
        )
    last = found[-1] if found else -1
    for each in split_indices(joined):
        if each <= last:
            raise VerificationError("item_list_order", f"leaf {each} after leaf {last}")
        found.append(each)
        last = each
    if last >= covers:
        raise VerificationError(
            "item_list_outside", f"leaf {last}, the index covers the {covers} before it"
        )


def split_indices(joined: bytes) -> list[int]:
    """Return joined leaf indices as numbers."""
    return [
        int.from_bytes(joined[at : at + LEAF_INDEX_BYTES], "big")
        for at in range(0, len(joined), LEAF_INDEX_BYTES)
    ]
